// DocumentNode: a member of a JSON document that a stranger wrote, with its path for
// messages.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace oci {

// A view: the document must outlive it. Every getter throws Errc::bad_input that says
// where ("manifest of app: layers[2].size") and what was expected. null is absence.
class DocumentNode {
 public:
  DocumentNode(const nlohmann::json& value, std::string where);

  // Members of an object.
  std::optional<DocumentNode> find(const char* key) const;
  DocumentNode require(const char* key) const;
  bool has(const char* key) const { return find(key).has_value(); }
  std::string text_or_empty(const char* key) const;
  std::vector<std::pair<std::string, DocumentNode>> members() const;

  // Items of an array of at most k_max_items.
  std::vector<DocumentNode> items() const;

  // Without NUL: none of these texts may have one where they go.
  std::string text() const;
  std::int64_t number() const;
  bool flag() const;
  std::vector<std::string> texts() const;
  std::map<std::string, std::string> text_map() const;

  // No image has one, and two writers would not agree on its digits.
  void refuse_fractions() const;

  const nlohmann::json& value() const { return *value_; }
  [[noreturn]] void refuse(std::string_view why) const;

 private:
  DocumentNode below(const nlohmann::json& value, const std::string& step) const;

  const nlohmann::json* value_;
  std::string document_;
  std::string path_;
};

inline constexpr std::size_t k_max_items = 16'384;

}  // namespace oci
