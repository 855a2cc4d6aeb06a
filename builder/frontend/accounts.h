// Accounts: the users and groups that the steps of an image have declared so far.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "builder/frontend/problems.h"
#include "builder/frontend/yaml.h"

namespace lithify {

class Accounts {
 public:
  Accounts();  // root is always there

  void add(const User& user, const YamlNode& declaration, Problems& problems);
  void add(const Group& group, const YamlNode& declaration, Problems& problems);

  // "0:0", "app", "app:web", "10001:web"; a missing group is the user's first. What
  // cannot be resolved is reported.
  Owner resolve(const YamlNode& owner, Problems& problems) const;
  // A number or the name of a declared group.
  std::uint32_t group_id(const YamlNode& group, Problems& problems) const;

 private:
  struct Known {
    Owner owner;
    oci::Place place;
  };
  std::uint32_t group_id(const YamlNode& node, const std::string& name,
                         Problems& problems) const;

  std::map<std::string, Known> users_;
  std::map<std::string, Known> groups_;
};

}  // namespace lithify
