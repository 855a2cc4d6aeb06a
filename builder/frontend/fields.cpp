#include "builder/frontend/fields.h"

#include "builder/frontend/values.h"

namespace lithify {

namespace {

const YamlNode* scalar_at(const YamlNode& map, std::string_view key) {
  const YamlNode* node = map.find(key);
  return node && node->is_scalar() ? node : nullptr;
}

template <class Parse>
auto parsed(const YamlNode& map, std::string_view key, Parse parse)
    -> decltype(parse(std::string_view())) {
  const YamlNode* node = scalar_at(map, key);
  return node ? parse(node->text) : std::nullopt;
}

}  // namespace

std::string text_of(const YamlNode& map, std::string_view key,
                    const std::string& fallback) {
  const YamlNode* node = scalar_at(map, key);
  return node ? node->text : fallback;
}

bool flag_of(const YamlNode& map, std::string_view key, bool fallback) {
  return parsed(map, key, parse_boolean).value_or(fallback);
}

int number_of(const YamlNode& map, std::string_view key, int fallback) {
  return static_cast<int>(parsed(map, key, parse_integer).value_or(fallback));
}

std::uint32_t id_of(const YamlNode& map, std::string_view key) {
  return parsed(map, key, parse_id).value_or(0);
}

std::optional<std::uint32_t> mode_of(const YamlNode& map, std::string_view key) {
  return parsed(map, key, parse_mode);
}

std::int64_t duration_of(const YamlNode& map, std::string_view key) {
  return parsed(map, key, parse_duration).value_or(0);
}

std::string image_path_of(const YamlNode& map, std::string_view key) {
  return parsed(map, key, parse_image_path).value_or("");
}

std::map<std::string, std::string> text_map_of(const YamlNode& map,
                                               std::string_view key) {
  std::map<std::string, std::string> values;
  for (const YamlNode::Entry& entry : entries_of(map, key)) {
    if (entry.value.is_scalar()) values[entry.key.text] = entry.value.text;
  }
  return values;
}

std::vector<const YamlNode*> scalars_of(const YamlNode* list) {
  std::vector<const YamlNode*> scalars;
  if (!list) return scalars;
  if (list->is_scalar()) scalars.push_back(list);
  for (const YamlNode& item : list->items) {
    if (item.is_scalar()) scalars.push_back(&item);
  }
  return scalars;
}

std::vector<std::string> texts(const YamlNode* list) {
  std::vector<std::string> values;
  for (const YamlNode* scalar : scalars_of(list))
    values.push_back(scalar->text);
  return values;
}

std::vector<std::string> texts_of(const YamlNode& map, std::string_view key) {
  return texts(map.find(key));
}

const std::vector<YamlNode>& items_of(const YamlNode& map, std::string_view key) {
  static const std::vector<YamlNode> k_none;
  const YamlNode* node = map.find(key);
  return node ? node->items : k_none;
}

const std::vector<YamlNode::Entry>& entries_of(const YamlNode& map,
                                               std::string_view key) {
  static const std::vector<YamlNode::Entry> k_none;
  const YamlNode* node = map.find(key);
  return node ? node->entries : k_none;
}

}  // namespace lithify
