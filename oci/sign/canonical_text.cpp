#include "oci/sign/canonical_text.h"

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace oci {

namespace {

using nlohmann::json;

constexpr std::size_t k_max_depth = 64;

// Holds what a writer would write against the text, event by event.
class Comparison final : public nlohmann::json_sax<json> {
 public:
  explicit Comparison(std::string_view text) : rest_(text) {}

  bool null() override { return value("null"); }
  bool boolean(bool flag) override { return value(flag ? "true" : "false"); }
  bool number_integer(number_integer_t number) override {
    return value(std::to_string(number));
  }
  bool number_unsigned(number_unsigned_t number) override {
    return value(std::to_string(number));
  }
  bool number_float(number_float_t, const string_t&) override { return false; }
  bool string(string_t& text) override { return value(json(text).dump()); }
  bool binary(binary_t&) override { return false; }

  bool start_object(std::size_t) override { return start("{"); }
  bool start_array(std::size_t) override { return start("["); }
  bool end_object() override { return end("}"); }
  bool end_array() override { return end("]"); }

  bool key(string_t& name) override {
    Level& level = open_.back();
    if (level.last && name <= *level.last) return false;
    const bool same = separator() && take(json(name).dump()) && take(":");
    level.last = std::move(name);
    level.after_key = true;
    return same;
  }
  bool parse_error(std::size_t, const std::string&, const json::exception&) override {
    return false;
  }
  bool is_at_end() const { return rest_.empty(); }

 private:
  struct Level {
    bool empty = true;
    bool after_key = false;
    std::optional<std::string> last = {};  // key
  };

  bool take(std::string_view written) {
    if (!rest_.starts_with(written)) return false;
    rest_.remove_prefix(written.size());
    return true;
  }
  bool separator() {
    if (open_.empty()) return true;
    Level& level = open_.back();
    if (level.after_key) {
      level.after_key = false;
      return true;
    }
    return std::exchange(level.empty, false) || take(",");
  }
  bool value(std::string_view written) { return separator() && take(written); }
  bool start(std::string_view bracket) {
    if (!value(bracket) || open_.size() == k_max_depth) return false;
    open_.emplace_back();
    return true;
  }
  bool end(std::string_view bracket) {
    open_.pop_back();
    return take(bracket);
  }

  std::string_view rest_;
  std::vector<Level> open_;
};

}  // namespace

bool is_canonical_json(std::string_view text) {
  try {
    Comparison comparison(text);
    return json::sax_parse(text, &comparison) && comparison.is_at_end();
  } catch (const json::exception&) {
    return false;  // a text that is not UTF-8
  }
}

}  // namespace oci
