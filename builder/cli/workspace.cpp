#include "builder/cli/workspace.h"

#include <algorithm>

#include <fmt/format.h>

#include "oci/base/fd.h"

#include "builder/cli/epoch.h"
#include "builder/cli/git.h"
#include "builder/cli/verifying.h"
#include "builder/frontend/known_platforms.h"

namespace lithify {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t k_max_build_file = 4 * 1024 * 1024;
constexpr std::uint64_t k_max_lock = 64 * 1024 * 1024;
constexpr std::uint64_t k_max_tests = 1024 * 1024;  // a file of tests

std::string text_of_build_file(Session& session, const std::string& file) {
  const Recorded* recorded = session.recorded();
  if (recorded != nullptr && recorded->build_file_text) return *recorded->build_file_text;
  std::error_code problem;
  if (!fs::exists(file, problem)) {
    oci::Error error(oci::Errc::not_found, "there is no build file " + file);
    if (fs::exists("Dockerfile", problem)) {
      error.add_note("there is a Dockerfile; lithify does not read those yet");
    }
    const fs::path other = fs::path(file).replace_extension(".yml");
    if (fs::exists(other, problem)) {
      throw error.add_hint(fmt::format("there is {}: rename it, or write `-f {}`",
                                       other.string(), other.string()));
    }
    throw error.add_hint("name it with `-f FILE`, or its directory with `-C DIR`");
  }
  return oci::read_file(file, k_max_build_file);
}

// A file that the build file names. What is wrong with it is told with its lines.
std::optional<std::string> text_beside(Session& session, const std::string& directory,
                                       const std::string& path) {
  try {
    std::string text = oci::read_file(fs::path(directory) / path, k_max_tests);
    session.texts().add(path, text);
    return text;
  } catch (const oci::Error&) {
    return std::nullopt;
  }
}

FrontendOptions frontend_options(Session& session, const std::string& directory,
                                 std::string_view text,
                                 const std::vector<oci::Platform>& platforms) {
  FrontendOptions options;
  for (const auto& [name, value] : session.options().arguments)
    options.args.insert_or_assign(name, value);
  options.platforms = platforms;
  options.environment = session.environment();
  options.read_file = [&session, directory](const std::string& path) {
    return text_beside(session, directory, path);
  };
  const Recorded* recorded = session.recorded();
  if (recorded != nullptr && recorded->build_file_text) {
    options.project = recorded->project;
    options.environment.clear();  // what it gave is among the arguments
    // Tests decide no byte, and a stranger names their files.
    options.read_file = [](const std::string&) {
      return std::optional<std::string>("schemaVersion: 2.0.0\n");
    };
  }
  // Asking git costs milliseconds, which a build of nothing has not.
  if (text.find("$(git.") != std::string_view::npos)
    options.git = git_facts_of(session, directory);
  if (text.find("$(epoch)") != std::string_view::npos) {
    options.epoch = [&session, directory](const EpochRule& rule) {
      return epoch_of(rule, directory, session.environment()).seconds;
    };
  }
  return options;
}

// Bases were verified when they were locked, by keys that need not be here.
void forget_verifications(Recipe& recipe) {
  for (auto& [key, source] : recipe.sources) {
    if (auto* image = std::get_if<ImageSource>(&source.kind)) image->verify.reset();
  }
}

}  // namespace

GitFacts git_facts_of(Session& session, const std::string& directory) {
  const Recorded* recorded = session.recorded();
  const bool told = recorded != nullptr && recorded->build_file_text;
  return told ? recorded->git : git_facts(directory);
}

void tell_problems(Session& session, const std::vector<Problem>& problems) {
  std::size_t errors = 0;
  for (const Problem& problem : problems) {
    session.tell(problem.error, problem.severity);
    errors += problem.severity == Problem::Severity::error ? 1 : 0;
  }
  if (errors > 1) session.tell(fmt::format("{} errors\n", errors));
}

std::vector<oci::Platform> wanted_platforms(const Options& options) {
  std::vector<oci::Platform> platforms;
  for (const std::string& text : options.platforms) {
    const auto platform = oci::Platform::parse(text);
    if (!platform) {
      throw oci::Error(oci::Errc::bad_input, "`" + text + "` is no platform")
          .add_hint("write it as `--platform linux/arm64`");
    }
    if (!is_known(*platform)) throw unknown_platform(*platform);
    if (std::find(platforms.begin(), platforms.end(), *platform) == platforms.end()) {
      platforms.push_back(*platform);
    }
  }
  return platforms;
}

Reading read_build_file(Session& session, const std::string& file,
                        const std::vector<oci::Platform>& platforms) {
  const std::string text = text_of_build_file(session, file);
  session.texts().add(file, text);
  const std::string directory =
      fs::absolute(file).lexically_normal().parent_path().string();
  return read_lithify_file(file, directory, text,
                           frontend_options(session, directory, text, platforms));
}

Recipe read_recipe(Session& session, const std::vector<oci::Platform>& platforms) {
  Reading reading = read_build_file(session, session.options().file, platforms);
  tell_problems(session, reading.problems);
  if (!reading.recipe) throw Reported{exits::k_usage};
  const Recorded* recorded = session.recorded();
  if (recorded != nullptr && recorded->build_file_text) {
    forget_verifications(*reading.recipe);
  } else {
    pin_verifications(*reading.recipe);
  }
  return std::move(*reading.recipe);
}

Workspace open_workspace(Session& session) {
  Workspace workspace{read_recipe(session, wanted_platforms(session.options())),
                      lock_file_of(session.options().file), std::nullopt};
  const Recorded* recorded = session.recorded();
  if (recorded != nullptr && recorded->lock_text) {
    session.texts().add(workspace.lock_file.string(), *recorded->lock_text);
    workspace.lock = Lock::parse(*recorded->lock_text, workspace.lock_file.string());
    return workspace;
  }
  std::error_code problem;
  if (fs::exists(workspace.lock_file, problem)) {
    std::string text = oci::read_file(workspace.lock_file, k_max_lock);
    session.texts().add(workspace.lock_file.string(), text);
    workspace.lock = Lock::parse(text, workspace.lock_file.string());
  }
  return workspace;
}

}  // namespace lithify
