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

// Reads without building, and refuses what building would hide or not survive.
class Guard final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Guard(std::string_view what) : what_(what) {}

  bool start_object(std::size_t) override {
    keys_.emplace_back();
    return deeper();
  }
  bool end_object() override {
    keys_.pop_back();
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override { return deeper(); }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool key(string_t& name) override {
    if (!keys_.back().insert(name).second) {
      throw Error(Errc::bad_input, fmt::format("{} has the key `{}` twice", what_, name));
    }
    return true;
  }
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::json::exception&) override {
    throw Error(
        Errc::bad_input,
        fmt::format("{} is not valid JSON: byte {} is unexpected", what_, position));
  }

 private:
  bool deeper() {
    if (++depth_ > k_max_depth) {
      throw Error(Errc::bad_input,
                  fmt::format("{} nests deeper than {}", what_, k_max_depth));
    }
    return true;
  }

  std::string_view what_;
  int depth_ = 0;
  std::vector<std::set<std::string>> keys_;
};

}  // namespace

nlohmann::json parse_json(std::string_view text, std::string_view what,
                          std::size_t limit) {
  if (text.size() > limit) {
    throw Error(Errc::bad_input, fmt::format("{} has {} bytes, more than the {} allowed",
                                             what, text.size(), limit));
  }
  try {
    // Not parse()'s callback: after each object it looks at all siblings before it, and
    // a list of a million objects would take hours.
    Guard guard(what);
    nlohmann::json::sax_parse(text, &guard);
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception&) {
    throw Error(Errc::bad_input, fmt::format("{} is not valid JSON", what));
  }
}

std::string canonical_json(const nlohmann::json& value) {
  refuse_floats(value);
  try {
    return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::strict);
  } catch (const nlohmann::json::exception&) {
    throw Error(Errc::bad_input, "a text that is not UTF-8 cannot be written as JSON");
  }
}

}  // namespace oci
