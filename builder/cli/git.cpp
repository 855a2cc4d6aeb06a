#include "builder/cli/git.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <vector>

#include "oci/base/error.h"

#include "builder/cli/program.h"

namespace lithify {

namespace {

constexpr std::size_t k_most_index = std::size_t{256} << 20;  // bytes of `git ls-files`

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

std::optional<std::int64_t> seconds_of(std::string_view text) {
  std::int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, value);
  if (problem != std::errc() || stop != end) return std::nullopt;
  return value;
}

bool in_checkout(std::filesystem::path directory) {
  std::error_code problem;
  for (;; directory = directory.parent_path()) {
    if (std::filesystem::exists(directory / ".git", problem)) return true;
    if (directory == directory.root_path() || directory.empty()) return false;
  }
}

// A line of `git ls-files -s -z`: "100755 <object> <stage>\t<path>".
std::optional<GitMode> git_mode(std::string_view line) {
  const std::string_view mode = line.substr(0, line.find(' '));
  if (mode == "100755") return GitMode::executable;
  if (mode == "120000") return GitMode::symlink;
  if (mode == "100644") return GitMode::plain;
  return std::nullopt;  // a submodule
}

}  // namespace

std::optional<std::int64_t> commit_time(const std::string& directory) {
  if (!in_checkout(directory)) return std::nullopt;
  const auto log = run_program({"git", "-C", directory, "log", "-1", "--format=%ct"});
  if (log.exit == 0) return seconds_of(first_line(log.output));
  const auto probe = run_program({"git", "-C", directory, "rev-parse", "--git-dir"});
  if (probe.exit == 0) return std::nullopt;
  throw oci::Error(oci::Errc::machine,
                   probe.exit == 127
                       ? "git is not installed, so the time of the commit is not known"
                       : "git refuses to read the checkout " + directory)
      .add_note("`created` is the time of the git commit unless something else is said")
      .add_hint("set SOURCE_DATE_EPOCH, or write `epoch:` in the build file");
}

GitModes git_index(const std::string& directory) {
  const auto list =
      run_program({"git", "-C", directory, "ls-files", "-s", "-z"}, k_most_index);
  if (list.exit != 0 || list.output.size() >= k_most_index) {
    throw oci::Error(
        oci::Errc::bad_input,
        list.exit == 127 ? "git is not installed, so `modes: git` cannot be done"
        : list.exit != 0 ? "git finds no index for `modes: git` in " + directory
                         : "the git index of " + directory + " is too large")
        .add_hint("make it a git checkout, or write `modes: fixed` or `modes: keep`");
  }
  GitModes modes;
  std::string_view rest = list.output;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const std::size_t tab = line.find('\t');
    const auto mode = git_mode(line);
    if (mode && tab != std::string_view::npos) modes.emplace(line.substr(tab + 1), *mode);
  }
  return modes;
}

GitFacts git_facts(const std::string& directory) {
  GitFacts facts;
  const auto ask = [&](const char* name, std::vector<std::string> words) {
    words.insert(words.begin(), {"git", "-C", directory});
    const auto result = run_program(words);
    if (result.exit == 0) facts[name] = first_line(result.output);
  };
  ask("commit", {"rev-parse", "HEAD"});
  ask("describe", {"describe", "--tags", "--always", "--dirty"});
  ask("tag", {"describe", "--tags", "--exact-match"});
  return facts;
}

}  // namespace lithify
