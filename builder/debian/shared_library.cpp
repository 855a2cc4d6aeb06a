// shared_library: as much of ELF as the dynamic section needs.
#include "builder/debian/shared_library.h"

#include <algorithm>
#include <vector>

namespace lithify {
namespace {

constexpr std::uint64_t k_max_segments = 256;
constexpr std::uint64_t k_max_dynamic = 64 << 10;
constexpr std::uint64_t k_max_name = 256;

constexpr std::uint64_t k_pt_load = 1;
constexpr std::uint64_t k_pt_dynamic = 2;
constexpr std::uint64_t k_dt_strtab = 5;
constexpr std::uint64_t k_dt_soname = 14;

// Numbers in the byte order and class that the file says.
class Fields {
 public:
  Fields(bool wide, bool big) : wide_(wide), big_(big) {}

  std::uint64_t number(const std::string& bytes, std::size_t at, std::size_t size) const {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const std::size_t index = big_ ? at + i : at + size - 1 - i;
      const auto byte =
          index < bytes.size() ? static_cast<unsigned char>(bytes[index]) : 0U;
      value = value << 8 | byte;
    }
    return value;
  }
  std::uint64_t word(const std::string& bytes, std::size_t at) const {
    return number(bytes, at, wide_ ? 8 : 4);
  }
  bool wide() const { return wide_; }

 private:
  bool wide_;
  bool big_;
};

struct Segment {
  std::uint64_t type = 0;
  std::uint64_t offset = 0;
  std::uint64_t address = 0;
  std::uint64_t size = 0;
};

std::vector<Segment> read_segments(const ReadAt& read, const Fields& fields,
                                   const std::string& header) {
  const bool wide = fields.wide();
  const std::uint64_t offset = fields.word(header, wide ? 32 : 28);
  const std::uint64_t size = fields.number(header, wide ? 54 : 42, 2);
  const std::uint64_t count =
      std::min(fields.number(header, wide ? 56 : 44, 2), k_max_segments);
  if (size < (wide ? 56U : 32U) || size > 1024) return {};
  const std::string table = read(offset, size * count);
  std::vector<Segment> segments;
  for (std::size_t at = 0; at + size <= table.size(); at += size) {
    segments.push_back({fields.number(table, at, 4),
                        fields.word(table, at + (wide ? 8 : 4)),
                        fields.word(table, at + (wide ? 16 : 8)),
                        fields.word(table, at + (wide ? 32 : 16))});
  }
  return segments;
}

std::optional<std::uint64_t> offset_of(const std::vector<Segment>& segments,
                                       std::uint64_t address) {
  for (const Segment& segment : segments) {
    if (segment.type == k_pt_load && address >= segment.address &&
        address - segment.address < segment.size) {
      return segment.offset + (address - segment.address);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> soname_of(const ReadAt& read) {
  const std::string header = read(0, 64);
  if (header.size() < 52 || !header.starts_with("\x7f"
                                                "ELF"))
    return std::nullopt;
  const Fields fields(header[4] == 2, header[5] == 2);
  const std::vector<Segment> segments = read_segments(read, fields, header);
  const auto dynamic =
      std::find_if(segments.begin(), segments.end(),
                   [](const Segment& segment) { return segment.type == k_pt_dynamic; });
  if (dynamic == segments.end()) return std::nullopt;
  const std::string table = read(dynamic->offset, std::min(dynamic->size, k_max_dynamic));
  std::optional<std::uint64_t> strings;
  std::optional<std::uint64_t> name;
  const std::size_t step = fields.wide() ? 16 : 8;
  for (std::size_t at = 0; at + step <= table.size(); at += step) {
    const std::uint64_t tag = fields.word(table, at);
    if (tag == 0) break;
    if (tag == k_dt_strtab) strings = fields.word(table, at + step / 2);
    if (tag == k_dt_soname) name = fields.word(table, at + step / 2);
  }
  if (!strings || !name) return std::nullopt;
  const auto offset = offset_of(segments, *strings);
  if (!offset || *name > UINT32_MAX) return std::nullopt;
  const std::string text = read(*offset + *name, k_max_name);
  const std::size_t end = text.find('\0');
  if (end == std::string::npos || end == 0) return std::nullopt;
  return text.substr(0, end);
}

}  // namespace lithify
