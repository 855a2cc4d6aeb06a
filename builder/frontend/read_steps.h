// read_steps: the steps of one image on one platform.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "builder/frontend/step_context.h"

namespace lithify {

class StepReader {
 public:
  explicit StepReader(const StepContext& context) : context_(context) {}

  // `steps` is expanded already. Steps whose condition does not hold are left out.
  std::vector<RecipeStep> read(const std::vector<YamlNode>& steps);
  // How many of them were packages steps, left out or not.
  std::size_t packages_steps() const { return packages_steps_; }
  std::size_t run_steps() const { return run_steps_; }

 private:
  bool applies(const YamlNode& step);
  Verb read_verb(const YamlNode& step, const YamlNode::Entry& main);
  Verb packages(const YamlNode& step);
  Verb copy(const YamlNode& step, const YamlNode::Entry& main);
  Verb file(const YamlNode& step);
  Verb attrs(const YamlNode& step);
  Verb users(const YamlNode& step);
  Verb groups(const YamlNode& step);
  void check_passwd_fields(const YamlNode& user);
  void check_home(const YamlNode& user);
  Owner owner_of(const YamlNode& step);
  std::map<std::string, std::string> xattrs_of(const YamlNode& step);
  void check_destination(const CopyStep& copy, const YamlNode& step,
                         const YamlNode::Entry& main);
  std::string archive_of(const YamlNode& step);
  void note_uses(const YamlNode& step);

  const StepContext context_;
  std::size_t packages_steps_ = 0;
  std::size_t run_steps_ = 0;
};

// "copy . to /srv": the step in one line, for history and progress.
std::string step_text(const Verb& verb);

}  // namespace lithify
