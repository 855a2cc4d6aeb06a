#include "oci/base/json.h"

#include <set>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/error.h"

namespace oci {

namespace {

constexpr int k_max_depth = 64;

void refuse_floats(const nlohmann::json& value) {
  if (value.is_number_float()) {
    throw Error(Errc::internal, "a floating point number in a canonical document");
  }
  if (value.is_structured()) {
    for (const auto& child : value)
      refuse_floats(child);
  }
}

}  // namespace

nlohmann::json parse_json(std::string_view text, std::string_view what) {
  if (text.size() > k_max_json) {
    throw Error(Errc::bad_input, fmt::format("{} has {} bytes, more than the {} allowed",
                                             what, text.size(), k_max_json));
  }
  std::vector<std::set<std::string>> keys;
  const auto guard = [&](int depth, nlohmann::json::parse_event_t event,
                         nlohmann::json& parsed) {
    using Event = nlohmann::json::parse_event_t;
    if (depth > k_max_depth) {
      throw Error(Errc::bad_input,
                  fmt::format("{} nests deeper than {}", what, k_max_depth));
    }
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key && !keys.back().insert(parsed.get<std::string>()).second) {
      throw Error(Errc::bad_input, fmt::format("{} has the key `{}` twice", what,
                                               parsed.get<std::string>()));
    }
    return true;
  };
  try {
    return nlohmann::json::parse(text, guard);
  } catch (const nlohmann::json::exception& e) {
    throw Error(Errc::bad_input, fmt::format("{} is not valid JSON: {}", what, e.what()));
  }
}

std::string canonical_json(const nlohmann::json& value) {
  refuse_floats(value);
  try {
    return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::strict);
  } catch (const nlohmann::json::exception& e) {
    throw Error(
        Errc::bad_input,
        fmt::format("a text that is not UTF-8 cannot be written as JSON: {}", e.what()));
  }
}

}  // namespace oci
