// registries_conf: TOML to rules, with the place of every mistake.
#include "oci/registry/registries_conf.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "oci/base/fd.h"
#include "oci/registry/server_error.h"

// A file of registries nests three deep; the parser recurses.
#define TOML_MAX_NESTED_VALUES 32
#include <toml++/toml.h>

namespace oci {

namespace {

constexpr std::uint64_t k_max_file = 1024 * 1024;
constexpr std::size_t k_max_registries = 1000;
constexpr std::size_t k_max_mirrors = 100;
constexpr std::size_t k_max_name = 1024;
constexpr std::size_t k_max_dots = 32;

// A key with a hundred thousand dots makes tables as deep, and freeing them would use up
// the stack. Looks at dots outside of strings and comments only.
class DotCounter {
 public:
  explicit DotCounter(std::string_view text) : text_(text) {}

  // The offset of the first key with too many; npos if there is none.
  std::size_t find_too_many() {
    std::size_t dots = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"' || c == '\'') {
        skip_string(c);
        continue;
      }
      if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
        continue;
      }
      if (c == '.') {
        if (++dots > k_max_dots) return at_;
      } else if (std::string_view("\n=,[]{}").find(c) != std::string_view::npos) {
        dots = 0;
      }
      ++at_;
    }
    return std::string_view::npos;
  }

 private:
  void skip_string(char quote) {
    const std::string fence(3, quote);
    const bool many_lines = text_.substr(at_, 3) == fence;
    const std::string_view end =
        many_lines ? std::string_view(fence) : std::string_view(fence).substr(0, 1);
    at_ += end.size();
    while (at_ < text_.size()) {
      if (quote == '"' && text_[at_] == '\\') {
        at_ = std::min(at_ + 2, text_.size());
      } else if (text_.substr(at_, end.size()) == end) {
        at_ += end.size();
        // Up to two quotes may stand before the three that end it.
        for (int i = 0; many_lines && i < 2 && text_.substr(at_, 1) == fence.substr(0, 1);
             ++i)
          ++at_;
        return;
      } else if (!many_lines && text_[at_] == '\n') {
        return;
      } else {
        ++at_;
      }
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

bool is_wildcard(std::string_view prefix) {
  return prefix.starts_with("*.");
}

class RegistriesReader {
 public:
  explicit RegistriesReader(std::string file) : file_(std::move(file)) {}

  std::vector<RegistryRule> read(const std::string& text) const {
    const toml::table document = parse(text);
    refuse_version_1(document);
    std::vector<RegistryRule> rules;
    for (const toml::table* table : tables(document, "registry", k_max_registries))
      rules.push_back(rule(*table));
    return rules;
  }

 private:
  toml::table parse(const std::string& text) const {
    const std::size_t deep = DotCounter(text).find_too_many();
    if (deep != std::string::npos) {
      const auto before = text.begin() + static_cast<std::ptrdiff_t>(deep);
      const auto line = std::count(text.begin(), before, '\n') + 1;
      throw Error(Errc::bad_input,
                  fmt::format("{} has a key with more than {} dots", file_, k_max_dots))
          .at({file_, static_cast<int>(line)}, "here");
    }
    try {
      return toml::parse(text, file_);
    } catch (const toml::parse_error& e) {
      throw Error(Errc::bad_input, fmt::format("{} is not valid TOML: {}", file_,
                                               harmless(e.description())))
          .at(place(e.source()), "here");
    }
  }

  Place place(const toml::source_region& region) const {
    return {file_, static_cast<int>(region.begin.line),
            static_cast<int>(std::max(region.begin.column, 1U))};
  }

  Error mistake(const toml::node& node, const std::string& what) const {
    return Error(Errc::bad_input, fmt::format("{} {}", file_, what))
        .at(place(node.source()), "here");
  }

  void refuse_version_1(const toml::table& document) const {
    if (const toml::node* old = document.get("registries")) {
      throw mistake(*old, "is written in version 1 of the format, which is not read")
          .add_note(
              "version 1 lists hosts below [registries.search], "
              "[registries.insecure] and [registries.block]")
          .add_hint(
              "write one [[registry]] table for each host, with `location = "
              "\"HOST\"` and `insecure = true` or `blocked = true`");
    }
  }

  std::vector<const toml::table*> tables(const toml::table& parent, std::string_view key,
                                         std::size_t most) const {
    std::vector<const toml::table*> found;
    const toml::node* node = parent.get(key);
    if (node == nullptr) return found;
    const toml::array* list = node->as_array();
    if (list == nullptr) {
      throw mistake(*node, fmt::format("has a `{}` that is no list of tables", key))
          .add_hint(key == "registry" ? "write [[registry]], with two brackets"
                                      : "write [[registry.mirror]], with two brackets");
    }
    if (list->size() > most) {
      throw mistake(*node, fmt::format("has {} entries of `{}`, more than the {} allowed",
                                       list->size(), key, most));
    }
    for (const toml::node& entry : *list) {
      if (!entry.is_table()) {
        throw mistake(entry, fmt::format("has an entry of `{}` that is no table", key));
      }
      found.push_back(entry.as_table());
    }
    return found;
  }

  std::string text(const toml::table& table, std::string_view key) const {
    const toml::node* node = table.get(key);
    if (node == nullptr) return {};
    const auto* value = node->as_string();
    if (value == nullptr) throw mistake(*node, fmt::format("needs a text as `{}`", key));
    return value->get();
  }

  bool flag(const toml::table& table, std::string_view key) const {
    const toml::node* node = table.get(key);
    if (node == nullptr) return false;
    const auto* value = node->as_boolean();
    if (value == nullptr) {
      throw mistake(*node, fmt::format("needs true or false as `{}`", key));
    }
    return value->get();
  }

  // host[:port][/path], with or without "/" at its end.
  std::string name(const toml::table& table, std::string_view key) const {
    std::string value = text(table, key);
    while (!value.empty() && value.back() == '/')
      value.pop_back();
    if (value.empty()) return value;
    const toml::node& node = *table.get(key);
    if (value.find("://") != std::string::npos) {
      throw mistake(node,
                    fmt::format("has a `{}` with a scheme: {}", key, harmless(value)))
          .add_hint(fmt::format("write `{} = \"host[:port][/path]\"`", key));
    }
    const bool good = std::all_of(value.begin(), value.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             std::string_view("-._:/@[]*+").find(c) != std::string_view::npos;
    });
    if (!good || value.front() == '/' || value.size() > k_max_name) {
      throw mistake(node, fmt::format("has a `{}` that is no host[:port][/path]: {}", key,
                                      harmless(value, 100)));
    }
    return value;
  }

  std::string location(const toml::table& table) const {
    std::string value = name(table, "location");
    if (value.find_first_of("*@") != std::string::npos) {
      throw mistake(
          *table.get("location"),
          fmt::format("has a `location` that is no host[:port][/path]: {}", value));
    }
    return value;
  }

  RegistryRule rule(const toml::table& table) const {
    RegistryRule rule;
    rule.place = place(table.source());
    rule.prefix = name(table, "prefix");
    rule.location = location(table);
    rule.insecure = flag(table, "insecure");
    rule.blocked = flag(table, "blocked");
    if (rule.prefix.empty()) rule.prefix = rule.location;
    if (rule.prefix.empty()) {
      throw mistake(table, "has a [[registry]] without `prefix` and `location`")
          .add_hint("write `location = \"host[:port]\"` below it");
    }
    const std::size_t star = rule.prefix.rfind('*');
    if (star != std::string::npos &&
        (star != 0 || !is_wildcard(rule.prefix) ||
         rule.prefix.find_first_of("/:@") != std::string::npos)) {
      throw mistake(
          *table.get("prefix"),
          fmt::format("has a `prefix` with a \"*\" where none can be: {}", rule.prefix))
          .add_hint(
              "a \"*\" can only stand for the beginning of a host: \"*.example.com\"");
    }
    for (const toml::table* mirror_table : tables(table, "mirror", k_max_mirrors))
      rule.mirrors.push_back(mirror(*mirror_table, table));
    return rule;
  }

  MirrorRule mirror(const toml::table& table, const toml::table& registry) const {
    MirrorRule rule;
    rule.location = location(table);
    if (rule.location.empty()) {
      throw mistake(table, "has a [[registry.mirror]] without `location`")
          .add_hint("write `location = \"host[:port]\"` below it");
    }
    rule.insecure = flag(table, "insecure");
    const bool only_digests = flag(registry, "mirror-by-digest-only");
    const std::string pull = text(table, "pull-from-mirror");
    if (!pull.empty() && only_digests) {
      throw mistake(*table.get("pull-from-mirror"),
                    "has both `pull-from-mirror` and `mirror-by-digest-only = true`")
          .add_hint("take `mirror-by-digest-only` out of the [[registry]]");
    }
    if (!pull.empty() && pull != "all" && pull != "digest-only" && pull != "tag-only") {
      throw mistake(*table.get("pull-from-mirror"),
                    fmt::format("has `pull-from-mirror = \"{}\"`, which is not known",
                                harmless(pull, 40)))
          .add_hint("write \"all\", \"digest-only\" or \"tag-only\"");
    }
    rule.tags = pull != "digest-only" && !only_digests;
    rule.digests = pull != "tag-only";
    return rule;
  }

  std::string file_;
};

}  // namespace

std::vector<RegistryRule> read_registries_conf(const std::filesystem::path& file) {
  return RegistriesReader(file.string()).read(read_file(file, k_max_file));
}

}  // namespace oci
