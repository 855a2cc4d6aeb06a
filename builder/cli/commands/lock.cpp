// lithify lock: writes what the build file's requests mean today.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "builder/cli/commands/commands.h"
#include "builder/cli/prepare.h"
#include "builder/resolve/requests.h"
#include "builder/tell/error_document.h"

namespace lithify {

namespace {

// The document of --json; a lock that is stale is told as an error.
void print_document(Session& session, const Workspace& workspace, const Lock& lock,
                    bool written) {
  if (!session.options().json) return;
  nlohmann::json unused_texts = unused(workspace.recipe, lock);
  session.print(json_line({{"schema", "lithify.lock/1"},
                           {"file", workspace.lock_file.string()},
                           {"written", written},
                           {"packages", lock.packages.size()},
                           {"urls", lock.urls.size()},
                           {"images", lock.images.size()},
                           {"unused", std::move(unused_texts)}}));
}

int check(Session& session, const Workspace& workspace) {
  const Lock lock = workspace.lock.value_or(Lock{});
  auto missing = unmet(workspace.recipe, lock);
  const auto unknown = unpinned(workspace.recipe, lock);
  missing.insert(missing.end(), unknown.begin(), unknown.end());
  if (!missing.empty() || !workspace.lock) {
    refuse_stale(session, workspace, missing, "running with --check");
  }
  tell_unused(session, workspace);
  print_document(session, workspace, *workspace.lock, false);
  return exits::k_ok;
}

std::string counted(std::size_t count, const char* what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

// How many entries a list gained, lost and changed would need names; the count says
// enough for a summary.
std::string size_of(const Lock& lock) {
  return fmt::format("{}, {}, {}", counted(lock.packages.size(), "package"),
                     counted(lock.urls.size(), "url"),
                     counted(lock.images.size(), "base image"));
}

}  // namespace

int run_lock(Session& session) {
  const Options& options = session.options();
  if (!options.update && !options.operands.empty()) {
    throw oci::Error(oci::Errc::bad_input,
                     "`lithify lock` takes names only with --update")
        .add_hint("write `lithify lock --update " + options.operands.front() + "`");
  }
  if (options.update && options.check) {
    throw oci::Error(oci::Errc::bad_input, "--update writes the lock, --check does not")
        .add_hint("write one of them");
  }
  const Workspace workspace = open_workspace(session);
  if (options.check) return check(session, workspace);
  Update update;
  update.all = options.update && options.operands.empty();
  update.names = {options.operands.begin(), options.operands.end()};
  const Lock lock = resolve_lock(session, workspace, update);
  const bool same = workspace.lock && workspace.lock->str() == lock.str();
  if (!same) write_lock(workspace, lock);
  print_document(session, workspace, lock, !same);
  if (session.wants_summary()) {
    session.tell(fmt::format("{} {}: {}\n", workspace.lock_file.string(),
                             same ? "is up to date" : "written", size_of(lock)));
    const std::size_t unknown = unpinned(workspace.recipe, lock).size();
    if (unknown > 0) {
      session.tell(
          fmt::format("the next `lithify build` adds what {} with `network: "
                      "pinned` {}\n",
                      counted(unknown, "command"), unknown == 1 ? "makes" : "make"));
    }
  }
  return exits::k_ok;
}

}  // namespace lithify
