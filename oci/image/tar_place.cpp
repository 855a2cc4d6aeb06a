// tar_place: POSIX.1-2017, pax, "ustar Interchange Format" says where fields stand.
#include "oci/image/tar_place.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>

namespace oci {

namespace {

constexpr std::uint64_t k_block = 512;
// Records of a member: longer ones are not looked into.
constexpr std::uint64_t k_max_records = 1 << 20;

struct Field {
  std::uint64_t end;
  const char* name;
};
constexpr std::array<Field, 17> k_fields = {{{100, "name"},
                                             {108, "mode"},
                                             {116, "uid"},
                                             {124, "gid"},
                                             {136, "size"},
                                             {148, "mtime"},
                                             {156, "chksum"},
                                             {157, "typeflag"},
                                             {257, "linkname"},
                                             {263, "magic"},
                                             {265, "version"},
                                             {297, "uname"},
                                             {329, "gname"},
                                             {337, "devmajor"},
                                             {345, "devminor"},
                                             {500, "prefix"},
                                             {512, "padding"}}};

const char* field_at(std::uint64_t offset) {
  return std::find_if(k_fields.begin(), k_fields.end(),
                      [&](const Field& field) { return offset < field.end; })
      ->name;
}

std::uint64_t octal(std::string_view digits) {
  std::uint64_t value = 0;
  for (const char digit : digits) {
    if (digit < '0' || digit > '7') continue;
    value = value * 8 + static_cast<std::uint64_t>(digit - '0');
  }
  return value;
}

std::uint64_t base_256(std::string_view digits) {
  std::uint64_t value = 0;
  for (const char digit : digits.substr(digits.size() - 8))
    value = value << 8 | static_cast<unsigned char>(digit);
  return value;
}

std::uint64_t size_in(std::string_view header) {
  const std::string_view digits = header.substr(124, 12);
  return (digits.front() & 0x80) != 0 ? base_256(digits) : octal(digits);
}

std::string until_nul(std::string_view text) {
  return std::string(text.substr(0, text.find('\0')));
}

std::string name_in(std::string_view header) {
  const std::string name = until_nul(header.substr(0, 100));
  const std::string prefix =
      header.substr(257, 5) == "ustar" ? until_nul(header.substr(345, 155)) : "";
  return prefix.empty() ? name : prefix + "/" + name;
}

// One "LENGTH KEY=VALUE\n" and what is behind it.
struct Record {
  std::string_view key;
  std::string_view value;
  std::size_t length = 0;  // 0: there is none that makes sense
};

Record first_record(std::string_view text) {
  std::size_t length = 0;
  const auto [stop, problem] =
      std::from_chars(text.data(), text.data() + text.size(), length);
  const auto digits = static_cast<std::size_t>(stop - text.data());
  if (problem != std::errc() || length > text.size() || length < digits + 3) return {};
  const std::string_view body = text.substr(digits + 1, length - digits - 2);
  const std::size_t equals = body.find('=');
  if (equals == body.npos) return {};
  return {body.substr(0, equals), body.substr(equals + 1), length};
}

std::string record_at(std::string_view records, std::uint64_t offset) {
  while (!records.empty()) {
    const Record record = first_record(records);
    if (record.length == 0) break;
    if (offset < record.length) return "pax record " + std::string(record.key);
    offset -= record.length;
    records.remove_prefix(record.length);
  }
  return "extended header";
}

// Walks headers until the offset lies in what is there.
class Walk {
 public:
  Walk(Source& tar, std::uint64_t offset) : tar_(tar), left_(offset) {}

  TarPlace run() {
    for (;;) {
      const std::string header = read(k_block);
      if (header.size() < k_block) return {"", "end of the tar"};
      if (std::all_of(header.begin(), header.end(), [](char c) { return c == '\0'; }))
        return {"", "end of the tar"};
      if (left_ < k_block) return {name_of(header), field_at(left_)};
      left_ -= k_block;
      const std::uint64_t size = size_.value_or(size_in(header));
      const char type = header[156];
      if (auto place = body(header, type, size)) return std::move(*place);
    }
  }

 private:
  // What follows a header; nullopt if the offset lies behind it.
  std::optional<TarPlace> body(const std::string& header, char type, std::uint64_t size) {
    const bool extension = type == 'x' || type == 'g' || type == 'L' || type == 'K';
    const std::uint64_t padded =
        size > UINT64_MAX - k_block ? size : (size + k_block - 1) / k_block * k_block;
    if (left_ < padded) {
      if (!extension)
        return TarPlace{name_of(header), left_ < size ? "content" : "padding"};
      const std::string text = read(std::min(size, k_max_records));
      const bool records = type == 'x' || type == 'g';
      return TarPlace{name_in(header),
                      records ? record_at(text, left_) : "extended header"};
    }
    left_ -= padded;
    size_.reset();
    if (!extension) {
      name_.clear();
      skip(padded);
      return std::nullopt;
    }
    const std::string text = read(std::min(size, k_max_records));
    skip(padded - text.size());
    if (type == 'x') take_records(text);
    if (type == 'L') name_ = until_nul(text);
    return std::nullopt;
  }

  void take_records(std::string_view text) {
    while (!text.empty()) {
      const Record record = first_record(text);
      if (record.length == 0) return;
      if (record.key == "path") name_ = record.value;
      if (record.key == "size") {
        std::uint64_t size = 0;
        std::from_chars(record.value.data(), record.value.data() + record.value.size(),
                        size);
        size_ = size;
      }
      text.remove_prefix(record.length);
    }
  }

  std::string name_of(const std::string& header) const {
    return name_.empty() ? name_in(header) : name_;
  }

  // Less only at the end.
  std::string read(std::uint64_t size) {
    std::string text(size, '\0');
    std::size_t have = 0;
    while (have < text.size()) {
      const std::size_t got =
          tar_.read(std::as_writable_bytes(std::span(text)).subspan(have));
      if (got == 0) break;
      have += got;
    }
    text.resize(have);
    return text;
  }

  void skip(std::uint64_t size) {
    std::array<std::byte, 16 * 1024> ignored{};
    while (size > 0) {
      const std::size_t got = tar_.read(std::span(ignored).first(
          static_cast<std::size_t>(std::min<std::uint64_t>(size, ignored.size()))));
      if (got == 0) return;
      size -= got;
    }
  }

  Source& tar_;
  std::uint64_t left_;  // from the place that is read next to the offset
  std::string name_;    // of the next member, from an extended header
  std::optional<std::uint64_t> size_;
};

}  // namespace

TarPlace tar_place(Source& tar, std::uint64_t offset) {
  return Walk(tar, offset).run();
}

}  // namespace oci
