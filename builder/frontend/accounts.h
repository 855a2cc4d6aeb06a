// Accounts: the users and groups that the steps of an image have declared so far.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "builder/frontend/problems.h"
#include "builder/frontend/yaml.h"

namespace lithify {

class Accounts {
 public:
  Accounts();  // root is always there

  // From here on there may be accounts that no step declares: a base or a package has
  // them. What needs an account is then left to the build to judge.
  void allow_others() { others_ = true; }

  // What the declared would clash with, and what it needs and is not there, is reported.
  void add(const User& user, const YamlNode& declaration, Problems& problems);
  void add(const Group& group, const YamlNode& declaration, Problems& problems);

  // "0:0", "app", "app:web", "10001:web"; a missing group is the user's first. What
  // cannot be resolved is reported.
  Owner resolve(const YamlNode& owner, Problems& problems) const;
  // The same for who runs a command, as "uid:gid"; a name that no step declares stays, if
  // the tree it runs in may have one.
  std::string user(const YamlNode& user, Problems& problems) const;
  // A number or the name of a declared group.
  std::uint32_t group_id(const YamlNode& group, Problems& problems) const;

 private:
  struct Known {
    Owner owner;
    oci::Place place;  // no file: root, which nobody declared
  };
  using Names = std::map<std::string, Known>;

  std::uint32_t group_id(const YamlNode& node, const std::string& name,
                         Problems& problems) const;
  bool declares(std::string_view owner) const;
  void add_own_group(const User& user, const YamlNode& declaration, Problems& problems);
  void require(const char* kind, const Names& known, const YamlNode* names,
               Problems& problems) const;

  Names users_;
  Names groups_;
  bool others_ = false;
};

}  // namespace lithify
