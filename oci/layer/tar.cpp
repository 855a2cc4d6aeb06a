#include "oci/layer/tar.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>

#include <fmt/format.h>

#include "oci/base/error.h"

namespace oci {

namespace {

constexpr std::uint64_t k_max_octal_7 = 07777777;       // 2097151, an eight byte field
constexpr std::uint64_t k_max_octal_11 = 077777777777;  // 8 GiB - 1, a twelve byte field
constexpr std::uint32_t k_nanoseconds = 1'000'000'000;  // of a second
constexpr std::string_view k_whiteout = ".wh.";
constexpr std::string_view k_opaque = ".wh..wh..opq";
constexpr std::string_view k_pax_name = "PaxHeader";

// POSIX.1-2017, pax, "ustar Header Block". Fields are bytes, so nothing pads them.
struct UstarBlock {
  std::array<char, 100> name;
  std::array<char, 8> mode;
  std::array<char, 8> uid;
  std::array<char, 8> gid;
  std::array<char, 12> size;
  std::array<char, 12> mtime;
  std::array<char, 8> checksum;
  char type;
  std::array<char, 100> link;
  std::array<char, 8> magic;
  std::array<char, 32> user;
  std::array<char, 32> group;
  std::array<char, 8> major;
  std::array<char, 8> minor;
  std::array<char, 155> prefix;
  std::array<char, 12> rest;
};
static_assert(sizeof(UstarBlock) == k_tar_block);

// A member's header before it is bytes. Records stand in byte order of their keywords,
// which is the order they are written in.
struct Header {
  UstarBlock block{};
  std::map<std::string, std::string> pax;
};

template <std::size_t N>
void put_octal(std::array<char, N>& field, std::uint64_t value) {
  const std::string digits = fmt::format("{:0{}o}", value, N - 1);
  std::memcpy(field.data(), digits.data(), N - 1);
}

// Text that fills its field has no NUL after it; longer text is cut.
template <std::size_t N>
void put_text(std::array<char, N>& field, std::string_view text) {
  std::memcpy(field.data(), text.data(), std::min(N, text.size()));
}

// A number, or 0 and a pax record where it does not fit.
template <std::size_t N>
void put_number(Header& header, std::array<char, N>& field, const char* keyword,
                std::int64_t value) {
  const std::uint64_t most = N == 8 ? k_max_octal_7 : k_max_octal_11;
  const bool fits = value >= 0 && static_cast<std::uint64_t>(value) <= most;
  put_octal(field, fits ? static_cast<std::uint64_t>(value) : 0);
  if (!fits) header.pax[keyword] = std::to_string(value);
}

// The field has the whole second before; readers that know no pax take that.
void put_mtime(Header& header, const Entry& entry) {
  const std::int64_t seconds = entry.attributes.mtime;
  put_number(header, header.block.mtime, "mtime", seconds);
  const std::uint32_t fraction = entry.mtime_fraction;
  if (fraction == 0) return;
  if (seconds >= 0) {
    header.pax["mtime"] = fmt::format("{}.{:09}", seconds, fraction);
  } else {  // -1.25 is 0.75 after -2
    header.pax["mtime"] =
        fmt::format("-{}.{:09}", -(seconds + 1), k_nanoseconds - fraction);
  }
}

void put_name(Header& header, std::string_view name) {
  if (name.size() <= header.block.name.size()) return put_text(header.block.name, name);
  // The last slash that leaves a prefix of at most 155 bytes and a name of at least one.
  const std::size_t slash = name.substr(0, name.size() - 1).rfind('/', 155);
  if (slash != std::string_view::npos && slash > 0 &&
      name.size() - slash - 1 <= header.block.name.size()) {
    put_text(header.block.prefix, name.substr(0, slash));
    put_text(header.block.name, name.substr(slash + 1));
    return;
  }
  put_text(header.block.name, name);
  header.pax["path"] = name;
}

void put_link(Header& header, std::string_view link) {
  put_text(header.block.link, link);
  if (link.size() > header.block.link.size()) header.pax["linkpath"] = link;
}

void put_xattrs(Header& header, const Entry& entry) {
  for (const auto& [name, value] : entry.attributes.xattrs) {
    // Labels of the machine that built the layer mean nothing on the one that runs it.
    if (name.rfind("security.", 0) == 0 && name != "security.capability") continue;
    if (name.empty() || name.find_first_of(std::string_view("=\0\n", 3)) != name.npos) {
      throw Error(Errc::bad_input,
                  fmt::format("the extended attribute `{}` of {} has a name that tar "
                              "cannot hold",
                              name, entry.path));
    }
    header.pax["SCHILY.xattr." + name] = value;
  }
}

void put_devices(Header& header, const Entry& entry) {
  if (entry.device_major > k_max_octal_7 || entry.device_minor > k_max_octal_7) {
    throw Error(Errc::bad_input,
                fmt::format("the device number {}:{} of {} is larger than tar can hold",
                            entry.device_major, entry.device_minor, entry.path));
  }
  put_octal(header.block.major, entry.device_major);
  put_octal(header.block.minor, entry.device_minor);
}

// What every block has, whatever it is for.
void finish_block(UstarBlock& block) {
  put_text(block.magic, std::string_view("ustar\0"
                                         "00",
                                         8));
  block.checksum.fill(' ');
  std::array<unsigned char, k_tar_block> bytes{};
  std::memcpy(bytes.data(), &block, k_tar_block);
  unsigned sum = 0;
  for (const unsigned char byte : bytes)
    sum += byte;
  const std::string digits = fmt::format("{:06o}", sum);
  std::memcpy(block.checksum.data(), digits.data(), 6);
  block.checksum[6] = '\0';
}

void append_block(std::string& to, UstarBlock& block) {
  finish_block(block);
  const std::size_t at = to.size();
  to.resize(at + k_tar_block);
  std::memcpy(to.data() + at, &block, k_tar_block);
}

// "LENGTH KEYWORD=VALUE\n"; LENGTH counts itself.
std::string pax_record(std::string_view keyword, std::string_view value) {
  const std::size_t rest = keyword.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (rest + std::to_string(length).size() != length)
    length = rest + std::to_string(length).size();
  return fmt::format("{} {}={}\n", length, keyword, value);
}

void append_pax(std::string& to, const Header& header) {
  std::string records;
  for (const auto& [keyword, value] : header.pax)
    records += pax_record(keyword, value);
  UstarBlock block{};
  put_text(block.name, k_pax_name);
  put_octal(block.mode, 0644);
  put_octal(block.uid, 0);
  put_octal(block.gid, 0);
  put_octal(block.size, records.size());
  put_octal(block.mtime, 0);
  put_octal(block.major, 0);
  put_octal(block.minor, 0);
  block.type = 'x';
  append_block(to, block);
  to += records;
  to.append(tar_padding(records.size()), '\0');
}

char type_flag(FileType type) {
  switch (type) {
    case FileType::hardlink:
      return '1';
    case FileType::symlink:
      return '2';
    case FileType::char_device:
      return '3';
    case FileType::block_device:
      return '4';
    case FileType::directory:
      return '5';
    case FileType::fifo:
      return '6';
    case FileType::regular:
    case FileType::whiteout:
    case FileType::opaque:
      return '0';
  }
  throw Error(Errc::internal, "an entry of no known type");
}

bool is_whiteout(const Entry& entry) {
  return entry.type == FileType::whiteout || entry.type == FileType::opaque;
}

bool has_whiteout_name(std::string_view path) {
  return path.rfind(k_whiteout, 0) == 0 || path.find("/.wh.") != path.npos;
}

[[noreturn]] void reject(const Entry& entry, std::string_view reason) {
  throw Error(Errc::internal,
              fmt::format("entry `{}` of a layer {}", entry.path, reason));
}

void check_entry(const Entry& entry, TarOf of) {
  const std::string& path = entry.path;
  if (!is_clean_path(path)) reject(entry, "has no clean path");
  const bool may_be_root =
      entry.type == FileType::directory || entry.type == FileType::opaque;
  if (path.empty() && !may_be_root) reject(entry, "is the root and no directory");
  if (of == TarOf::layer && has_whiteout_name(path)) {
    reject(entry, "has the name of a whiteout");
  }
  if (entry.mtime_fraction >= (of == TarOf::layer ? 1 : k_nanoseconds)) {
    reject(entry, "has a fraction of a second that it may not have");
  }
  if (entry.attributes.mode > 07777) reject(entry, "has more than permission bits");
  if (entry.size != 0 && entry.type != FileType::regular) reject(entry, "has content");
  if (entry.size > INT64_MAX) reject(entry, "is larger than a file can be");
  const bool links = entry.type == FileType::symlink || entry.type == FileType::hardlink;
  if (links == entry.link.empty()) reject(entry, links ? "links nowhere" : "is no link");
  if (entry.link.find('\0') != path.npos) reject(entry, "has a NUL in its link");
  // Order makes the first name of a file the one with its content.
  if (entry.type == FileType::hardlink &&
      (!is_clean_path(entry.link) || entry.link >= path)) {
    reject(entry,
           fmt::format("is a hard link to `{}`, which is not earlier", entry.link));
  }
}

void put_attributes(Header& header, const Entry& entry) {
  UstarBlock& block = header.block;
  // A whiteout is a name and nothing else.
  const Attributes& attributes = is_whiteout(entry) ? Attributes{} : entry.attributes;
  put_octal(block.mode, is_whiteout(entry) ? 0 : attributes.mode);
  put_number(header, block.uid, "uid", attributes.uid);
  put_number(header, block.gid, "gid", attributes.gid);
  put_mtime(header, entry);
  put_number(header, block.size, "size", static_cast<std::int64_t>(entry.size));
  // Attributes belong to the file; its first name has told them.
  if (!is_whiteout(entry) && entry.type != FileType::hardlink) put_xattrs(header, entry);
}

}  // namespace

bool is_clean_path(std::string_view path) {
  if (path.empty()) return true;
  if (path.find('\0') != path.npos) return false;
  for (;;) {
    const std::size_t slash = path.find('/');
    const std::string_view component = path.substr(0, slash);
    if (component.empty() || component == "." || component == "..") return false;
    if (slash == path.npos) return true;
    path.remove_prefix(slash + 1);
  }
}

bool is_utf8(std::string_view text) {
  const auto* at = reinterpret_cast<const unsigned char*>(text.data());
  const auto* const end = at + text.size();
  while (at != end) {
    const unsigned first = *at++;
    if (first < 0x80) continue;
    const int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    if (first < 0xc2 || first > 0xf4 || end - at < more) return false;
    std::uint32_t point = first & (0x3fU >> more);
    for (int i = 0; i < more; ++i, ++at) {
      if ((*at & 0xc0) != 0x80) return false;
      point = point << 6 | (*at & 0x3fU);
    }
    constexpr std::array<std::uint32_t, 4> k_least{0, 0x80, 0x800, 0x10000};
    if (point < k_least[static_cast<std::size_t>(more)] || point > 0x10ffff ||
        (point >= 0xd800 && point < 0xe000)) {
      return false;
    }
  }
  return true;
}

std::string member_path(const Entry& entry) {
  const std::string& path = entry.path;
  if (entry.type == FileType::opaque) {
    return path.empty() ? std::string(k_opaque) : fmt::format("{}/{}", path, k_opaque);
  }
  if (entry.type != FileType::whiteout) return path;
  const std::size_t name = path.rfind('/') + 1;  // npos + 1 is 0
  return fmt::format("{}{}{}", path.substr(0, name), k_whiteout, path.substr(name));
}

std::string tar_header(const Entry& entry, TarOf of) {
  check_entry(entry, of);
  Header header;
  std::string name = member_path(entry);
  if (entry.type == FileType::directory) name += name.empty() ? "./" : "/";
  put_name(header, name);
  put_link(header, entry.link);
  put_attributes(header, entry);
  put_devices(header, entry);
  header.block.type = type_flag(entry.type);
  for (const char* keyword : {"path", "linkpath"}) {
    const auto text = header.pax.find(keyword);
    if (text != header.pax.end() && !is_utf8(text->second)) {
      header.pax["hdrcharset"] = "BINARY";
    }
  }
  std::string bytes;
  if (!header.pax.empty()) append_pax(bytes, header);
  append_block(bytes, header.block);
  return bytes;
}

}  // namespace oci
