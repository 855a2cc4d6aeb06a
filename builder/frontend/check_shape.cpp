#include "builder/frontend/check_shape.h"

#include <algorithm>

#include <fmt/format.h>

#include "builder/frontend/codes.h"
#include "builder/frontend/interpolate.h"
#include "builder/frontend/values.h"
#include "builder/plan/suggest.h"

namespace lithify {

namespace {

constexpr std::size_t k_most_named = 10;  // fields that a hint lists

// The first sentence of a description, in the shape of a hint.
std::string as_hint(std::string_view description) {
  std::string hint(description.substr(0, description.find(". ")));
  if (hint.ends_with('.')) hint.pop_back();
  const bool plain_word = hint.size() > 1 && hint[0] >= 'A' && hint[0] <= 'Z' &&
                          (hint[1] < 'A' || hint[1] > 'Z');
  if (plain_word) hint[0] = static_cast<char>(hint[0] - 'A' + 'a');
  return hint;
}

using Form = Shape::Form;

std::string_view kind_name(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null:
      return "nothing";
    case YamlNode::Kind::scalar:
      return "text";
    case YamlNode::Kind::list:
      return "a list";
    case YamlNode::Kind::map:
      return "a map";
  }
  return "";
}

std::string expected(const Shape& shape) {
  switch (shape.form) {
    case Form::scalar:
      return shape.choices.empty()
                 ? std::string(expectation(shape.type))
                 : fmt::format("one of `{}`", fmt::join(shape.choices, "`, `"));
    case Form::list:
      return shape.one_is_list ? "text or a list" : "a list";
    case Form::map:
    case Form::record:
    case Form::variants:
      return "a map";
    case Form::either:
      return shape.item->form == Form::list ? "text or a list" : "text or a map";
  }
  return "";
}

bool kind_fits(const YamlNode& node, const Shape& shape) {
  switch (shape.form) {
    case Form::scalar:
      return node.is_scalar();
    case Form::list:
      return node.is_list() || (node.is_scalar() && shape.one_is_list);
    case Form::map:
    case Form::record:
    case Form::variants:
      return node.is_map();
    case Form::either:
      return node.is_scalar() || kind_fits(node, *shape.item);
  }
  return false;
}

// As the words of the table are spoken: "an output", "a url".
std::string_view article(std::string_view word) {
  return std::string_view("aeio").find(word.front()) == std::string_view::npos ? "a"
                                                                               : "an";
}

// YAML's double-quoted form, for suggested edits.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::vector<std::string> names_of(const std::vector<SchemaField>& fields) {
  std::vector<std::string> names;
  for (const SchemaField& field : fields) {
    if (field.shape) names.emplace_back(field.name);
  }
  return names;
}

const SchemaField* find_field(const std::vector<SchemaField>& fields,
                              std::string_view name) {
  for (const SchemaField& field : fields) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

// "`run` steps", "`stages`"
std::string not_built(std::string_view what, std::string_view verb) {
  return fmt::format("{} {} not built by this version of lithify", what, verb);
}

class Checker {
 public:
  explicit Checker(Problems& problems) : problems_(problems) {}

  void check(const YamlNode& node, const Shape& shape, const std::string& where) const {
    if (node.is_null() && shape.nullable) return;
    if (!kind_fits(node, shape)) return wrong_kind(node, shape, where);
    switch (shape.form) {
      case Form::scalar:
        if (shape.literal || node.multiline || !has_reference(node.text))
          check_scalar(node, shape, where, problems_);
        return;
      case Form::list:
        if (node.is_scalar()) return check(node, *shape.item, where);
        if (shape.some && node.items.empty()) return empty(node, where);
        for (const YamlNode& item : node.items)
          check(item, *shape.item, where);
        return;
      case Form::map:
        if (shape.some && node.entries.empty()) return empty(node, where);
        return check_map(node, shape);
      case Form::either:
        return check(node, node.is_scalar() ? *shape.shorthand : *shape.item, where);
      case Form::record:
        return check_record(node, shape, where);
      case Form::variants:
        return check_variants(node, shape);
    }
  }

 private:
  void wrong_kind(const YamlNode& node, const Shape& shape,
                  const std::string& where) const {
    if (shape.program && node.is_scalar()) {
      oci::Error error = offence(code::k_wrong_type, node.place(),
                                 fmt::format("{} is a list, not a string", where),
                                 "no shell splits this");
      error.add_hint(fmt::format("for a shell's view of it: `[/bin/sh, -c, {}]`",
                                 quoted(node.text)));
      return problems_.error(std::move(error));
    }
    oci::Error error = offence(
        code::k_wrong_type, node.place(),
        fmt::format("{}: expected {}, found {}", where, expected(shape), kind_name(node)),
        fmt::format("expected {}", expected(shape)));
    if (shape.form == Form::list && node.is_scalar() && !node.multiline)
      error.add_hint(fmt::format("write `[{}]`", node.text));
    problems_.error(std::move(error));
  }

  void empty(const YamlNode& node, const std::string& where) const {
    problems_.error(offence(code::k_bad_value, node.place(),
                            fmt::format("{} is empty", where), "expected at least one"));
  }

  void check_map(const YamlNode& node, const Shape& shape) const {
    for (const YamlNode::Entry& entry : node.entries) {
      if (!shape.expand_keys || !has_reference(entry.key.text))
        check_key(entry.key, shape, problems_);
      check(entry.value, *shape.item, fmt::format("`{}`", entry.key.text));
    }
  }

  void check_record(const YamlNode& node, const Shape& shape,
                    const std::string& where) const {
    for (const YamlNode::Entry& entry : node.entries) {
      const SchemaField* field = find_field(shape.fields, entry.key.text);
      if (!field) {
        unknown(entry.key, where, names_of(shape.fields));
      } else {
        check_field(entry, *field);
      }
    }
    check_required(node, shape.fields, where);
  }

  void check_field(const YamlNode::Entry& entry, const SchemaField& field) const {
    const std::string name = fmt::format("`{}`", field.name);
    if (!field.shape && !field.description.empty())
      return problems_.error(offence(code::k_misplaced_field, entry.key.place(),
                                     name + " has no place here",
                                     std::string(field.description)));
    if (!field.shape)
      return problems_.error(offence(code::k_not_built, entry.key.place(),
                                     not_built(name, "is"), "not built yet"));
    check(entry.value, *field.shape, name);
  }

  void check_required(const YamlNode& node, const std::vector<SchemaField>& fields,
                      const std::string& where) const {
    for (const SchemaField& field : fields) {
      if (!field.required || node.find(field.name)) continue;
      oci::Error error = offence(code::k_missing_field, node.place(),
                                 fmt::format("{} needs `{}`", where, field.name),
                                 fmt::format("no `{}` here", field.name));
      error.add_hint(
          fmt::format("add `{}: …`: {}", field.name, as_hint(field.description)));
      problems_.error(std::move(error));
    }
  }

  void unknown(const YamlNode& key, const std::string& where,
               const std::vector<std::string>& candidates) const {
    oci::Error error = offence(code::k_unknown_field, key.place(),
                               fmt::format("unknown field `{}` in {}", key.text, where),
                               fmt::format("not a field of {}", where));
    std::string hint = did_you_mean(key.text, candidates);
    if (hint.empty()) hint = place_of(key.text, candidates);
    if (!hint.empty()) error.add_hint(hint);
    problems_.error(std::move(error));
  }

  // Where a field of that name would be right, or which ones are.
  static std::string place_of(const std::string& name,
                              const std::vector<std::string>& candidates) {
    const bool at_top = candidates == names_of(file_shape().fields);
    if (at_top && find_field(stage_shape().fields, name))
      return fmt::format("`{}` belongs into an image or a stage", name);
    if (at_top && find_field(image_shape().fields, name))
      return fmt::format("`{}` belongs into an image", name);
    if (candidates.empty() || candidates.size() > k_most_named) return "";
    return fmt::format("the fields are `{}`", fmt::join(candidates, "`, `"));
  }

  void check_variants(const YamlNode& node, const Shape& shape) const {
    const YamlNode::Entry* main = nullptr;
    const Variant* variant = nullptr;
    for (const YamlNode::Entry& entry : node.entries) {
      const Variant* found = named(shape, entry.key.text);
      if (!found || takes(variant, entry.key.text)) continue;
      if (main && !takes(found, main->key.text)) return two_kinds(*main, entry, shape);
      main = &entry;
      variant = found;
    }
    if (!variant) return no_kind(node, shape);
    const std::string where = fmt::format("{} `{}` {}", article(variant->main.name),
                                          variant->main.name, shape.noun);
    if (!variant->main.shape) {
      const std::string what = fmt::format("`{}` {}s", variant->main.name, shape.noun);
      return problems_.error(offence(code::k_not_built, main->key.place(),
                                     not_built(what, "are"), "not built yet"));
    }
    for (const YamlNode::Entry& entry : node.entries)
      check_part(entry, shape, *variant, where);
    check_required(node, variant->modifiers, where);
  }

  static const Variant* named(const Shape& shape, std::string_view name) {
    for (const Variant& variant : shape.variants) {
      if (variant.main.name == name) return &variant;
    }
    return nullptr;
  }

  static bool takes(const Variant* variant, std::string_view modifier) {
    return variant && find_field(variant->modifiers, modifier);
  }

  void two_kinds(const YamlNode::Entry& first, const YamlNode::Entry& second,
                 const Shape& shape) const {
    oci::Error error = offence(code::k_one_of, second.key.place(),
                               fmt::format("one {} has both `{}` and `{}`", shape.noun,
                                           first.key.text, second.key.text),
                               "a second one starts here");
    error.also_at(first.key.place(), "the first");
    error.add_hint(fmt::format("make two {}s of it", shape.noun));
    problems_.error(std::move(error));
  }

  void no_kind(const YamlNode& node, const Shape& shape) const {
    std::vector<std::string> names;
    for (const Variant& variant : shape.variants) {
      if (variant.main.shape) names.emplace_back(variant.main.name);
    }
    oci::Error error = offence(code::k_one_of, node.place(),
                               fmt::format("{} {} needs one of `{}`", article(shape.noun),
                                           shape.noun, fmt::join(names, "`, `")),
                               "none of them is here");
    for (const YamlNode::Entry& entry : node.entries)
      error.add_hint(did_you_mean(entry.key.text, names));
    problems_.error(std::move(error));
  }

  void check_part(const YamlNode::Entry& entry, const Shape& shape,
                  const Variant& variant, const std::string& where) const {
    const std::string& name = entry.key.text;
    if (name == variant.main.name) return check_field(entry, variant.main);
    if (const SchemaField* field = find_field(variant.modifiers, name))
      return check_field(entry, *field);
    if (const SchemaField* field = find_field(shape.fields, name))
      return check_field(entry, *field);
    std::vector<std::string> candidates = names_of(variant.modifiers);
    for (const std::string& common : names_of(shape.fields))
      candidates.push_back(common);
    if (!fits_another(shape, name)) return unknown(entry.key, where, candidates);
    oci::Error error = offence(code::k_misplaced_field, entry.key.place(),
                               fmt::format("`{}` does not go with {}", name, where),
                               fmt::format("not a field of {}", where));
    error.add_hint(candidates.empty()
                       ? fmt::format("`{}` stands alone", variant.main.name)
                       : fmt::format("its fields: `{}`", fmt::join(candidates, "`, `")));
    problems_.error(std::move(error));
  }

  static bool fits_another(const Shape& shape, std::string_view name) {
    return std::any_of(shape.variants.begin(), shape.variants.end(),
                       [&](const Variant& v) { return takes(&v, name); });
  }

  Problems& problems_;
};

// "`mode` cannot be `888`"
oci::Error bad_value(const YamlNode& node, const std::string& where,
                     const std::string& why) {
  if (node.text.empty())
    return offence(code::k_bad_value, node.place(), fmt::format("{} is empty", where),
                   why);
  const std::string shown = node.text.substr(0, node.text.find('\n'));
  return offence(code::k_bad_value, node.place(),
                 fmt::format("{} cannot be `{}`", where, shown), why);
}

// "`scripts: run`" of "`scripts`"
std::string with_value(std::string where, const std::string& value) {
  if (where.ends_with('`')) where.pop_back();
  return fmt::format("{}: {}`", where, value);
}

void check_choice(const YamlNode& node, const Shape& shape, const std::string& where,
                  Problems& problems) {
  const auto& choices = shape.choices;
  if (std::find(choices.begin(), choices.end(), node.text) != choices.end()) return;
  if (std::find(shape.later.begin(), shape.later.end(), node.text) != shape.later.end())
    return problems.error(offence(code::k_not_built, node.place(),
                                  not_built(with_value(where, node.text), "is"),
                                  "not built yet"));
  oci::Error error = bad_value(node, where, fmt::format("expected {}", expected(shape)));
  const std::vector<std::string> names(choices.begin(), choices.end());
  const std::string hint = did_you_mean(node.text, names);
  if (!hint.empty()) error.add_hint(hint);
  problems.error(std::move(error));
}

}  // namespace

void check_key(const YamlNode& key, const Shape& map, Problems& problems) {
  const auto why = misfit(map.type, key.text);
  if (!why) return;
  problems.error(offence(code::k_bad_value, key.place(),
                         key.text.empty()
                             ? "a name here is empty"
                             : fmt::format("`{}` cannot be a name here", key.text),
                         *why));
}

void check_scalar(const YamlNode& node, const Shape& shape, const std::string& where,
                  Problems& problems) {
  if (!shape.choices.empty()) return check_choice(node, shape, where, problems);
  auto why = misfit(shape.type, node.text);
  if (!why && shape.type == Type::integer) {
    const std::int64_t value = parse_integer(node.text).value_or(shape.min);
    if (value < shape.min || value > shape.max)
      why = shape.min == shape.max
                ? fmt::format("expected {}", shape.min)
                : fmt::format("expected {} to {}", shape.min, shape.max);
  }
  if (why) problems.error(bad_value(node, where, *why));
}

void check_shape(const YamlNode& node, const Shape& shape, const std::string& where,
                 Problems& problems) {
  Checker(problems).check(node, shape, where);
}

}  // namespace lithify
