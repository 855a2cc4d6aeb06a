// yaml: the strict subset of YAML that build files are written in, as an immutable tree.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "oci/base/error.h"

#include "builder/frontend/source_text.h"

namespace lithify {

// Scalars keep their text: what it means is decided by the field they stand in.
struct YamlNode {
  enum class Kind { null, scalar, list, map } kind = Kind::null;
  std::string text;        // of a scalar, quotes and escapes resolved
  bool multiline = false;  // a scalar written over several lines, or as a block
  std::vector<YamlNode> items;
  struct Entry;
  std::vector<Entry> entries;  // in the order written, keys unique

  std::shared_ptr<const SourceText> source;  // one for all nodes of a file
  std::size_t begin = 0;  // bytes; a map begins at its first key, a list at its bracket
  std::size_t end = 0;

  bool is_null() const { return kind == Kind::null; }
  bool is_scalar() const { return kind == Kind::scalar; }
  bool is_list() const { return kind == Kind::list; }
  bool is_map() const { return kind == Kind::map; }

  // The value of a key of a map; nullptr if it is no map or has no such key.
  const YamlNode* find(std::string_view key) const;
  const Entry* find_entry(std::string_view key) const;

  oci::Place place() const { return source->place(begin, end); }
  // Where `part` first stands in this node's text; the whole node if it is not there as
  // written.
  oci::Place place_of(std::string_view part) const;
};

struct YamlNode::Entry {
  YamlNode key;  // a scalar
  YamlNode value;
};

// Reads one document. The first offence is thrown as an oci::Error with its place.
// Limits: 4 MiB, 100,000 values, depth 32.
YamlNode parse_yaml(const std::string& file, std::string_view text);

}  // namespace lithify
