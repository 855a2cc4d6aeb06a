#include "oci/layer/tar_reader.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <set>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/layer/tar.h"

namespace oci {

namespace {

// Where a field of POSIX.1-2017's "ustar Header Block" stands.
struct Field {
  std::size_t offset;
  std::size_t length;
};
constexpr Field k_name{0, 100};
constexpr Field k_mode{100, 8};
constexpr Field k_uid{108, 8};
constexpr Field k_gid{116, 8};
constexpr Field k_size{124, 12};
constexpr Field k_mtime{136, 12};
constexpr Field k_checksum{148, 8};
constexpr std::size_t k_type = 156;
constexpr Field k_link{157, 100};
constexpr Field k_magic{257, 6};
constexpr Field k_major{329, 8};
constexpr Field k_minor{337, 8};
constexpr Field k_prefix{345, 155};

constexpr std::uint64_t k_max_octal_11 = 077777777777;
constexpr std::string_view k_xattr = "SCHILY.xattr.";

using Block = std::array<char, 512>;

std::string_view field(const Block& block, Field where) {
  return {block.data() + where.offset, where.length};
}

// Up to the first NUL, or all of it.
std::string text(const Block& block, Field where) {
  const std::string_view all = field(block, where);
  return std::string(all.substr(0, all.find('\0')));
}

template <class Number>
std::optional<Number> decimal(std::string_view digits) {
  Number value{};
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

struct Moment {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
};

// "-1.5" is half a second after -2: whole seconds are the largest that are not later.
// Digits behind the ninth do not count, but for being there: "-0.0000000001" is -1.
std::optional<Moment> moment(std::string_view value) {
  constexpr std::uint32_t k_second = 1'000'000'000;
  const std::size_t point = value.find('.');
  const auto whole = decimal<std::int64_t>(value.substr(0, point));
  if (!whole) return std::nullopt;
  if (point == value.npos) return Moment{*whole, 0};
  const std::string_view fraction = value.substr(point + 1);
  if (fraction.find_first_not_of("0123456789") != value.npos) return std::nullopt;
  std::string digits(fraction.substr(0, 9));
  digits.resize(9, '0');
  const std::uint32_t nanoseconds = decimal<std::uint32_t>(digits).value();
  const bool any = fraction.find_first_not_of('0') != fraction.npos;
  if (value.front() != '-' || !any || *whole == INT64_MIN)
    return Moment{*whole, nanoseconds};
  return Moment{*whole - 1, nanoseconds == 0 ? k_second - 1 : k_second - nanoseconds};
}

// Two's complement in base 256, marked by the top bit of its first byte (GNU tar).
std::optional<std::int64_t> base_256(std::string_view digits) {
  const bool negative = (digits.front() & 0x40) != 0;
  std::int64_t value = negative ? -1 : 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    unsigned digit = static_cast<unsigned char>(digits[i]);
    if (i == 0) digit = negative ? digit | 0x80 : digit & 0x7f;
    if (value > INT64_MAX >> 8 || value < INT64_MIN >> 8) return std::nullopt;
    value = value * 256 + digit;
  }
  return value;
}

// Octal digits with spaces before and spaces or NULs after; nothing at all is 0.
std::optional<std::int64_t> octal(std::string_view digits) {
  const std::size_t first = digits.find_first_not_of(' ');
  if (first == digits.npos) return 0;
  digits.remove_prefix(first);
  const std::size_t end = digits.find_first_of(std::string_view(" \0", 2));
  const std::string_view rest = end == digits.npos ? "" : digits.substr(end);
  if (rest.find_first_not_of(std::string_view(" \0", 2)) != rest.npos)
    return std::nullopt;
  digits = digits.substr(0, end);
  std::int64_t value = 0;
  for (const char digit : digits) {
    if (digit < '0' || digit > '7') return std::nullopt;
    value = value * 8 + (digit - '0');  // at most 12 digits: no overflow
  }
  return value;
}

std::optional<FileType> type_of(char flag) {
  switch (flag) {
    case '\0':
    case '0':
    case '7':  // contiguous: an ordinary file to everyone
      return FileType::regular;
    case '1':
      return FileType::hardlink;
    case '2':
      return FileType::symlink;
    case '3':
      return FileType::char_device;
    case '4':
      return FileType::block_device;
    case '5':
      return FileType::directory;
    case '6':
      return FileType::fifo;
    default:
      return std::nullopt;
  }
}

bool is_sparse_keyword(std::string_view keyword) {
  return keyword.rfind("GNU.sparse.", 0) == 0 || keyword == "SUN.holesdata" ||
         keyword == "SCHILY.realsize";
}

// Whether a record changes what we take from a member.
bool matters(std::string_view keyword) {
  static const std::set<std::string_view> k_used{"path", "linkpath", "size",      "uid",
                                                 "gid",  "mtime",    "hdrcharset"};
  return k_used.count(keyword) != 0 || keyword.rfind(k_xattr, 0) == 0 ||
         is_sparse_keyword(keyword);
}

bool checksum_fits(const Block& block) {
  std::int64_t plain = 0;
  std::int64_t with_sign = 0;  // old tars summed their platform's char
  for (std::size_t i = 0; i < block.size(); ++i) {
    const bool own = i >= k_checksum.offset && i < k_checksum.offset + k_checksum.length;
    const char byte = own ? ' ' : block[i];
    plain += static_cast<unsigned char>(byte);
    with_sign += static_cast<signed char>(byte);
  }
  const std::optional<std::int64_t> stored = octal(field(block, k_checksum));
  return stored && (*stored == plain || *stored == with_sign);
}

bool is_zero(char c) {
  return c == '\0';
}

}  // namespace

bool begins_as_tar(std::string_view first) {
  Block block{};
  if (first.size() < block.size()) return first.empty();
  std::copy_n(first.begin(), block.size(), block.begin());
  return std::all_of(block.begin(), block.end(), is_zero) || checksum_fits(block);
}

TarReader::TarReader(Source& from, std::string name, const ArchiveLimits& limits)
    : from_(from), name_(std::move(name)), limits_(limits) {}

void TarReader::refuse(const std::string& what) const {
  throw Error(Errc::bad_input,
              fmt::format("{}: {} (header at byte {})", name_, what, position_));
}

// False at the end of the input, which is no place to stop inside a block.
bool TarReader::read_block(Block& block) {
  std::size_t have = 0;
  while (have < block.size()) {
    const std::size_t got =
        from_.read(std::as_writable_bytes(std::span(block)).subspan(have));
    if (got == 0) break;
    have += got;
  }
  if (have == 0) return false;
  if (have < block.size()) refuse("ends in the middle of a block");
  return true;
}

std::size_t TarReader::read(std::span<std::byte> into) {
  const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(left_, into.size()));
  if (want == 0) return 0;
  const std::size_t got = from_.read(into.first(want));
  if (got == 0) refuse(fmt::format("ends {} bytes before its last member does", left_));
  left_ -= got;
  position_ += got;
  return got;
}

void TarReader::drain() {
  std::array<std::byte, 16 * 1024> ignored{};
  while (from_.read(ignored) != 0) {
  }
}

std::optional<Entry> TarReader::next() {
  std::array<std::byte, 16 * 1024> ignored{};
  while (read(ignored) != 0) {
  }
  if (ended_) return std::nullopt;
  left_ = std::exchange(padding_, 0);
  while (read(ignored) != 0) {
  }
  Extensions extensions;
  for (;;) {
    Block block{};
    if (!read_block(block) || at_end_mark(block)) {
      ended_ = true;
      if (extensions.any()) refuse("an extended header without a member");
      drain();
      return std::nullopt;
    }
    if (!checksum_fits(block)) refuse("no tar header: its checksum is wrong");
    if (std::strchr("xgLK", block[k_type]) != nullptr && block[k_type] != '\0') {
      add_extension(block, extensions);
      continue;
    }
    Entry entry = member(block, extensions);
    position_ += block.size();
    left_ = entry.size;
    padding_ = tar_padding(entry.size);
    return entry;
  }
}

// Two zero blocks end a tar; so does one with nothing behind it. Some readers stop at a
// lone one and some go on, so it hides members.
bool TarReader::at_end_mark(const Block& block) {
  if (!std::all_of(block.begin(), block.end(), is_zero)) return false;
  saw_end_mark_ = true;
  Block second{};
  if (read_block(second) && !std::all_of(second.begin(), second.end(), is_zero)) {
    refuse("a lone zero block in front of another member");
  }
  return true;
}

std::int64_t TarReader::number(const Block& block, std::size_t offset,
                               std::size_t length) const {
  const std::string_view digits = field(block, {offset, length});
  const bool binary = (digits.front() & 0x80) != 0;
  const std::optional<std::int64_t> value = binary ? base_256(digits) : octal(digits);
  if (!value) refuse("a number that is not well-formed");
  return *value;
}

std::uint64_t TarReader::size_of(const Block& block) const {
  const std::int64_t size = number(block, k_size.offset, k_size.length);
  if (size < 0) refuse("a size below zero");
  return static_cast<std::uint64_t>(size);
}

std::string TarReader::read_extension(const Block& block, std::uint64_t limit) {
  const std::uint64_t size = size_of(block);
  if (size > limit) {
    refuse(fmt::format("an extended header of {} bytes, the limit is {}", size, limit));
  }
  position_ += block.size();
  left_ = size;
  std::string content(static_cast<std::size_t>(size), '\0');
  std::span<std::byte> rest = std::as_writable_bytes(std::span(content));
  while (!rest.empty())
    rest = rest.subspan(read(rest));
  std::array<std::byte, 512> padding{};
  left_ = tar_padding(size);
  while (read(padding) != 0) {
  }
  return content;
}

void TarReader::add_extension(const Block& block, Extensions& extensions) {
  const char type = block[k_type];
  const std::uint64_t pax_limit = limits_.xattrs + 2 * limits_.path + 65'536;
  if (type == 'g') {
    if (extensions.any()) refuse("a global header between a member's own headers");
    return check_global(parse_pax(read_extension(block, pax_limit)));
  }
  if (type == 'x') {
    // Readers disagree on whose size counts when both kinds of header are there.
    if (extensions.any()) refuse("two extended headers for one member");
    extensions.pax = parse_pax(read_extension(block, pax_limit));
    extensions.has_pax = true;
    return;
  }
  std::optional<std::string>& to =
      type == 'L' ? extensions.long_name : extensions.long_link;
  if (extensions.has_pax || to) refuse("two extended headers for one member");
  std::string long_text = read_extension(block, limits_.path + 1);
  long_text.resize(std::min(long_text.size(), long_text.find('\0')));
  to = std::move(long_text);
}

// "LENGTH KEYWORD=VALUE\n", LENGTH counting all of it.
TarReader::PaxRecords TarReader::parse_pax(std::string_view text) const {
  PaxRecords records;
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    const std::optional<std::size_t> length =
        decimal<std::size_t>(text.substr(0, std::min(space, text.size())));
    if (!length || *length > text.size() || *length < space + 3 ||
        text[*length - 1] != '\n') {
      refuse("a pax record that is not well-formed");
    }
    const std::string_view record = text.substr(space + 1, *length - space - 2);
    const std::size_t equals = record.find('=');
    if (equals == 0 || equals == record.npos) refuse("a pax record without a keyword");
    const std::string_view keyword = record.substr(0, equals);
    if (is_sparse_keyword(keyword)) refuse("a sparse member");
    if (!records.emplace(keyword, record.substr(equals + 1)).second) {
      refuse(fmt::format("two pax records `{}` for one member", keyword));
    }
    text.remove_prefix(*length);
  }
  return records;
}

// Only what readers agree to ignore, like the comment git writes.
void TarReader::check_global(const PaxRecords& records) const {
  for (const auto& record : records) {
    if (matters(record.first)) {
      refuse(fmt::format("a global pax header that sets `{}`", record.first));
    }
  }
}

Entry TarReader::member(const Block& block, Extensions& extensions) const {
  Entry entry;
  const char flag = block[k_type];
  const std::optional<FileType> type = type_of(flag);
  if (flag == 'S') refuse("a sparse member");
  if (!type) refuse(fmt::format("a member of the unknown type {:#04x}", flag));
  entry.type = *type;
  entry.path = text(block, k_name);
  const bool posix = field(block, k_magic) == std::string_view("ustar\0", 6);
  const std::string prefix = posix ? text(block, k_prefix) : "";
  if (!prefix.empty()) entry.path = prefix + "/" + entry.path;
  if (extensions.long_name) entry.path = std::move(*extensions.long_name);
  const bool links = *type == FileType::symlink || *type == FileType::hardlink;
  if (links) entry.link = text(block, k_link);
  if (links && extensions.long_link) entry.link = std::move(*extensions.long_link);

  const auto id = [&](Field where) {
    const std::int64_t value = number(block, where.offset, where.length);
    if (value < 0 || value > UINT32_MAX) refuse("an owner or device out of range");
    return static_cast<std::uint32_t>(value);
  };
  entry.attributes.mode =
      static_cast<std::uint32_t>(number(block, k_mode.offset, k_mode.length)) & 07777U;
  entry.attributes.mtime = number(block, k_mtime.offset, k_mtime.length);
  const auto pax_owner = [&](const char* keyword, Field where) {
    const auto record = extensions.pax.find(keyword);
    if (record == extensions.pax.end()) return id(where);
    const auto value = decimal<std::uint32_t>(record->second);
    if (!value) refuse(fmt::format("a pax {} that is no number", keyword));
    return *value;
  };
  entry.attributes.uid = pax_owner("uid", k_uid);
  entry.attributes.gid = pax_owner("gid", k_gid);
  if (*type == FileType::char_device || *type == FileType::block_device) {
    entry.device_major = id(k_major);
    entry.device_minor = id(k_minor);
  }
  entry.size = size_of(block);
  apply_pax(block, extensions.pax, entry);
  // A v7 tar has no type for directories: their names end with a slash.
  if (flag == '\0' && !entry.path.empty() && entry.path.back() == '/') {
    entry.type = FileType::directory;
  }
  if (entry.size != 0 && entry.type != FileType::regular) {
    refuse(fmt::format("`{}` is no regular file but has content", entry.path));
  }
  return entry;
}

void TarReader::apply_pax(const Block& block, const PaxRecords& pax, Entry& entry) const {
  for (const auto& [keyword, value] : pax) {
    if (keyword.rfind(k_xattr, 0) == 0) {
      entry.attributes.xattrs[keyword.substr(k_xattr.size())] = value;
    } else if (keyword == "path" || keyword == "linkpath") {
      if (value.empty() || value.find('\0') != value.npos) {
        refuse(fmt::format("a pax {} that is no name", keyword));
      }
      if (keyword == "path") entry.path = value;
      if (keyword == "linkpath" && !entry.link.empty()) entry.link = value;
    } else if (keyword == "size") {
      apply_pax_size(block, value, entry);
    } else if (keyword == "mtime") {
      const std::optional<Moment> time = moment(value);
      if (!time) refuse("a pax mtime that is no time");
      entry.attributes.mtime = time->seconds;
      entry.mtime_fraction = time->nanoseconds;
    } else if (keyword == "hdrcharset" && value != "BINARY" &&
               value != "ISO-IR 10646 2000 UTF-8") {
      refuse(fmt::format("the unknown character set `{}`", value));
    }
  }
}

// A reader that ignores pax must find the next header in the same place, unless the size
// is one that its field cannot say.
void TarReader::apply_pax_size(const Block& block, std::string_view value,
                               Entry& entry) const {
  const std::optional<std::uint64_t> size = decimal<std::uint64_t>(value);
  if (!size || *size > INT64_MAX) refuse("a pax size that is no size");
  const std::uint64_t plain = size_of(block);
  const bool cannot_say =
      *size > k_max_octal_11 && (plain == 0 || plain == k_max_octal_11);
  if (plain != *size && !cannot_say) {
    refuse(fmt::format("`{}` has two sizes, {} and {}", entry.path, plain, *size));
  }
  entry.size = *size;
}

}  // namespace oci
