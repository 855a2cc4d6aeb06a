#include "builder/frontend/accounts.h"

#include <fmt/format.h>

#include "builder/frontend/codes.h"
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

void declared_twice(const char* kind, const std::string& name, const YamlNode& second,
                    const oci::Place& first, Problems& problems) {
  oci::Error error =
      offence(code::k_duplicate, second.place(),
              fmt::format("{} `{}` is declared twice", kind, name), "second declaration");
  if (!first.file.empty()) error.also_at(first, "first declaration");
  problems.error(std::move(error));
}

void unknown(const char* kind, const std::string& name, const YamlNode& node,
             const std::vector<std::string>& names, Problems& problems) {
  oci::Error error = offence(code::k_unknown_owner, node.place_of(name),
                             fmt::format("no earlier step declares {} `{}`", kind, name),
                             "not declared by then");
  const std::string near = did_you_mean(name, names);
  const char* verb = std::string_view(kind) == "user" ? "uid" : "gid";
  error.add_hint(
      !near.empty() ? near
                    : fmt::format("add `{}s: [{{name: {}, {}: …}}]` before this step, or "
                                  "write numbers: `1000:1000`",
                                  kind, name, verb));
  problems.error(std::move(error));
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
  const auto [at, fresh] = users_.emplace(user.name, known);
  if (!fresh) declared_twice("user", user.name, declaration, at->second.place, problems);
}

void Accounts::add(const Group& group, const YamlNode& declaration, Problems& problems) {
  if (is_full(groups_.size(), declaration, problems)) return;
  const Known known{{0, group.gid}, declaration.place()};
  const auto [at, fresh] = groups_.emplace(group.name, known);
  if (!fresh)
    declared_twice("group", group.name, declaration, at->second.place, problems);
}

std::uint32_t Accounts::group_id(const YamlNode& group, Problems& problems) const {
  return group_id(group, group.text, problems);
}

std::uint32_t Accounts::group_id(const YamlNode& node, const std::string& name,
                                 Problems& problems) const {
  if (const auto id = parse_id(name)) return *id;
  const auto group = groups_.find(name);
  if (group != groups_.end()) return group->second.owner.gid;
  // A user without a group of its own name has one of its number.
  const auto user = users_.find(name);
  if (user != users_.end() && user->second.owner.uid == user->second.owner.gid)
    return user->second.owner.gid;
  unknown("group", name, node, names_of(groups_), problems);
  return 0;
}

Owner Accounts::resolve(const YamlNode& node, Problems& problems) const {
  const std::size_t colon = std::min(node.text.find(':'), node.text.size());
  const std::string name = node.text.substr(0, colon);
  Owner owner;
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
      unknown("user", name, node, names_of(users_), problems);
      return owner;
    }
    owner = user->second.owner;
  }
  if (has_group) owner.gid = group_id(node, node.text.substr(colon + 1), problems);
  return owner;
}

}  // namespace lithify
