// read_sources: the sources of a build file, one per platform where they differ.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "builder/frontend/interpolate.h"

namespace lithify {

// Sources are read when something first uses them on a platform.
class SourceReader {
 public:
  SourceReader(const YamlNode& file, const Scope& scope, Problems& problems);

  // The source that a scalar names, for one platform; nullptr, and a report, if there is
  // none. The key is that of Recipe::sources.
  struct Found {
    std::string key;
    const Source* source;
  };
  std::optional<Found> use(const YamlNode& name, const oci::Platform& platform,
                           const Scope& platform_scope);
  // A use that is not needed now: a step whose condition does not hold.
  void note_use(const std::string& name) { used_.insert(name); }

  bool has(const std::string& name) const { return declared_.count(name) > 0; }
  // Where a source is declared; nullptr: nowhere.
  const YamlNode* declaration(const std::string& name) const;
  // Whether what use() found under a key is for the builder's own platform.
  bool is_for_builder(const std::string& key) const;
  // What else a `from` may name, for suggestions.
  void set_stages(std::vector<std::string> names) { stages_ = std::move(names); }
  void warn_unused();
  // The sources that something uses.
  std::map<std::string, Source> take() &&;

 private:
  const Source& read(const YamlNode::Entry& entry, const std::string& key,
                     const Scope& scope);
  void report_unknown(const YamlNode& name);

  std::map<std::string, const YamlNode::Entry*> declared_;
  std::vector<std::string> order_;
  std::vector<std::string> stages_;
  const Scope& scope_;
  Problems& problems_;
  std::map<std::string, Source> read_;
  std::set<std::string> used_;
};

// Whether $(platform.…) stands in one of its values.
bool names_platform(const YamlNode& node);

// "an apt source"
std::string kind_of(const Source& source);

}  // namespace lithify
