// step_difference: nodes first, then bytes, then what the bytes look like.
#include "builder/run/step_difference.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/layer/gunzip.h"

#include "builder/compare/clock_text.h"

namespace lithify {

namespace {

constexpr std::size_t k_chunk = 64 * 1024;  // a multiple of a tar's block
constexpr std::size_t k_around = 48;
constexpr std::size_t k_block = 512;
constexpr std::uint64_t k_most_inside = 1u << 30;  // of a gzip file's

// Where two streams part.
struct Parting {
  std::uint64_t offset = 0;
  std::string head;    // the first bytes of both, as far as they agree
  std::string before;  // in front of it
  std::string first;   // from it on
  std::string second;
  std::string block;  // of 512 bytes, in which it lies
};

std::string next_chunk(oci::Source& from) {
  std::string chunk(k_chunk, '\0');
  std::size_t size = 0;
  while (size < chunk.size()) {
    const std::size_t got = from.read(
        std::as_writable_bytes(std::span(chunk)).subspan(size, chunk.size() - size));
    if (got == 0) break;
    size += got;
  }
  chunk.resize(size);
  return chunk;
}

std::optional<Parting> part(oci::Source& one, oci::Source& other, std::uint64_t most) {
  Parting parting;
  std::string tail;
  for (std::uint64_t start = 0; start < most; start += k_chunk) {
    const std::string a = next_chunk(one);
    const std::string b = next_chunk(other);
    const auto [in_a, in_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
    const auto at = static_cast<std::size_t>(in_a - a.begin());
    if (start == 0) parting.head = a.substr(0, std::min(at, k_around));
    if (in_a == a.end() && in_b == b.end()) {
      if (a.empty()) return std::nullopt;
      tail = a.substr(a.size() - std::min(a.size(), k_around));
      continue;
    }
    parting.offset = start + at;
    parting.before = tail + a.substr(0, at);
    if (parting.before.size() > k_around)
      parting.before.erase(0, parting.before.size() - k_around);
    parting.first = a.substr(at, k_around);
    parting.second = b.substr(at, k_around);
    parting.block = a.substr(at / k_block * k_block, k_block);
    return parting;
  }
  return std::nullopt;
}

bool is_gzip(const Parting& parting) {
  return std::string_view(parting.head).substr(0, 3) == "\x1f\x8b\x08";
}

std::unique_ptr<oci::Source> opened(const Node& node, const oci::BlobStore& store) {
  if (!node.content) return std::make_unique<oci::StringSource>("");
  return open_content(*node.content, store);
}

// The time of a member lies at 136 in a block that says "ustar" at 257; behind it is the
// check sum, which follows from it.
bool is_time_in_tar(const Parting& parting) {
  const std::uint64_t in_block = parting.offset % k_block;
  return parting.block.size() == k_block && parting.block.compare(257, 5, "ustar") == 0 &&
         in_block >= 136 && in_block < 156;
}

bool is_name_in_tar(const Parting& parting) {
  return parting.block.size() == k_block && parting.block.compare(257, 5, "ustar") == 0 &&
         parting.offset % k_block < 100;
}

// In front of every member, and again in the list at the end.
bool is_time_in_zip(const Parting& parting) {
  const std::pair<std::string_view, std::size_t> k_marks[] = {{"PK\x03\x04", 10},
                                                              {"PK\x01\x02", 12}};
  for (const auto& [mark, at] : k_marks) {
    const std::size_t found = parting.before.rfind(mark);
    if (found == std::string::npos) continue;
    const std::size_t distance = parting.before.size() - found;
    if (distance >= at && distance < at + 4) return true;
  }
  return false;
}

void look_for_file_times(const Parting& parting, StepDifference& difference) {
  const std::string field = clock_field(parting.head, parting.offset);
  const auto found = [&](const std::string& evidence, const char* cure) {
    difference.cause = "the time of a file that the step made";
    difference.evidence = evidence;
    difference.cure = cure;
  };
  if (is_gzip(parting) && !field.empty()) return found(field, "write `gzip -n`");
  if (is_time_in_tar(parting)) {
    return found("in a tar archive",
                 "write `tar --sort=name --mtime=@$SOURCE_DATE_EPOCH --owner=0 --group=0 "
                 "--numeric-owner`");
  }
  if (is_time_in_zip(parting)) {
    return found("in a zip archive",
                 "first give the files a time: `find . -exec touch -hd "
                 "@$SOURCE_DATE_EPOCH {} +`");
  }
  if (!field.empty()) {
    return found(field,
                 "leave `normalise: {pycache: false}` out, or set "
                 "PYTHONDONTWRITEBYTECODE=1 in `env`");
  }
}

// Ten digits and more may be anything. Of two readings the second is of a clock that is
// 400 days ahead, or of the machine's, which the times of files come from.
bool are_clock_readings(const ClockText& time) {
  constexpr std::size_t k_seconds = 10;
  constexpr std::int64_t k_soon = 43200;
  constexpr std::int64_t k_later = 399LL * 86400;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (time.first.size() < k_seconds ||
      !std::all_of(time.first.begin(), time.first.end(), is_digit))
    return true;
  const std::int64_t apart = std::stoll(time.second.substr(0, k_seconds)) -
                             std::stoll(time.first.substr(0, k_seconds));
  return (apart >= 0 && apart < k_soon) || apart > k_later;
}

void look_for_causes(const Parting& parting, StepDifference& difference) {
  look_for_file_times(parting, difference);
  if (!difference.cause.empty()) return;
  const auto time = clock_text(parting.before, parting.first, parting.second);
  if (time && are_clock_readings(*time)) {
    difference.cause = "the time of day";
    difference.evidence = time->first + ", " + time->second;
    return;
  }
  // Work directories have random names, so that chance would seem to be the cause.
  const std::size_t work = parting.before.rfind("/work/step-");
  if (work != std::string::npos &&
      parting.before.find_first_of(" \n", work) == std::string::npos) {
    difference.cause = "the machine's work directory";
    difference.cure = "leave out what /proc says of mounts";
    return;
  }
  if (is_name_in_tar(parting)) {
    difference.cause = "the order of names in directories";
    difference.evidence = "members of a tar archive";
    difference.cure = "write `tar --sort=name`";
  }
}

// What is inside tells more than how it was packed.
std::optional<Parting> part_inside(const Node& one, const Node& other,
                                   const oci::BlobStore& store) {
  try {
    oci::GunzipSource a(opened(one, store), "a gzip file");
    oci::GunzipSource b(opened(other, store), "a gzip file");
    return part(a, b, k_most_inside);
  } catch (const oci::Error&) {
    return std::nullopt;
  }
}

std::optional<StepDifference> of_content(const std::string& path, const Node& one,
                                         const Node& other, const oci::BlobStore& store) {
  if (one.content == other.content) return std::nullopt;
  const auto a = opened(one, store);
  const auto b = opened(other, store);
  const auto parting = part(*a, *b, UINT64_MAX);
  if (!parting) return std::nullopt;
  StepDifference difference{path, fmt::format("its content at byte {}", parting->offset)};
  look_for_causes(*parting, difference);
  if (difference.cause.empty() && is_gzip(*parting)) {
    if (const auto inside = part_inside(one, other, store))
      look_for_causes(*inside, difference);
  }
  return difference;
}

std::optional<StepDifference> between(const std::string& path, const Node& one,
                                      const Node& other, const oci::BlobStore& store) {
  const auto is = [&](std::string what) { return StepDifference{path, std::move(what)}; };
  if (one.type != other.type) return is("its type");
  if (one.attributes.mode != other.attributes.mode) return is("its permission bits");
  if (one.attributes.uid != other.attributes.uid ||
      one.attributes.gid != other.attributes.gid)
    return is("its owner");
  if (one.link != other.link) return is("where it leads");
  if (!(one.attributes == other.attributes)) return is("its attributes");
  if (one.device_major != other.device_major || one.device_minor != other.device_minor)
    return is("its device number");
  if ((one.file_id != 0) != (other.file_id != 0)) return is("its other names");
  return of_content(path, one, other, store);
}

}  // namespace

std::vector<StepDifference> differences_between(const Tree& first, const Tree& second,
                                                const oci::BlobStore& store,
                                                std::size_t most) {
  using In = StepDifference::In;
  std::vector<StepDifference> found;
  if (first.digest() == second.digest()) return found;
  auto one = first.nodes().begin();
  auto other = second.nodes().begin();
  while (found.size() < most &&
         (one != first.nodes().end() || other != second.nodes().end())) {
    const bool only_first = other == second.nodes().end() ||
                            (one != first.nodes().end() && one->first < other->first);
    const bool only_second =
        !only_first && (one == first.nodes().end() || other->first < one->first);
    if (only_first) {
      found.push_back({.path = one->first, .what = "", .in = In::first});
      ++one;
    } else if (only_second) {
      found.push_back({.path = other->first, .what = "", .in = In::second});
      ++other;
    } else {
      if (auto difference = between(one->first, one->second, other->second, store))
        found.push_back(std::move(*difference));
      ++one;
      ++other;
    }
  }
  return found;
}

}  // namespace lithify
