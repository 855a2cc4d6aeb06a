#include "builder/frontend/fields.h"

#include "builder/frontend/values.h"

namespace lithify {

namespace {

const Node* scalar_at(const Node& map, std::string_view key) {
  const Node* node = map.find(key);
  return node && node->is_scalar() ? node : nullptr;
}

template <class Parse>
auto parsed(const Node& map, std::string_view key, Parse parse)
    -> decltype(parse(std::string_view())) {
  const Node* node = scalar_at(map, key);
  return node ? parse(node->text) : std::nullopt;
}

}  // namespace

std::string text_of(const Node& map, std::string_view key, const std::string& fallback) {
  const Node* node = scalar_at(map, key);
  return node ? node->text : fallback;
}

bool flag_of(const Node& map, std::string_view key, bool fallback) {
  return parsed(map, key, parse_boolean).value_or(fallback);
}

int number_of(const Node& map, std::string_view key, int fallback) {
  return static_cast<int>(parsed(map, key, parse_integer).value_or(fallback));
}

std::uint32_t id_of(const Node& map, std::string_view key) {
  return parsed(map, key, parse_id).value_or(0);
}

std::optional<std::uint32_t> mode_of(const Node& map, std::string_view key) {
  return parsed(map, key, parse_mode);
}

std::int64_t duration_of(const Node& map, std::string_view key) {
  return parsed(map, key, parse_duration).value_or(0);
}

std::string image_path_of(const Node& map, std::string_view key) {
  return parsed(map, key, parse_image_path).value_or("");
}

std::map<std::string, std::string> text_map_of(const Node& map, std::string_view key) {
  std::map<std::string, std::string> values;
  for (const Node::Entry& entry : entries_of(map, key)) {
    if (entry.value.is_scalar()) values[entry.key.text] = entry.value.text;
  }
  return values;
}

std::vector<const Node*> scalars_of(const Node* list) {
  std::vector<const Node*> scalars;
  if (!list) return scalars;
  if (list->is_scalar()) scalars.push_back(list);
  for (const Node& item : list->items) {
    if (item.is_scalar()) scalars.push_back(&item);
  }
  return scalars;
}

std::vector<std::string> texts(const Node* list) {
  std::vector<std::string> values;
  for (const Node* scalar : scalars_of(list))
    values.push_back(scalar->text);
  return values;
}

std::vector<std::string> texts_of(const Node& map, std::string_view key) {
  return texts(map.find(key));
}

const std::vector<Node>& items_of(const Node& map, std::string_view key) {
  static const std::vector<Node> k_none;
  const Node* node = map.find(key);
  return node ? node->items : k_none;
}

const std::vector<Node::Entry>& entries_of(const Node& map, std::string_view key) {
  static const std::vector<Node::Entry> k_none;
  const Node* node = map.find(key);
  return node ? node->entries : k_none;
}

}  // namespace lithify
