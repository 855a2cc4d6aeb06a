// read_steps: the steps of one image on one platform.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "builder/frontend/accounts.h"
#include "builder/frontend/interpolate.h"
#include "builder/frontend/read_sources.h"

namespace lithify {

class StepReader {
 public:
  // `owner`: what `defaults: {owner}` says, or nullptr.
  StepReader(const oci::Platform& platform, const Scope& scope, SourceReader& sources,
             Accounts& accounts, const Node* owner, Problems& problems)
      : platform_(platform),
        scope_(scope),
        sources_(sources),
        accounts_(accounts),
        default_owner_(owner),
        problems_(problems) {}

  // `steps` is expanded already. Steps whose condition does not hold are left out.
  std::vector<RecipeStep> read(const std::vector<Node>& steps);

 private:
  bool applies(const Node& step);
  bool argument_applies(const Node::Entry& condition);
  Verb read_verb(const Node& step, const Node::Entry& main);
  Verb packages(const Node& step);
  Verb copy(const Node& step, const Node::Entry& main);
  Verb file(const Node& step);
  Verb attrs(const Node& step);
  Verb users(const Node& step);
  Verb groups(const Node& step);
  void check_passwd_fields(const Node& user);
  Owner owner_of(const Node& step);
  void check_destination(const CopyStep& copy, const Node& step, const Node::Entry& main);
  std::string source_of(const Node& step, bool wants_packages);

  const oci::Platform& platform_;
  const Scope& scope_;
  SourceReader& sources_;
  Accounts& accounts_;
  const Node* default_owner_;
  Problems& problems_;
};

// "copy . to /srv": the step in one line, for history and progress.
std::string step_text(const Verb& verb);

}  // namespace lithify
