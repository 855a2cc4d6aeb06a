#include "builder/frontend/interpolate.h"

#include <algorithm>

#include <fmt/format.h>

#include "builder/frontend/check_shape.h"
#include "builder/frontend/codes.h"
#include "builder/plan/suggest.h"

namespace lithify {

namespace {

constexpr std::size_t k_max_value = std::size_t{64} << 10;
constexpr std::size_t k_max_expanded = std::size_t{64} << 20;  // of one file

// "$(name)" at the start of the text; empty if it is not closed.
std::string_view reference_at(std::string_view text) {
  const std::size_t close = text.find(')');
  return close == std::string_view::npos ? std::string_view() : text.substr(0, close + 1);
}

// Splits text at each "$(" that is not escaped; `literal` gets what stands between with
// the escapes resolved, `reference` gets each "$(…)", or "$(" alone when it is not
// closed.
template <class Literal, class Reference>
void walk(std::string_view text, Literal literal, Reference reference) {
  while (!text.empty()) {
    const std::size_t open = text.find("$(");
    if (open == std::string_view::npos) return literal(text);
    if (open > 0 && text[open - 1] == '$') {
      literal(text.substr(0, open - 1));
      literal("$(");
      text.remove_prefix(open + 2);
      continue;
    }
    literal(text.substr(0, open));
    const std::string_view whole = reference_at(text.substr(open));
    if (whole.empty()) return reference(text.substr(open));
    reference(whole);
    text.remove_prefix(open + whole.size());
  }
}

}  // namespace

bool has_reference(std::string_view text) {
  return text.find("$(") != std::string_view::npos;
}

void each_reference(std::string_view text,
                    const std::function<void(std::string_view)>& found) {
  walk(
      text, [](std::string_view) {}, found);
}

Scope::Scope() : record_(std::make_shared<Record>()) {}

void Scope::set(const std::string& name, std::string value) {
  withheld_.erase(name);
  values_[name] = std::move(value);
}

void Scope::withhold(const std::string& name, std::string reason) {
  values_.erase(name);
  withheld_[name] = std::move(reason);
}

void Scope::poison(const std::string& name) {
  poisoned_.insert(name);
}

const std::string* Scope::value(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? nullptr : &found->second;
}

std::vector<std::string> Scope::names_below(std::string_view prefix) const {
  std::vector<std::string> names;
  const auto take = [&](const std::string& name) {
    if (name.starts_with(prefix)) names.push_back(name.substr(prefix.size()));
  };
  for (const auto& [name, value] : values_)
    take(name);
  for (const auto& [name, reason] : withheld_)
    take(name);
  for (const std::string& name : poisoned_)
    take(name);
  return names;
}

std::optional<std::string> Scope::expand(const YamlNode& scalar,
                                         Problems& problems) const {
  std::string text;
  bool complete = true;
  const auto append = [&](std::string_view literal) {
    if (text.size() <= k_max_value) text += literal;
  };
  walk(scalar.text, append, [&](std::string_view reference) {
    const auto value = replace(scalar, reference, problems);
    complete = complete && value;
    if (value) append(*value);
  });
  if (!complete) return std::nullopt;
  record_->expanded_bytes += text.size();
  if (text.size() > k_max_value || record_->expanded_bytes > k_max_expanded) {
    problems.error(offence(code::k_too_large, scalar.place(),
                           "expanding this makes more text than a build file may hold"));
    return std::nullopt;
  }
  return text;
}

std::optional<std::string> Scope::replace(const YamlNode& scalar,
                                          std::string_view reference,
                                          Problems& problems) const {
  const auto refuse = [&](const char* id, const std::string& message,
                          const std::string& label, const std::string& hint) {
    oci::Error error = offence(id, scalar.place_of(reference), message, label);
    if (!hint.empty()) error.add_hint(hint);
    problems.error(std::move(error));
    return std::nullopt;
  };
  if (!reference.ends_with(')'))
    return refuse(code::k_bad_reference, "`$(` is not closed", "no `)` follows",
                  "write `$$(` for a literal `$(`");
  const std::string name(reference.substr(2, reference.size() - 3));
  const auto known = values_.find(name);
  if (known != values_.end()) {
    note_use(name);
    return known->second;
  }
  if (poisoned_.count(name) > 0) {
    note_use(name);
    return std::nullopt;
  }
  const auto withheld = withheld_.find(name);
  if (withheld != withheld_.end())
    return refuse(code::k_undefined, fmt::format("`{}` has no value here", reference),
                  withheld->second, "");
  if (!name.starts_with("args.") && name != "epoch" &&
      name.find('.') == std::string::npos)
    return refuse(code::k_bad_reference, fmt::format("`{}` names nothing", reference),
                  "expected a name such as `args.version`",
                  "write `$$(` for a literal `$(`");
  return refuse(code::k_undefined, fmt::format("`{}` is not defined", reference), "",
                did_you_mean(name, names_below("")));
}

namespace {

class Expander {
 public:
  Expander(const Scope& scope, Problems& problems) : scope_(scope), problems_(problems) {}

  void expand(YamlNode& node, const Shape& shape, const std::string& where) const {
    switch (shape.form) {
      case Shape::Form::scalar:
        return scalar(node, shape, where);
      case Shape::Form::list:
        if (node.is_scalar() && shape.one_is_list)
          return scalar(node, *shape.item, where);
        for (YamlNode& item : node.items)
          expand(item, *shape.item, where);
        return;
      case Shape::Form::map:
        for (YamlNode::Entry& entry : node.entries) {
          if (shape.expand_keys) key(entry.key, shape);
          expand(entry.value, *shape.item, fmt::format("`{}`", entry.key.text));
        }
        return;
      case Shape::Form::either:
        return expand(node, node.is_scalar() ? *shape.shorthand : *shape.item, where);
      case Shape::Form::record:
        return fields(node, shape.fields);
      case Shape::Form::variants:
        return variants(node, shape);
    }
  }

 private:
  void scalar(YamlNode& node, const Shape& shape, const std::string& where) const {
    if (!node.is_scalar() || node.multiline || shape.literal) return;
    if (replace(node)) check_scalar(node, shape, where, problems_);
  }

  // Whether there was something to replace, and all of it could be.
  bool replace(YamlNode& node) const {
    if (!has_reference(node.text)) return false;
    const auto text = scope_.expand(node, problems_);
    if (!text) {
      node.kind = YamlNode::Kind::null;  // already reported
      return false;
    }
    node.text = *text;
    return true;
  }

  void key(YamlNode& node, const Shape& map) const {
    if (replace(node)) check_key(node, map, problems_);
  }

  void fields(YamlNode& node, const std::vector<SchemaField>& known) const {
    for (YamlNode::Entry& entry : node.entries) {
      for (const SchemaField& field : known) {
        if (field.name == entry.key.text && field.shape)
          expand(entry.value, *field.shape, fmt::format("`{}`", field.name));
      }
    }
  }

  void variants(YamlNode& node, const Shape& shape) const {
    fields(node, shape.fields);
    const Variant* variant = variant_of(shape, node);
    if (!variant) return;
    fields(node, {variant->main});
    fields(node, variant->modifiers);
  }

  const Scope& scope_;
  Problems& problems_;
};

}  // namespace

YamlNode expand_tree(const YamlNode& node, const Shape& shape, const std::string& where,
                     const Scope& scope, Problems& problems) {
  YamlNode copy = node;
  Expander(scope, problems).expand(copy, shape, where);
  return copy;
}

}  // namespace lithify
