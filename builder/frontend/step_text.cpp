#include <fmt/format.h>

#include "builder/frontend/read_steps.h"

namespace lithify {

namespace {

constexpr std::size_t k_longest_list = 120;

// As many words as fit in a line.
std::string words(const std::vector<std::string>& all) {
  std::string text;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i > 0 && text.size() + all[i].size() > k_longest_list)
      return text + fmt::format(" and {} more", all.size() - i);
    text += (i > 0 ? " " : "") + all[i];
  }
  return text;
}

template <class Account>
std::string names(const std::vector<Account>& accounts) {
  std::vector<std::string> all;
  for (const Account& account : accounts)
    all.push_back(account.name);
  return words(all);
}

std::string package_text(const PackageRequest& package) {
  return package.name + (package.architecture.empty() ? "" : ":" + package.architecture) +
         (package.version.empty() ? "" : "=" + package.version);
}

std::string text(const PackagesStep& step) {
  std::vector<std::string> all;
  for (const PackageRequest& package : step.packages)
    all.push_back(package_text(package));
  return "packages " + words(all);
}
std::string text(const CopyStep& step) {
  return fmt::format("copy {} {}", words(step.paths),
                     step.to.empty() ? "into " + step.into : "to " + step.to);
}
std::string text(const FileStep& step) {
  return "file " + step.path;
}
std::string text(const DirStep& step) {
  return "dir " + step.path;
}
std::string text(const SymlinkStep& step) {
  return fmt::format("symlink {} to {}", step.path, step.target);
}
std::string text(const RemoveStep& step) {
  return "remove " + words(step.globs);
}
std::string text(const AttrsStep& step) {
  return "attrs " + words(step.globs);
}
std::string text(const UsersStep& step) {
  return "users " + names(step.users);
}
std::string text(const GroupsStep& step) {
  return "groups " + names(step.groups);
}
std::string text(const RunStep& step) {
  return "run " + words(step.argv);
}

}  // namespace

std::string step_text(const Verb& verb) {
  return std::visit([](const auto& step) { return text(step); }, verb);
}

}  // namespace lithify
