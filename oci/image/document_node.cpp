// document_node: typed access with limits and places.
#include "oci/image/document_node.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/error.h"

namespace oci {

namespace {

bool has_fraction(const nlohmann::json& value) {
  return value.is_number_float() ||
         (value.is_structured() && std::any_of(value.begin(), value.end(), has_fraction));
}

}  // namespace

DocumentNode::DocumentNode(const nlohmann::json& value, std::string where)
    : value_(&value), document_(std::move(where)) {}

DocumentNode DocumentNode::below(const nlohmann::json& value,
                                 const std::string& step) const {
  DocumentNode node(value, document_);
  node.path_ = path_ + (path_.empty() || step.front() == '[' ? "" : ".") + step;
  return node;
}

void DocumentNode::refuse(std::string_view why) const {
  throw Error(Errc::bad_input, path_.empty()
                                   ? fmt::format("{}: {}", document_, why)
                                   : fmt::format("{}: {}: {}", document_, path_, why));
}

std::optional<DocumentNode> DocumentNode::find(const char* key) const {
  if (!value_->is_object()) refuse("an object was expected");
  const auto found = value_->find(key);
  if (found == value_->end() || found->is_null()) return std::nullopt;
  return below(*found, key);
}

DocumentNode DocumentNode::require(const char* key) const {
  const auto found = find(key);
  if (!found) refuse(fmt::format("`{}` is missing", key));
  return *found;
}

std::string DocumentNode::text_or_empty(const char* key) const {
  const auto found = find(key);
  return found ? found->text() : std::string();
}

std::vector<std::pair<std::string, DocumentNode>> DocumentNode::members() const {
  if (!value_->is_object()) refuse("an object was expected");
  if (value_->size() > k_max_items) refuse("too many members");
  std::vector<std::pair<std::string, DocumentNode>> members;
  for (const auto& [key, value] : value_->items()) {
    if (key.find('\0') != std::string::npos) refuse("a key with a NUL");
    members.emplace_back(key, below(value, fmt::format("[\"{}\"]", key)));
  }
  return members;
}

std::vector<DocumentNode> DocumentNode::items() const {
  if (!value_->is_array()) refuse("an array was expected");
  if (value_->size() > k_max_items) refuse("too many items");
  std::vector<DocumentNode> items;
  for (std::size_t i = 0; i < value_->size(); ++i)
    items.push_back(below((*value_)[i], fmt::format("[{}]", i)));
  return items;
}

std::string DocumentNode::text() const {
  if (!value_->is_string()) refuse("a string was expected");
  auto text = value_->get<std::string>();
  if (text.find('\0') != std::string::npos) refuse("a string with a NUL");
  return text;
}

std::int64_t DocumentNode::number() const {
  const bool too_large =
      value_->is_number_unsigned() && value_->get<std::uint64_t>() > INT64_MAX;
  if (!value_->is_number_integer() || too_large) refuse("a whole number was expected");
  return value_->get<std::int64_t>();
}

bool DocumentNode::flag() const {
  if (!value_->is_boolean()) refuse("true or false was expected");
  return value_->get<bool>();
}

void DocumentNode::refuse_fractions() const {
  if (has_fraction(*value_)) refuse("a number with a fraction or an exponent");
}

std::vector<std::string> DocumentNode::texts() const {
  std::vector<std::string> texts;
  for (const DocumentNode& item : items())
    texts.push_back(item.text());
  return texts;
}

std::map<std::string, std::string> DocumentNode::text_map() const {
  std::map<std::string, std::string> texts;
  for (const auto& [key, value] : members())
    texts.emplace(key, value.text());
  return texts;
}

}  // namespace oci
