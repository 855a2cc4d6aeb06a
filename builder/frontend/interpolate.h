// interpolate: $(namespace.name) in single-line values, expanded after parsing.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "builder/frontend/problems.h"
#include "builder/frontend/schema.h"
#include "builder/frontend/yaml.h"

namespace lithify {

// The names that have a value at some point of the file. Copies share the record of what
// was used and the limit on how much text expansion may make of one file.
class Scope {
 public:
  Scope();
  void set(const std::string& name, std::string value);
  // A name that exists but not here, and why.
  void withhold(const std::string& name, std::string reason);
  // A name whose value was refused: what uses it is not reported again.
  void poison(const std::string& name);

  // The text of a scalar with every reference replaced and "$$(" made "$(". nullopt, and
  // a report, if that cannot be done.
  std::optional<std::string> expand(const YamlNode& scalar, Problems& problems) const;

  bool was_used(const std::string& name) const { return record_->used.count(name) > 0; }
  void note_use(const std::string& name) const { record_->used.insert(name); }
  bool is_poisoned(const std::string& name) const { return poisoned_.count(name) > 0; }
  const std::string* value(const std::string& name) const;
  // Names that begin so, without that beginning; for suggestions.
  std::vector<std::string> names_below(std::string_view prefix) const;

 private:
  struct Record {
    std::set<std::string> used;
    std::size_t expanded_bytes = 0;
  };
  std::optional<std::string> replace(const YamlNode& scalar, std::string_view reference,
                                     Problems& problems) const;

  std::map<std::string, std::string> values_;
  std::map<std::string, std::string> withheld_;
  std::set<std::string> poisoned_;
  std::shared_ptr<Record> record_;
};

// Whether the text holds a reference (or the escape for one).
bool has_reference(std::string_view text);
// Calls `found` with every "$(…)" in the text, escaped ones excepted.
void each_reference(std::string_view text,
                    const std::function<void(std::string_view)>& found);

// A copy of the tree with every scalar expanded whose field allows it, each checked
// against its type afterwards. `where` names the node for people: "`config`".
YamlNode expand_tree(const YamlNode& node, const Shape& shape, const std::string& where,
                     const Scope& scope, Problems& problems);

}  // namespace lithify
