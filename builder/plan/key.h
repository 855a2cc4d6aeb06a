// KeyDocument: the readable text whose hash is a step's key.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci/base/digest.h"

namespace lithify {

// One line a value: "name length:value\n". The length in front makes two documents equal
// only if every field is; the name makes a difference readable (`lithify explain`).
class KeyDocument {
 public:
  KeyDocument& field(std::string_view name, std::string_view value);
  KeyDocument& field(std::string_view name, const char* value) {
    return field(name, std::string_view(value));
  }
  KeyDocument& field(std::string_view name, std::uint64_t value);
  KeyDocument& field(std::string_view name, std::int64_t value);
  KeyDocument& field(std::string_view name, std::uint32_t value) {
    return field(name, std::uint64_t{value});
  }
  KeyDocument& field(std::string_view name, const oci::Digest& value) {
    return field(name, value.str());
  }
  KeyDocument& field(std::string_view name, bool value) {
    return field(name, std::uint64_t{value ? 1U : 0U});
  }
  KeyDocument& field(std::string_view name, const std::vector<std::string>& values);
  KeyDocument& field(std::string_view name,
                     const std::map<std::string, std::string>& values);
  template <class T>
  KeyDocument& field(std::string_view name, const std::optional<T>& value) {
    field(std::string(name) + "?", value.has_value());
    return value ? field(name, *value) : *this;
  }

  const std::string& text() const { return text_; }
  oci::Digest digest() const { return oci::Digest::of(text_); }

 private:
  std::string text_;
};

}  // namespace lithify
