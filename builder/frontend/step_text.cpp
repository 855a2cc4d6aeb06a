#include <algorithm>

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
// The first line of a script that says something.
std::string summary(std::string_view script) {
  const auto is_blank = [](std::string_view line) {
    return line.find_first_not_of(" \t\r") == std::string_view::npos;
  };
  std::string first;
  std::size_t more = 0;
  for (std::size_t at = 0; at < script.size();) {
    const std::size_t end = std::min(script.find('\n', at), script.size());
    const std::string_view line = script.substr(at, end - at);
    at = end + 1;
    if (is_blank(line) || line.starts_with('#')) continue;
    if (first.empty()) {
      first = line;
    } else {
      ++more;
    }
  }
  return first + (more > 0 ? " …" : "");
}
std::string text(const RunStep& step) {
  const std::size_t count = step.argv.size();
  const bool is_script = count >= 3 && step.argv[count - 2].starts_with('-') &&
                         step.argv[count - 2].ends_with('c');
  return "run " + (is_script ? summary(step.argv.back()) : words(step.argv));
}

}  // namespace

std::string step_text(const Verb& verb) {
  return std::visit([](const auto& step) { return text(step); }, verb);
}

}  // namespace lithify
