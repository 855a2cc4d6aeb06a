#include "builder/test/linkage.h"

#include <algorithm>
#include <vector>

namespace lithify {

namespace {

constexpr std::size_t k_header = 64;
constexpr std::uint64_t k_max_segments = 512;
constexpr std::uint64_t k_max_table = 256 << 10;
constexpr std::uint64_t k_max_dynamic = 256 << 10;

constexpr std::uint64_t k_pt_dynamic = 2;
constexpr std::uint64_t k_pt_interp = 3;
constexpr std::uint64_t k_dt_needed = 1;

// A file read forwards, never back.
class Forward {
 public:
  explicit Forward(oci::Source& file) : file_(file) {}

  // `size` bytes at `offset`, fewer at the end of the file; nothing of what has passed.
  std::string at(std::uint64_t offset, std::uint64_t size) {
    std::string bytes;
    if (offset < passed_) return bytes;
    std::vector<std::byte> buffer(64 << 10);
    while (passed_ < offset) {
      const auto most = std::min<std::uint64_t>(buffer.size(), offset - passed_);
      const std::size_t got = file_.read({buffer.data(), static_cast<std::size_t>(most)});
      if (got == 0) return bytes;
      passed_ += got;
    }
    while (bytes.size() < size) {
      const auto most = std::min<std::uint64_t>(buffer.size(), size - bytes.size());
      const std::size_t got = file_.read({buffer.data(), static_cast<std::size_t>(most)});
      if (got == 0) break;
      bytes.append(reinterpret_cast<const char*>(buffer.data()), got);
      passed_ += got;
    }
    return bytes;
  }

 private:
  oci::Source& file_;
  std::uint64_t passed_ = 0;
};

// Numbers in the file's own byte order; zero beyond the end.
struct Layout {
  bool wide = false;
  bool big = false;

  std::uint64_t number(std::string_view bytes, std::size_t at, std::size_t size) const {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const std::size_t index = at + (big ? i : size - 1 - i);
      const unsigned byte =
          index < bytes.size() ? static_cast<unsigned char>(bytes[index]) : 0U;
      value = value << 8 | byte;
    }
    return value;
  }
  std::uint64_t word(std::string_view bytes, std::size_t at) const {
    return number(bytes, at, wide ? 8 : 4);
  }
};

bool needs_library(const Layout& layout, std::string_view dynamic) {
  const std::size_t entry = layout.wide ? 16 : 8;
  for (std::size_t at = 0; at + entry <= dynamic.size(); at += entry) {
    const std::uint64_t tag = layout.word(dynamic, at);
    if (tag == 0) return false;
    if (tag == k_dt_needed) return true;
  }
  return false;
}

}  // namespace

Linkage linkage_of(oci::Source& file) {
  Forward from(file);
  const std::string header = from.at(0, k_header);
  if (header.size() < 52 || !header.starts_with("\x7f"
                                                "ELF"))
    return Linkage::none;
  const Layout layout{header[4] == 2, header[5] == 2};
  if (layout.wide && header.size() < k_header) return Linkage::none;
  const std::uint64_t size = layout.number(header, layout.wide ? 54 : 42, 2);
  const std::uint64_t count =
      std::min(layout.number(header, layout.wide ? 56 : 44, 2), k_max_segments);
  std::uint64_t offset = layout.word(header, layout.wide ? 32 : 28);
  // What the beginning holds already was read with it.
  std::string table;
  if (offset < header.size()) {
    table = header.substr(offset);
    offset = header.size();
  }
  const std::uint64_t wanted = std::min(size * count, k_max_table);
  if (table.size() < wanted) table += from.at(offset, wanted - table.size());
  if (size < (layout.wide ? 56U : 32U)) return Linkage::none;
  std::uint64_t dynamic = 0;
  std::uint64_t dynamic_size = 0;
  for (std::size_t at = 0; at + size <= std::min<std::uint64_t>(table.size(), wanted);
       at += size) {
    const std::uint64_t type = layout.number(table, at, 4);
    if (type == k_pt_interp) return Linkage::dynamic;
    if (type != k_pt_dynamic) continue;
    dynamic = layout.word(table, at + (layout.wide ? 8 : 4));
    dynamic_size = layout.word(table, at + (layout.wide ? 32 : 16));
  }
  if (dynamic_size == 0) return Linkage::fixed;
  return needs_library(layout, from.at(dynamic, std::min(dynamic_size, k_max_dynamic)))
             ? Linkage::dynamic
             : Linkage::fixed;
}

}  // namespace lithify
