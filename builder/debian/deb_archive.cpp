// DebArchive: an ar reader that knows what a .deb may hold, and nothing more.
#include "builder/debian/deb_archive.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>

#include <fmt/format.h>

#include "oci/base/error.h"

namespace lithify {
namespace {

using oci::Errc;
using oci::Error;

constexpr std::string_view k_global_header = "!<arch>\n";
constexpr std::size_t k_header_size = 60;
// Enough to tell every format: the tar magic ends at 262.
constexpr std::size_t k_probe = 262;
constexpr std::uint64_t k_max_ignored = 16 << 20;
constexpr std::uint64_t k_max_control = 1 << 20;
constexpr oci::ArchiveLimits k_control_limits = {
    .entries = 10'000, .content = 64 << 20, .path = 4096, .xattrs = 1 << 16};

[[noreturn]] void refuse(const std::string& what) {
  throw Error(Errc::bad_input, what);
}

std::size_t fill(oci::Source& from, std::span<std::byte> into) {
  std::size_t done = 0;
  while (done < into.size()) {
    const std::size_t n = from.read(into.subspan(done));
    if (n == 0) break;
    done += n;
  }
  return done;
}

struct Member {
  std::string name;
  std::uint64_t size = 0;
};

// The members of an ar file, front to back; also the source of the current one's bytes.
class ArReader {
 public:
  explicit ArReader(oci::Source& from) : from_(from) {
    std::array<char, k_global_header.size()> magic{};
    if (fill(from_, std::as_writable_bytes(std::span(magic))) != magic.size() ||
        std::string_view(magic.data(), magic.size()) != k_global_header) {
      refuse("the package is no ar archive");
    }
  }

  std::optional<Member> next() {
    skip_rest();
    std::array<char, k_header_size> raw{};
    const std::size_t n = fill(from_, std::as_writable_bytes(std::span(raw)));
    if (n == 0) return std::nullopt;
    if (n != raw.size()) refuse("the package ends inside an ar member header");
    Member member = parse({raw.data(), raw.size()});
    left_ = member.size;
    padded_ = member.size % 2 != 0;
    return member;
  }

  std::size_t read(std::span<std::byte> into) {
    if (left_ == 0 || into.empty()) return 0;
    const auto want =
        static_cast<std::size_t>(std::min<std::uint64_t>(left_, into.size()));
    const std::size_t n = from_.read(into.first(want));
    if (n == 0) refuse("the package ends inside an ar member");
    left_ -= n;
    return n;
  }

 private:
  static std::string_view trimmed(std::string_view text) {
    const std::size_t end = text.find_last_not_of(' ');
    return end == std::string_view::npos ? std::string_view() : text.substr(0, end + 1);
  }

  static Member parse(std::string_view raw) {
    if (raw.substr(58) != "`\n") refuse("an ar member header is malformed");
    std::string_view name = trimmed(raw.substr(0, 16));
    if (name.size() > 1 && name.ends_with('/')) name.remove_suffix(1);
    const std::string_view digits = trimmed(raw.substr(48, 10));
    Member member{std::string(name), 0};
    const auto [end, problem] =
        std::from_chars(digits.data(), digits.data() + digits.size(), member.size);
    if (problem != std::errc() || end != digits.data() + digits.size()) {
      refuse("an ar member has no decimal size");
    }
    return member;
  }

  void skip_rest() {
    std::array<std::byte, 16384> waste{};
    while (read(waste) != 0) {
    }
    if (!std::exchange(padded_, false)) return;
    std::byte pad{};
    // GNU ar pads the last member too; other writers may not.
    if (fill(from_, {&pad, 1}) == 1 && pad != std::byte{'\n'}) {
      refuse("an ar member is not padded with a newline");
    }
  }

  oci::Source& from_;
  std::uint64_t left_ = 0;
  bool padded_ = false;
};

// The current member's bytes, the first few of them already read.
class MemberSource final : public oci::Source {
 public:
  MemberSource(ArReader& from, std::string start)
      : from_(from), start_(std::move(start)) {}

  std::size_t read(std::span<std::byte> into) override {
    if (given_ == start_.size()) return from_.read(into);
    const std::size_t n = std::min(into.size(), start_.size() - given_);
    std::memcpy(into.data(), start_.data() + given_, n);
    given_ += n;
    return n;
  }

 private:
  ArReader& from_;
  std::string start_;
  std::size_t given_ = 0;
};

struct Format {
  std::string_view suffix;
  std::string_view magic;
  std::size_t at;
  bool control;  // allowed for control.tar too
};

// The suffix decides and the bytes must agree, so that no two readers see different
// packages.
constexpr std::array<Format, 6> k_formats = {{
    {"", "ustar", 257, true},
    {".gz", "\x1f\x8b", 0, true},
    {".xz",
     std::string_view("\xfd"
                      "7zXZ\0",
                      6),
     0, true},
    {".zst", "\x28\xb5\x2f\xfd", 0, true},
    {".bz2", "BZh", 0, false},
    {".lzma", std::string_view("\x5d\0\0", 3), 0, false},
}};

bool is_part(const Member& member, std::string_view part) {
  if (!member.name.starts_with(part)) return false;
  const std::string_view suffix = std::string_view(member.name).substr(part.size());
  return std::any_of(k_formats.begin(), k_formats.end(), [&](const Format& format) {
    return format.suffix == suffix && (format.control || part == "data.tar");
  });
}

std::string probe(ArReader& ar, const Member& member, std::string_view part) {
  std::string start(std::min<std::uint64_t>(k_probe, member.size), '\0');
  for (std::size_t done = 0; done < start.size();) {
    const auto rest = std::span(start.data() + done, start.size() - done);
    done += ar.read(std::as_writable_bytes(rest));
  }
  const std::string_view suffix = std::string_view(member.name).substr(part.size());
  for (const Format& format : k_formats) {
    if (format.suffix != suffix) continue;
    if (start.size() >= format.at + format.magic.size() &&
        std::string_view(start).substr(format.at, format.magic.size()) == format.magic) {
      return start;
    }
  }
  refuse(fmt::format("the package's member {} is not in the format its name says",
                     member.name));
}

void check_format(ArReader& ar, const Member& member) {
  if (member.name != "debian-binary") {
    refuse(fmt::format("the package's first member is '{}', not debian-binary",
                       member.name));
  }
  if (member.size > 1024) refuse("the package's member debian-binary is too large");
  std::string text(member.size, '\0');
  for (std::size_t done = 0; done < text.size();) {
    const auto rest = std::span(text.data() + done, text.size() - done);
    done += ar.read(std::as_writable_bytes(rest));
  }
  const std::size_t line = text.find('\n');
  const std::string version = text.substr(0, line);
  const bool digits = version.size() > 2 &&
                      version.find_first_not_of("0123456789", 2) == std::string::npos;
  if (line == std::string::npos || !version.starts_with("2.") || !digits) {
    refuse("the package's format is not 2.0");
  }
}

// The next member that is not to be ignored.
std::optional<Member> next_member(ArReader& ar) {
  std::uint64_t ignored = 0;
  while (auto member = ar.next()) {
    if (!member->name.starts_with('_')) return member;
    ignored += member->size + k_header_size;
    if (ignored > k_max_ignored) refuse("the package has too many members to ignore");
  }
  return std::nullopt;
}

void read_part(ArReader& ar, std::string_view part, const oci::ArchiveLimits& limits,
               const std::string& name, const DebPart& take) {
  const auto member = next_member(ar);
  if (!member) refuse(fmt::format("the package has no {}", part));
  if (!is_part(*member, part)) {
    refuse(fmt::format("the package has a member '{}' where {} belongs", member->name,
                       part));
  }
  const auto reader =
      oci::read_archive(std::make_unique<MemberSource>(ar, probe(ar, *member, part)),
                        fmt::format("{} ({})", name, member->name), limits);
  take(*reader);
  while (reader->next()) {
  }
}

}  // namespace

std::string control_file_of(std::unique_ptr<oci::Source> from, const std::string& name) {
  std::optional<std::string> text;
  const auto take = [&](oci::ArchiveReader& reader) {
    while (const auto entry = reader.next()) {
      if (entry->path != "control" || entry->type != oci::FileType::regular) continue;
      text = oci::read_all(reader.content(), k_max_control, "control");
    }
  };
  oci::during([&] { return "reading the Debian package " + name; },
              [&] {
                ArReader ar(*from);
                const auto format = ar.next();
                if (!format) refuse("the package is empty");
                check_format(ar, *format);
                read_part(ar, "control.tar", k_control_limits, name, take);
                if (!text) refuse("the package has no control file");
              });
  return std::move(*text);
}

void read_deb(std::unique_ptr<oci::Source> from, const std::string& name,
              const DebPart& control, const DebPart& data) {
  oci::during(
      [&] { return "reading the Debian package " + name; },
      [&] {
        ArReader ar(*from);
        const auto format = ar.next();
        if (!format) refuse("the package is empty");
        check_format(ar, *format);
        read_part(ar, "control.tar", k_control_limits, name, control);
        read_part(ar, "data.tar", {}, name, data);
        if (const auto more = next_member(ar)) {
          refuse(fmt::format("the package has an unexpected member '{}'", more->name));
        }
      });
}

}  // namespace lithify
