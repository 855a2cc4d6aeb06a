#include "builder/cli/checkout.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/cli/program.h"
#include "builder/plan/glob.h"

namespace lithify {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_most_status = 16 << 20;  // bytes of `git status`

struct Answer {
  bool good = false;
  std::string text;
};

Answer ask(const std::string& directory, std::vector<std::string> words,
           std::size_t most = 64 * 1024) {
  words.insert(words.begin(), {"git", "-C", directory});
  ProgramResult result = run_program(words, most);
  return {result.exit == 0 && result.output.size() < most, std::move(result.output)};
}

std::string one_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

// "git@host:path" as the URL that says the same; empty for a path of this machine.
std::string as_url(const std::string& remote) {
  if (remote.find("://") != std::string::npos) return remote;
  const std::size_t colon = remote.find(':');
  if (colon == std::string::npos || remote.find('/') < colon) return "";
  return "ssh://" + remote.substr(0, colon) + "/" + remote.substr(colon + 1);
}

// Whether a source takes something that is not as it is in the commit. `changed` are
// paths below `top`.
bool takes_any(const LocalSource& local, const fs::path& source, const fs::path& top,
               const std::vector<std::string>& changed) {
  const PathFilter filter(local.include, local.exclude);
  return std::any_of(changed.begin(), changed.end(), [&](const std::string& path) {
    const std::string relative = (top / path).lexically_relative(source).string();
    if (relative.empty() || relative.rfind("..", 0) == 0) return false;
    return relative == "." || filter.takes(relative);
  });
}

// Changed, added, removed and ignored files: "XY path", each ended by NUL.
std::optional<std::vector<std::string>> changes_in(const std::string& directory) {
  const Answer status = ask(directory,
                            {"status", "--porcelain=v1", "-z", "--ignored=traditional",
                             "--untracked-files=all", "--no-renames", "--", ":/"},
                            k_most_status);
  if (!status.good) return std::nullopt;
  std::vector<std::string> changed;
  std::string_view rest = status.text;
  while (rest.size() > 3) {
    const std::string_view line = rest.substr(0, rest.find('\0'));
    if (line.size() > 3) changed.emplace_back(line.substr(3));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
  }
  return changed;
}

bool is_inside(const fs::path& path, const fs::path& top) {
  const fs::path relative = path.lexically_relative(top);
  return !relative.empty() && *relative.begin() != "..";
}

bool is_spoken(std::string_view remote, bool trusted) {
  static constexpr std::array<std::string_view, 4> k_spoken = {"https://", "ssh://",
                                                               "git://", "http://"};
  const auto begins = [&](std::string_view scheme) {
    return remote.rfind(scheme, 0) == 0;
  };
  return std::any_of(k_spoken.begin(), k_spoken.end(), begins) ||
         (trusted && begins("file://"));
}

void run_git(const std::vector<std::string>& words, const std::string& doing) {
  std::vector<std::string> argv = {"env",
                                   "GIT_TERMINAL_PROMPT=0",
                                   "GIT_ALLOW_PROTOCOL=https:ssh:git:http:file",
                                   "GIT_LFS_SKIP_SMUDGE=1",
                                   "git",
                                   "-c",
                                   "core.hooksPath=/dev/null",
                                   "-c",
                                   "core.fsmonitor=false",
                                   "-c",
                                   "advice.detachedHead=false",
                                   "-c",
                                   "submodule.recurse=false"};
  argv.insert(argv.end(), words.begin(), words.end());
  const ProgramResult result = run_program(argv);
  if (result.exit == 0) return;
  throw oci::Error(oci::Errc::unavailable,
                   result.exit == 127
                       ? "git is not installed, so " + doing + " cannot be done"
                       : doing + " failed")
      .add_hint("fetch the sources yourself, and name them with `--source DIR`");
}

}  // namespace

std::optional<Provenance::Checkout> clean_checkout(const Recipe& recipe) {
  const Answer where = ask(recipe.directory, {"rev-parse", "--show-toplevel"});
  const Answer commit = ask(recipe.directory, {"rev-parse", "HEAD"});
  const Answer prefix = ask(recipe.directory, {"rev-parse", "--show-prefix"});
  const Answer remote = ask(recipe.directory, {"config", "--get", "remote.origin.url"});
  if (!where.good || !commit.good || !prefix.good || !remote.good) return std::nullopt;
  const std::string url = as_url(one_line(remote.text));
  const auto changed = changes_in(recipe.directory);
  if (url.empty() || !changed) return std::nullopt;
  const fs::path top = one_line(where.text);
  std::error_code problem;
  const fs::path base = fs::weakly_canonical(recipe.directory, problem);
  for (const auto& [key, source] : recipe.sources) {
    const auto* local = std::get_if<LocalSource>(&source.kind);
    if (local == nullptr) continue;
    const fs::path path = (base / local->path).lexically_normal();
    if (!is_inside(path, top) || takes_any(*local, path, top, *changed))
      return std::nullopt;
  }
  std::string directory = one_line(prefix.text);
  if (!directory.empty()) directory.pop_back();  // its slash
  return Provenance::Checkout{url, one_line(commit.text), directory};
}

fs::path fetch_checkout(const Provenance::Checkout& checkout, const fs::path& to,
                        bool trusted) {
  if (!is_spoken(checkout.remote, trusted)) {
    throw oci::Error(oci::Errc::bad_input,
                     fmt::format("the sources are said to be at {}, which is not fetched",
                                 checkout.remote))
        .add_note(
            "an address may run programs; https, ssh and git do not, and file:// is "
            "believed only of whom `--key` names")
        .add_hint("fetch them yourself, and name them with `--source DIR`");
  }
  const std::string path = to.string();
  run_git({"init", "--quiet", "--template=", "--", path}, "making a checkout");
  // The commit alone, where the server gives it; else all that leads to it.
  const std::string doing = "fetching " + checkout.commit + " from " + checkout.remote;
  try {
    run_git({"-C", path, "fetch", "--quiet", "--no-tags", "--depth=1",
             "--no-recurse-submodules", "--", checkout.remote, checkout.commit},
            doing);
  } catch (const oci::Error&) {
    run_git(
        {"-C", path, "fetch", "--quiet", "--no-recurse-submodules", "--", checkout.remote,
         "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"},
        doing);
  }
  run_git({"-C", path, "checkout", "--quiet", "--detach", checkout.commit},
          "checking out " + checkout.commit);
  return checkout.directory.empty() ? to : to / checkout.directory;
}

}  // namespace lithify
