#include "builder/frontend/read_args.h"

#include <algorithm>

#include <fmt/format.h>

#include "builder/frontend/codes.h"
#include "builder/frontend/fields.h"
#include "builder/frontend/values.h"
#include "builder/plan/pattern.h"
#include "builder/plan/suggest.h"

namespace lithify {

namespace {

constexpr std::size_t k_max_value = 4096;
constexpr std::size_t k_max_arguments = 256;
constexpr const char* k_nobody = "its type, since nobody gave it";

// A value, and who gave it.
struct Given {
  std::string value;
  oci::Place place;    // of the default; none if somebody else gave it
  std::string origin;  // as Argument has it
};

class ArgumentReader {
 public:
  ArgumentReader(const FrontendOptions& options, Problems& problems)
      : options_(options), problems_(problems) {}

  std::optional<Argument> read(const YamlNode::Entry& entry) const {
    const std::string& name = entry.key.text;
    const YamlNode& argument = entry.value;
    if (!is_sound(entry)) return std::nullopt;
    const auto given = find(name, argument);
    if (!given) return without_value(entry);
    if (const auto why = refusal(argument, given->value)) {
      oci::Error error =
          offence(code::k_bad_argument, given->place,
                  fmt::format("argument `{}` cannot be `{}`", name, given->value), *why);
      if (given->place.file.empty())
        error.at(entry.key.place(), *why)
            .add_note(fmt::format("given by {}", given->origin));
      problems_.error(std::move(error));
      return std::nullopt;
    }
    return Argument{name, given->value, given->origin};
  }

 private:
  // Whether the declaration makes sense, whatever value anybody gives.
  bool is_sound(const YamlNode::Entry& entry) const {
    const YamlNode& argument = entry.value;
    const YamlNode::Entry* required = argument.find_entry("required");
    const YamlNode::Entry* fallback = argument.find_entry("default");
    if (required && fallback && required->value.text == "true") {
      oci::Error error = offence(code::k_bad_value, required->key.place(),
                                 "what has a `default` is never missing",
                                 "says that somebody must give it");
      error.also_at(fallback->key.place(), "its default");
      problems_.error(std::move(error.add_hint("remove one of them")));
      return false;
    }
    if (type_of(argument) == "enum" && !argument.find("values")) {
      oci::Error error = offence(code::k_missing_field, argument.find("type")->place(),
                                 "an `enum` needs `values`", "one of which?");
      problems_.error(std::move(error.add_hint("add `values: […]`")));
      return false;
    }
    return is_literal(fallback ? &fallback->value : nullptr) &&
           has_sound_pattern(argument);
  }

  bool is_literal(const YamlNode* fallback) const {
    bool literal = true;
    each_reference(fallback ? fallback->text : "", [&](std::string_view reference) {
      if (!literal) return;
      literal = false;
      problems_.error(
          offence(code::k_not_expanded, fallback->place_of(reference),
                  fmt::format("`{}` is not expanded inside `default`", reference),
                  "defaults are literal"));
    });
    return literal;
  }

  bool has_sound_pattern(const YamlNode& argument) const {
    const YamlNode* pattern = argument.find("pattern");
    std::string why;
    if (!pattern || !pattern->is_scalar() || Pattern::compile(pattern->text, why))
      return true;
    problems_.error(offence(code::k_bad_value, pattern->place(),
                            fmt::format("`{}` is no pattern", pattern->text), why));
    return false;
  }

  std::optional<Given> find(const std::string& name, const YamlNode& argument) const {
    const auto told = options_.args.find(name);
    if (told != options_.args.end()) return Given{told->second, {}, "--arg"};
    const std::string variable = text_of(argument, "env");
    const auto set = options_.environment.find(variable);
    if (!variable.empty() && set != options_.environment.end())
      return Given{set->second, {}, fmt::format("the environment variable {}", variable)};
    const YamlNode* fallback = argument.find("default");
    if (!fallback || !fallback->is_scalar()) return std::nullopt;
    const oci::Place place = fallback->place();
    return Given{fallback->text, place,
                 fmt::format("the default at {}:{}", place.file, place.line)};
  }

  // Text may be nothing and a switch is off; the others have no such value.
  std::optional<Argument> without_value(const YamlNode::Entry& entry) const {
    const std::string type = type_of(entry.value);
    const bool required = flag_of(entry.value, "required", false);
    if (!required && type == "string" && !entry.value.find("pattern"))
      return Argument{entry.key.text, "", k_nobody};
    if (!required && type == "bool") return Argument{entry.key.text, "false", k_nobody};
    oci::Error error = offence(code::k_missing_argument, entry.key.place(),
                               fmt::format("argument `{}` has no value", entry.key.text),
                               "somebody must give it");
    error.add_hint(
        fmt::format("give it: `--arg {}=…`, or add `default: …` here", entry.key.text));
    problems_.error(std::move(error));
    return std::nullopt;
  }

  static std::string type_of(const YamlNode& argument) {
    return text_of(argument, "type", argument.find("values") ? "enum" : "string");
  }

  std::optional<std::string> refusal(const YamlNode& argument,
                                     const std::string& value) const {
    const std::string type = type_of(argument);
    if (has_control(value)) return "control characters are refused";
    if (value.size() > k_max_value)
      return fmt::format("longer than {} bytes", k_max_value);
    if (type == "bool" && !parse_boolean(value)) return "expected `true` or `false`";
    if (type == "int" && !parse_integer(value)) return "expected a whole number";
    const std::vector<std::string> values = texts_of(argument, "values");
    const bool listed = std::find(values.begin(), values.end(), value) != values.end();
    if ((type == "enum" || !values.empty()) && !listed)
      return fmt::format("expected one of `{}`", fmt::join(values, "`, `"));
    const YamlNode* pattern = argument.find("pattern");
    if (!pattern || !pattern->is_scalar()) return std::nullopt;
    std::string unused;  // the pattern is sound
    if (Pattern::compile(pattern->text, unused)->matches(value)) return std::nullopt;
    return fmt::format("expected something like `{}`", pattern->text);
  }

  const FrontendOptions& options_;
  Problems& problems_;
};

void refuse_unknown(const YamlNode& file, const FrontendOptions& options,
                    Problems& problems) {
  std::vector<std::string> names;
  for (const YamlNode::Entry& entry : entries_of(file, "args"))
    names.push_back(entry.key.text);
  for (const auto& [name, value] : options.args) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    oci::Error error(oci::Errc::bad_input,
                     fmt::format("--arg {}={}: the build file has no argument `{}`", name,
                                 value, name));
    error.number(code::k_undefined).add_hint(did_you_mean(name, names));
    problems.error(std::move(error));
  }
}

void add_git(Scope& scope, const FrontendOptions& options) {
  for (const char* key : {"commit", "describe", "tag"}) {
    const std::string name = fmt::format("git.{}", key);
    const auto known = options.git.find(key);
    if (known != options.git.end()) {
      scope.set(name, known->second);
    } else {
      scope.withhold(name, options.git.empty() ? "this is no git working tree"
                                               : "git does not know it here");
    }
  }
}

}  // namespace

Scope read_scope(const YamlNode& file, const FrontendOptions& options,
                 std::vector<Argument>& arguments, Problems& problems) {
  Scope scope;
  refuse_unknown(file, options, problems);
  const ArgumentReader reader(options, problems);
  const auto& declared = entries_of(file, "args");
  if (declared.size() > k_max_arguments) {
    problems.error(offence(code::k_too_large, declared[k_max_arguments].key.place(),
                           fmt::format("more than {} arguments", k_max_arguments)));
    return scope;
  }
  for (const YamlNode::Entry& entry : declared) {
    if (auto argument = reader.read(entry)) {
      scope.set("args." + entry.key.text, argument->value);
      arguments.push_back(std::move(*argument));
    } else {
      scope.poison("args." + entry.key.text);
    }
  }
  add_git(scope, options);
  scope.withhold("epoch", options.epoch ? "the epoch comes from here"
                                        : "the build's epoch is not known");
  for (const char* name :
       {"platform.os", "platform.arch", "platform.variant", "platform.spec"})
    scope.withhold(name, "this is the same for all platforms");
  scope.withhold("image.name", "this is the same for all images");
  return scope;
}

void warn_unused_args(const YamlNode& file, const Scope& scope, Problems& problems) {
  for (const YamlNode::Entry& entry : entries_of(file, "args")) {
    if (scope.was_used("args." + entry.key.text)) continue;
    problems.warning(offence(code::k_unused_argument, entry.key.place(),
                             fmt::format("nothing uses argument `{}`", entry.key.text),
                             "never used"));
  }
}

}  // namespace lithify
