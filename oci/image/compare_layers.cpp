// compare_layers: ours ascend by path, so two streams and no memory suffice; what others
// wrote may stand in any order.
#include "oci/image/compare_layers.h"

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/image/tar_place.h"
#include "oci/layer/decompress.h"
#include "oci/layer/layer_reader.h"
#include "oci/layer/tar.h"

namespace oci {

namespace {

using Kind = ImageDifference::Kind;
using Tell = std::function<void(ImageDifference)>;

constexpr std::size_t k_max_unordered = 500'000;
constexpr std::size_t k_max_placed = 16;  // contents of unordered layers that get offsets
constexpr std::size_t k_head = 16;

const char* name_of(FileType type) {
  switch (type) {
    case FileType::regular:
      return "file";
    case FileType::directory:
      return "directory";
    case FileType::symlink:
      return "symlink";
    case FileType::hardlink:
      return "hard link";
    case FileType::char_device:
      return "character device";
    case FileType::block_device:
      return "block device";
    case FileType::fifo:
      return "fifo";
    case FileType::whiteout:
      return "whiteout";
    case FileType::opaque:
      return "opaque mark";
  }
  return "member";
}

// As much as there is, up to the size of `into`.
std::size_t read_fully(Source& from, std::span<std::byte> into) {
  std::size_t have = 0;
  while (have < into.size()) {
    const std::size_t got = from.read(into.subspan(have));
    if (got == 0) break;
    have += got;
  }
  return have;
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Where two streams part. `first` and `second` hold what each has from there on.
struct Parting {
  std::uint64_t offset = 0;
  std::string before;
  std::string first;
  std::string second;
  std::string head;
};

// nullopt: they do not. Reads both to the end then, else a little further than the place.
class PartingSearch {
 public:
  PartingSearch(Source& first, Source& second, const std::stop_token& stop)
      : first_(first), second_(second), stop_(stop) {}

  std::optional<Parting> run() {
    for (;;) {
      if (stop_.stop_requested()) throw Cancelled();
      const std::size_t a = read_fully(first_, a_);
      const std::size_t b = read_fully(second_, b_);
      if (parting_.offset == 0)
        parting_.head = text_of(std::span(a_).first(std::min(a, k_head)));
      const std::size_t both = std::min(a, b);
      const auto place = std::mismatch(a_.begin(), a_.begin() + both, b_.begin()).first;
      const auto same = static_cast<std::size_t>(place - a_.begin());
      if (same < both || a != b) return found(same, a, b);
      if (a < a_.size()) return std::nullopt;
      remember(same);
    }
  }

 private:
  Parting found(std::size_t at, std::size_t a, std::size_t b) {
    remember(at);
    parting_.first = excerpt(first_, std::span(a_).first(a).subspan(at));
    parting_.second = excerpt(second_, std::span(b_).first(b).subspan(at));
    return std::move(parting_);
  }

  void remember(std::size_t same) {
    parting_.offset += same;
    const std::size_t tail = std::min(same, ImageDifference::k_excerpt);
    parting_.before += text_of(std::span(a_).first(same).last(tail));
    if (parting_.before.size() > ImageDifference::k_excerpt)
      parting_.before.erase(0, parting_.before.size() - ImageDifference::k_excerpt);
  }

  static std::string excerpt(Source& more, std::span<const std::byte> have) {
    constexpr std::size_t k_size = ImageDifference::k_excerpt;
    std::string text = text_of(have.first(std::min(have.size(), k_size)));
    std::array<std::byte, k_size> rest{};
    if (text.size() < k_size) {
      const auto wanted = std::span(rest).first(k_size - text.size());
      text += text_of(wanted.first(read_fully(more, wanted)));
    }
    return text;
  }

  Source& first_;
  Source& second_;
  const std::stop_token& stop_;
  std::vector<std::byte> a_ = std::vector<std::byte>(64 * 1024);
  std::vector<std::byte> b_ = std::vector<std::byte>(64 * 1024);
  Parting parting_;
};

ImageDifference content_difference(const std::string& path, Parting parting) {
  ImageDifference difference;
  difference.kind = Kind::content;
  difference.path = path;
  difference.offset = parting.offset;
  difference.before = std::move(parting.before);
  difference.head = std::move(parting.head);
  difference.first = std::move(parting.first);
  difference.second = std::move(parting.second);
  return difference;
}

// The fields of two members of one path.
class HeaderComparison {
 public:
  HeaderComparison(const std::string& path, const Tell& tell)
      : path_(path), tell_(tell) {}

  void run(const Entry& a, const Entry& b) const {
    field("type", std::string(name_of(a.type)), std::string(name_of(b.type)));
    field("mode", octal(a), octal(b));
    field("uid", std::to_string(a.attributes.uid), std::to_string(b.attributes.uid));
    field("gid", std::to_string(a.attributes.gid), std::to_string(b.attributes.gid));
    field("mtime", std::to_string(a.attributes.mtime),
          std::to_string(b.attributes.mtime));
    field("linkname", a.link, b.link);
    field("device", device(a), device(b));
    if (a.type == FileType::regular && b.type == FileType::regular)
      field("size", std::to_string(a.size), std::to_string(b.size));
    xattrs(a.attributes.xattrs, b.attributes.xattrs);
  }

 private:
  static std::string octal(const Entry& entry) {
    return fmt::format("{:04o}", entry.attributes.mode);
  }
  static std::string device(const Entry& entry) {
    return fmt::format("{}:{}", entry.device_major, entry.device_minor);
  }

  void field(const std::string& name, std::optional<std::string> a,
             std::optional<std::string> b) const {
    if (a == b) return;
    ImageDifference difference;
    difference.kind = Kind::header;
    difference.path = path_;
    difference.field = name;
    difference.first = std::move(a);
    difference.second = std::move(b);
    tell_(std::move(difference));
  }

  void xattrs(const Xattrs& a, const Xattrs& b) const {
    std::map<std::string,
             std::pair<std::optional<std::string>, std::optional<std::string>>>
        all;
    for (const auto& [name, value] : a)
      all[std::string(name)].first = std::string(value);
    for (const auto& [name, value] : b)
      all[std::string(name)].second = std::string(value);
    for (auto& [name, values] : all)
      field("SCHILY.xattr." + name, std::move(values.first), std::move(values.second));
  }

  const std::string& path_;
  const Tell& tell_;
};

ImageDifference member_difference(const std::string& path, const Entry* a,
                                  const Entry* b) {
  ImageDifference difference;
  difference.kind = Kind::member;
  difference.path = path;
  if (a != nullptr) difference.first = name_of(a->type);
  if (b != nullptr) difference.second = name_of(b->type);
  return difference;
}

// A layer, one member at a time.
class Cursor {
 public:
  Cursor(const OpenLayer& open, const std::string& name)
      : reader_(read_layer(open(), name)) {
    next();
  }

  bool at_end() const { return !entry_; }
  bool in_order() const { return in_order_; }
  const Entry& entry() const { return *entry_; }
  const std::string& path() const { return path_; }
  Source& content() { return reader_->content(); }

  void next() {
    entry_ = reader_->next();
    if (!entry_) return;
    std::string path = member_path(*entry_);
    if (!first_ && path <= path_) in_order_ = false;
    first_ = false;
    path_ = std::move(path);
  }

 private:
  std::unique_ptr<ArchiveReader> reader_;
  std::optional<Entry> entry_;
  std::string path_;
  bool first_ = true;
  bool in_order_ = true;
};

bool both_regular(const Entry& a, const Entry& b) {
  return a.type == FileType::regular && b.type == FileType::regular;
}

bool ascends(const OpenLayer& open, const ComparedLayers& layers) {
  Cursor cursor(open, layers.name);
  while (!cursor.at_end() && cursor.in_order()) {
    if (layers.stop.stop_requested()) throw Cancelled();
    cursor.next();
  }
  return cursor.in_order();
}

void compare_ascending(const ComparedLayers& layers, const Tell& tell) {
  Cursor a(layers.first, layers.name);
  Cursor b(layers.second, layers.name);
  while (!(a.at_end() && b.at_end())) {
    if (layers.stop.stop_requested()) throw Cancelled();
    if (b.at_end() || (!a.at_end() && a.path() < b.path())) {
      tell(member_difference(a.path(), &a.entry(), nullptr));
      a.next();
    } else if (a.at_end() || b.path() < a.path()) {
      tell(member_difference(b.path(), nullptr, &b.entry()));
      b.next();
    } else {
      HeaderComparison(a.path(), tell).run(a.entry(), b.entry());
      if (both_regular(a.entry(), b.entry())) {
        auto parting = PartingSearch(a.content(), b.content(), layers.stop).run();
        if (parting) tell(content_difference(a.path(), std::move(*parting)));
      }
      a.next();
      b.next();
    }
  }
}

// A member without its place among others. Of one that is there twice the last counts.
struct Known {
  Entry entry;
  Digest content;
};
using KnownMembers = std::map<std::string, Known>;

KnownMembers members_of(const OpenLayer& open, const std::string& name,
                        const std::stop_token& stop) {
  KnownMembers members;
  const auto reader = read_layer(open(), name);
  while (const auto entry = reader->next()) {
    if (stop.stop_requested()) throw Cancelled();
    NullSink nowhere;
    HashingSink hash(nowhere);
    copy(reader->content(), hash);
    members.insert_or_assign(member_path(*entry),
                             Known{*entry, std::move(hash).finish()});
    if (members.size() <= k_max_unordered) continue;
    throw Error(Errc::bad_input,
                fmt::format("{} has more than {} members in no order, too many to be "
                            "compared one by one",
                            name, k_max_unordered));
  }
  return members;
}

// Reads on to the content of a member that is there.
std::unique_ptr<ArchiveReader> reader_at(const OpenLayer& open, const std::string& name,
                                         const std::string& path) {
  auto reader = read_layer(open(), name);
  while (const auto entry = reader->next()) {
    if (member_path(*entry) == path) return reader;
  }
  throw Error(Errc::mismatch, name + " changed while it was read");
}

void compare_unordered(const ComparedLayers& layers, const Tell& tell) {
  const KnownMembers a = members_of(layers.first, layers.name, layers.stop);
  const KnownMembers b = members_of(layers.second, layers.name, layers.stop);
  std::size_t placed = 0;
  for (const auto& [path, known] : a) {
    const auto other = b.find(path);
    if (other == b.end()) {
      tell(member_difference(path, &known.entry, nullptr));
      continue;
    }
    HeaderComparison(path, tell).run(known.entry, other->second.entry);
    if (!both_regular(known.entry, other->second.entry)) continue;
    if (known.content == other->second.content) continue;
    Parting parting;
    if (++placed <= k_max_placed) {
      const auto first = reader_at(layers.first, layers.name, path);
      const auto second = reader_at(layers.second, layers.name, path);
      parting = PartingSearch(first->content(), second->content(), layers.stop)
                    .run()
                    .value_or(Parting{});
    }
    tell(content_difference(path, std::move(parting)));
  }
  for (const auto& [path, known] : b) {
    if (a.count(path) == 0) tell(member_difference(path, nullptr, &known.entry));
  }
}

std::unique_ptr<Source> tar_of(const OpenLayer& open, const std::string& name) {
  return decompressed(open(), Filters::layer, name, {});
}

ImageDifference framing(const ComparedLayers& layers, Parting parting) {
  ImageDifference difference = content_difference("", std::move(parting));
  difference.kind = Kind::framing;
  difference.head.clear();
  const auto place = [&](const OpenLayer& open) {
    return tar_place(*tar_of(open, layers.name), difference.offset);
  };
  TarPlace found = place(layers.first);
  if (found.field == "end of the tar") found = place(layers.second);
  difference.path = found.member;
  difference.field = found.field;
  return difference;
}

}  // namespace

void compare_layers(const ComparedLayers& layers, const Tell& tell) {
  const auto first = tar_of(layers.first, layers.name);
  const auto second = tar_of(layers.second, layers.name);
  auto parting = PartingSearch(*first, *second, layers.stop).run();
  if (!parting) {
    ImageDifference encoding;
    encoding.kind = Kind::encoding;
    return tell(std::move(encoding));
  }
  bool any = false;
  const Tell collect = [&](ImageDifference difference) {
    any = true;
    tell(std::move(difference));
  };
  if (ascends(layers.first, layers) && ascends(layers.second, layers)) {
    compare_ascending(layers, collect);
  } else {
    compare_unordered(layers, collect);
  }
  if (!any) tell(framing(layers, std::move(*parting)));
}

}  // namespace oci
