#include "builder/plan/key.h"

namespace lithify {

KeyDocument& KeyDocument::field(std::string_view name, std::string_view value) {
  text_ += name;
  text_ += ' ';
  text_ += std::to_string(value.size());
  text_ += ':';
  text_ += value;
  text_ += '\n';
  return *this;
}

KeyDocument& KeyDocument::field(std::string_view name, std::uint64_t value) {
  return field(name, std::to_string(value));
}

KeyDocument& KeyDocument::field(std::string_view name, std::int64_t value) {
  return field(name, std::to_string(value));
}

KeyDocument& KeyDocument::field(std::string_view name,
                                const std::vector<std::string>& values) {
  field(std::string(name) + "#", std::uint64_t{values.size()});
  for (const auto& value : values)
    field(name, value);
  return *this;
}

KeyDocument& KeyDocument::field(std::string_view name,
                                const std::map<std::string, std::string>& values) {
  field(std::string(name) + "#", std::uint64_t{values.size()});
  for (const auto& [key, value] : values) {
    field(std::string(name) + ".key", key);
    field(name, value);
  }
  return *this;
}

}  // namespace lithify
