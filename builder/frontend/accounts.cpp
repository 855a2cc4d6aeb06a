#include "builder/frontend/accounts.h"

#include <algorithm>

#include <fmt/format.h>

#include "builder/frontend/codes.h"
#include "builder/frontend/fields.h"
#include "builder/frontend/values.h"
#include "builder/plan/suggest.h"

namespace lithify {

namespace {

template <class Map>
std::vector<std::string> names_of(const Map& known) {
  std::vector<std::string> names;
  for (const auto& [name, value] : known)
    names.push_back(name);
  return names;
}

void declared_twice(const std::string& what, const YamlNode& second,
                    const oci::Place& first, Problems& problems) {
  oci::Error error = offence(code::k_duplicate, second.place(),
                             what + " is declared twice", "second declaration");
  if (!first.file.empty()) error.also_at(first, "first declaration");
  problems.error(std::move(error));
}

oci::Error unknown(const char* kind, const std::string& name, const YamlNode& node,
                   const std::vector<std::string>& names, const char* other_way = "") {
  oci::Error error = offence(code::k_unknown_owner, node.place_of(name),
                             fmt::format("no earlier step declares {} `{}`", kind, name),
                             "not declared by then");
  const std::string near = did_you_mean(name, names);
  const char* id = std::string_view(kind) == "user" ? "uid" : "gid";
  error.add_hint(!near.empty()
                     ? near
                     : fmt::format("add `{}s: [{{name: {}, {}: …}}]` before this step{}",
                                   kind, name, id, other_way));
  return error;
}

constexpr const char* k_or_numbers = ", or write numbers: `1000:1000`";

// Who has the number already; root, which nobody declared, does not mind.
template <class Names, class Id>
const oci::Place* holder_of(const Names& known, const std::string& name, Id has_id) {
  for (const auto& [other, account] : known) {
    if (other != name && has_id(account.owner) && !account.place.file.empty())
      return &account.place;
  }
  return nullptr;
}

bool is_full(std::size_t known, const YamlNode& declaration, Problems& problems) {
  constexpr std::size_t k_most = 500;
  if (known <= k_most) return false;
  problems.error(
      offence(code::k_too_large, declaration.place(),
              fmt::format("more than {} users or groups in one image", k_most)));
  return true;
}

}  // namespace

Accounts::Accounts() {
  users_["root"] = {};
  groups_["root"] = {};
}

void Accounts::add(const User& user, const YamlNode& declaration, Problems& problems) {
  if (is_full(users_.size(), declaration, problems)) return;
  const Known known{{user.uid, user.gid}, declaration.place()};
  const auto taken = holder_of(users_, user.name,
                               [&](const Owner& owner) { return owner.uid == user.uid; });
  if (taken)
    declared_twice(fmt::format("uid {}", user.uid), declaration, *taken, problems);
  const auto [at, fresh] = users_.emplace(user.name, known);
  if (!fresh && at->second.place.file.empty() && user.uid == 0) {
    at->second = known;
  } else if (!fresh) {
    return declared_twice(fmt::format("user `{}`", user.name), declaration,
                          at->second.place, problems);
  }
  add_own_group(user, declaration, problems);
  require("group", groups_, declaration.find("groups"), problems);
}

// A gid that no group has makes a group of the user's name.
void Accounts::add_own_group(const User& user, const YamlNode& declaration,
                             Problems& problems) {
  for (const auto& [name, group] : groups_) {
    if (group.owner.gid == user.gid) return;
  }
  const auto [at, fresh] =
      groups_.emplace(user.name, Known{{0, user.gid}, declaration.place()});
  const YamlNode* written = declaration.find("gid");
  if (fresh || (others_ && written)) return;  // a group that others made may have it
  oci::Error error =
      offence(code::k_bad_value, (written ? *written : declaration).place(),
              fmt::format("user `{}` has gid {}, and group `{}` has gid {}", user.name,
                          user.gid, user.name, at->second.owner.gid),
              written ? "no group has this gid"
                      : fmt::format("without `gid` it is {}", user.gid));
  error.also_at(at->second.place, "the group");
  error.add_hint(fmt::format("write `gid: {}`", user.name));
  problems.error(std::move(error));
}

void Accounts::add(const Group& group, const YamlNode& declaration, Problems& problems) {
  if (is_full(groups_.size(), declaration, problems)) return;
  const Known known{{0, group.gid}, declaration.place()};
  const auto taken = holder_of(
      groups_, group.name, [&](const Owner& owner) { return owner.gid == group.gid; });
  if (taken)
    declared_twice(fmt::format("gid {}", group.gid), declaration, *taken, problems);
  const auto [at, fresh] = groups_.emplace(group.name, known);
  if (!fresh && at->second.place.file.empty() && group.gid == 0) {
    at->second = known;
  } else if (!fresh) {
    return declared_twice(fmt::format("group `{}`", group.name), declaration,
                          at->second.place, problems);
  }
  require("user", users_, declaration.find("members"), problems);
}

void Accounts::require(const char* kind, const Names& known, const YamlNode* names,
                       Problems& problems) const {
  if (others_) return;
  for (const YamlNode* name : scalars_of(names)) {
    if (is_account_name(name->text) && known.count(name->text) == 0)
      problems.error(unknown(kind, name->text, *name, names_of(known)));
  }
}

std::uint32_t Accounts::group_id(const YamlNode& group, Problems& problems) const {
  return group_id(group, group.text, problems);
}

std::uint32_t Accounts::group_id(const YamlNode& node, const std::string& name,
                                 Problems& problems) const {
  if (const auto id = parse_id(name)) return *id;
  if (!is_account_name(name)) return 0;  // already reported
  const auto group = groups_.find(name);
  if (group != groups_.end()) return group->second.owner.gid;
  problems.error(unknown("group", name, node, names_of(groups_), k_or_numbers));
  return 0;
}

bool Accounts::declares(std::string_view owner) const {
  const std::size_t colon = std::min(owner.find(':'), owner.size());
  const std::string user(owner.substr(0, colon));
  if (!parse_id(user) && users_.count(user) == 0) return false;
  if (colon == owner.size()) return true;
  const std::string group(owner.substr(colon + 1));
  return parse_id(group) || groups_.count(group) > 0;
}

std::string Accounts::user(const YamlNode& node, Problems& problems) const {
  if (others_ && is_owner(node.text) && !declares(node.text)) return node.text;
  const Owner owner = resolve(node, problems);
  return fmt::format("{}:{}", owner.uid, owner.gid);
}

Owner Accounts::resolve(const YamlNode& node, Problems& problems) const {
  const std::size_t colon = std::min(node.text.find(':'), node.text.size());
  const std::string name = node.text.substr(0, colon);
  Owner owner;
  if (!is_owner(node.text)) return owner;  // already reported
  bool has_group = colon < node.text.size();
  if (const auto id = parse_id(name)) {
    owner.uid = *id;
    for (const auto& [user, known] : users_) {
      if (has_group || known.owner.uid != *id) continue;
      owner.gid = known.owner.gid;
      return owner;
    }
    if (!has_group) {
      oci::Error error =
          offence(code::k_unknown_owner, node.place(),
                  fmt::format("owner `{}` has no group", name), "no group");
      error.add_hint(fmt::format("write `{}:{}`", name, name));
      problems.error(std::move(error));
      return owner;
    }
  } else {
    const auto user = users_.find(name);
    if (user == users_.end()) {
      problems.error(unknown("user", name, node, names_of(users_), k_or_numbers));
      return owner;
    }
    owner = user->second.owner;
  }
  if (has_group) owner.gid = group_id(node, node.text.substr(colon + 1), problems);
  return owner;
}

}  // namespace lithify
