// fields: values out of a map that the schema has checked. What is missing or was refused
// there reads as the fallback, so that one run finds all problems.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/frontend/yaml.h"

namespace lithify {

std::string text_of(const YamlNode& map, std::string_view key,
                    const std::string& fallback = "");
bool flag_of(const YamlNode& map, std::string_view key, bool fallback);
int number_of(const YamlNode& map, std::string_view key, int fallback);
std::uint32_t id_of(const YamlNode& map, std::string_view key);
std::optional<std::uint32_t> mode_of(const YamlNode& map, std::string_view key);
std::int64_t duration_of(const YamlNode& map, std::string_view key);
// The normal form of a path in the image; "" if there is none.
std::string image_path_of(const YamlNode& map, std::string_view key);
std::map<std::string, std::string> text_map_of(const YamlNode& map, std::string_view key);

// The scalars of a list, or the one that stands for a list.
std::vector<const YamlNode*> scalars_of(const YamlNode* list);
std::vector<std::string> texts(const YamlNode* list);
std::vector<std::string> texts_of(const YamlNode& map, std::string_view key);

// A list or map that may be missing, for loops.
const std::vector<YamlNode>& items_of(const YamlNode& map, std::string_view key);
const std::vector<YamlNode::Entry>& entries_of(const YamlNode& map, std::string_view key);

}  // namespace lithify
