// read_run: commands, and what they see.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "builder/frontend/step_context.h"

namespace lithify {

// The words of a `run`, a script behind the shell that runs it. `shell`: nullptr for
// /bin/sh.
std::vector<std::string> command_of(const YamlNode& run, const YamlNode* shell,
                                    Problems& problems);
// Whole seconds, at least one; 0 if it is not given.
std::int64_t seconds_of(const YamlNode& map, std::string_view key, Problems& problems);
// The clean-ups that `normalise` switches off, sorted.
std::vector<std::string> read_unnormalised(const YamlNode& step, Problems& problems);

class RunReader {
 public:
  explicit RunReader(const StepContext& context) : context_(context) {}

  RunStep read(const YamlNode& step, const YamlNode::Entry& main);

 private:
  void read_environment(const YamlNode& step, RunStep& made);
  std::vector<RunMount> mounts(const YamlNode& step);
  void add_mounts(const YamlNode& list, std::vector<RunMount>& mounts, bool of_defaults);
  RunMount mount(const YamlNode& node);
  void read_tree(const YamlNode& node, RunMount& made);
  void read_secret(const YamlNode& node, RunMount& made);
  void check_place(const RunMount& mount, const std::vector<RunMount>& others);
  void check_secrets(const YamlNode& step, const RunStep& made);
  std::vector<std::string> outputs(const YamlNode& step, const RunStep& made);
  bool output_fits(const YamlNode& node, const std::string& path, const RunStep& made,
                   const std::vector<std::string>& others);
  RunLimits limits(const YamlNode& step);
  // The step's own field, else the default's.
  const YamlNode* own_or_default(const YamlNode& step, std::string_view field) const;

  const StepContext& context_;
};

}  // namespace lithify
