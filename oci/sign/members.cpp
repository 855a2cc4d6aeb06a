// members: the checks that all signed documents share.
#include "oci/sign/members.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/registry/server_error.h"
#include "oci/sign/strict_base64.h"

namespace oci {

namespace {

std::int64_t count(const DocumentNode& node) {
  std::int64_t value = 0;
  if (node.value().is_string()) {
    const std::string text = node.text();
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || stop != end || std::to_string(value) != text) {
      node.refuse("a whole number in a string was expected");
    }
  } else {
    value = node.number();
  }
  if (value < 0) node.refuse("a number below zero");
  return value;
}

}  // namespace

void require_only(const DocumentNode& object,
                  std::initializer_list<std::string_view> names) {
  if (!object.value().is_object()) object.refuse("an object was expected");
  for (const auto& [name, value] : object.value().items()) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      object.refuse(
          fmt::format("the member `{}` does not belong here", harmless(name, 60)));
    }
  }
}

std::string as_strict_bytes(const DocumentNode& node) {
  const auto* text = node.value().get_ptr<const std::string*>();
  if (text == nullptr) node.refuse("a string was expected");
  auto bytes = strict_base64_decode(*text);
  if (!bytes) node.refuse("base64 with padding was expected");
  return std::move(*bytes);
}

std::string require_bytes(const DocumentNode& object, const char* name) {
  return as_strict_bytes(object.require(name));
}

std::int64_t count_or_zero(const DocumentNode& object, const char* name) {
  const auto node = object.find(name);
  return node ? count(*node) : 0;
}

}  // namespace oci
