// edit_users: explicit names and ids, so nothing is allocated and nothing can drift.
#include "builder/run/edit_users.h"

#include <algorithm>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/debian/account_files.h"

namespace lithify {
namespace {

using oci::Errc;
using oci::Error;

// Lines cannot be added to a directory.
void check_files(const InstalledRoot& root) {
  for (const char* path : {"/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"}) {
    const Node* node = root.find(path);
    if (node == nullptr || node->type == oci::FileType::regular) continue;
    throw Error(Errc::bad_input,
                fmt::format("{} is no file, so no account can be added to it", path));
  }
}

// What useradd and groupadd accept, plus upper case and dots, which nothing minds.
void check_name(std::string_view what, std::string_view name) {
  const auto inner = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_' || c == '-' || c == '.';
  };
  const bool good = !name.empty() && name.size() <= 32 && name.front() != '-' &&
                    name.front() != '.' && !(name[0] >= '0' && name[0] <= '9') &&
                    std::all_of(name.begin(), name.end(), inner);
  if (good) return;
  throw Error(Errc::bad_input,
              fmt::format("'{}' is no {} name: expected at most 32 letters, digits, '_', "
                          "'-' and '.', not starting with a digit, '-' or '.'",
                          name, what));
}

void add_missing_root(AccountFiles& accounts, bool user_too) {
  if (!accounts.group_of(0) && !accounts.gid_of("root")) accounts.add_group("root", 0);
  if (user_too && !accounts.user_of(0) && !accounts.uid_of("root")) {
    accounts.add_user({"root", 0, 0, "root", "/root", "/usr/sbin/nologin"});
  }
}

void add_group(AccountFiles& accounts, std::string_view name, std::uint32_t gid) {
  check_name("group", name);
  if (const auto taken = accounts.gid_of(name)) {
    throw Error(Errc::bad_input,
                fmt::format("group {} is there already, with gid {}", name, *taken));
  }
  if (const auto taken = accounts.group_of(gid)) {
    throw Error(Errc::bad_input, fmt::format("gid {} of group {} is taken by group {}",
                                             gid, name, *taken));
  }
  accounts.add_group(name, gid);
}

void add_user(AccountFiles& accounts, const User& user) {
  check_name("user", user.name);
  if (const auto taken = accounts.uid_of(user.name)) {
    throw Error(Errc::bad_input,
                fmt::format("user {} is there already, with uid {}", user.name, *taken));
  }
  if (const auto taken = accounts.user_of(user.uid)) {
    throw Error(Errc::bad_input, fmt::format("uid {} of user {} is taken by user {}",
                                             user.uid, user.name, *taken));
  }
  if (!accounts.group_of(user.gid)) add_group(accounts, user.name, user.gid);
  accounts.add_user({user.name, user.uid, user.gid, user.gecos, user.home, user.shell});
  for (const std::string& group : user.groups) {
    if (accounts.add_members(group, {user.name})) continue;
    throw Error(Errc::bad_input,
                fmt::format("user {} shall be in group {}, which does not exist",
                            user.name, group))
        .add_hint("add the group in a groups: step before");
  }
}

void make_home(InstalledRoot& root, const User& user) {
  if (!user.create_home || root.find(user.home) != nullptr) return;
  root.directory(user.home, 0700, {user.uid, user.gid});
}

}  // namespace

Tree add_users(const UsersStep& step, const Tree& below, oci::BlobStore& store,
               std::int64_t mtime) {
  InstalledRoot root(below, store, mtime);
  check_files(root);
  AccountFiles accounts(root);
  const bool names_root =
      std::any_of(step.users.begin(), step.users.end(),
                  [](const User& user) { return user.uid == 0 || user.name == "root"; });
  add_missing_root(accounts, !names_root);
  for (const User& user : step.users)
    add_user(accounts, user);
  accounts.write(root);
  for (const User& user : step.users)
    make_home(root, user);
  return Tree(std::move(root).take());
}

Tree add_groups(const GroupsStep& step, const Tree& below, oci::BlobStore& store,
                std::int64_t mtime) {
  InstalledRoot root(below, store, mtime);
  check_files(root);
  AccountFiles accounts(root);
  const bool names_root = std::any_of(
      step.groups.begin(), step.groups.end(),
      [](const Group& group) { return group.gid == 0 || group.name == "root"; });
  if (!names_root) add_missing_root(accounts, false);
  for (const Group& group : step.groups)
    add_group(accounts, group.name, group.gid);
  for (const Group& group : step.groups) {
    for (const std::string& member : group.members) {
      if (!accounts.uid_of(member)) {
        throw Error(Errc::bad_input,
                    fmt::format("{} shall be a member of group {}, but there is no such "
                                "user",
                                member, group.name));
      }
      accounts.add_members(group.name, {member});
    }
  }
  accounts.write(root);
  return Tree(std::move(root).take());
}

}  // namespace lithify
