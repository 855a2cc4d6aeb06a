// lithify lock: writes what the build file's requests mean today.
#include <fmt/format.h>

#include "builder/cli/commands/commands.h"
#include "builder/cli/prepare.h"
#include "builder/resolve/requests.h"

namespace lithify {

namespace {

int check(Session& session, const Workspace& workspace) {
  const auto missing = unmet(workspace.recipe, workspace.lock.value_or(Lock{}));
  if (!missing.empty() || !workspace.lock) {
    refuse_stale(session, workspace, missing, "running with --check");
  }
  tell_unused(session, workspace);
  return exits::k_ok;
}

// How many entries a list gained, lost and changed would need names; the count says
// enough for a summary.
std::string size_of(const Lock& lock) {
  return fmt::format("{} packages, {} urls, {} base images", lock.packages.size(),
                     lock.urls.size(), lock.images.size());
}

}  // namespace

int run_lock(Session& session) {
  const Options& options = session.options();
  if (!options.update && !options.operands.empty()) {
    throw oci::Error(oci::Errc::bad_input,
                     "`lithify lock` takes names only with --update")
        .add_hint("write `lithify lock --update " + options.operands.front() + "`");
  }
  const Workspace workspace = open_workspace(session);
  if (options.check) return check(session, workspace);
  Update update;
  update.all = options.update && options.operands.empty();
  update.names = {options.operands.begin(), options.operands.end()};
  const Lock lock = resolve_lock(session, workspace, update);
  const bool same = workspace.lock && workspace.lock->str() == lock.str();
  if (!same) write_lock(workspace, lock);
  if (session.wants_summary()) {
    session.tell(fmt::format("{} {}: {}\n", workspace.lock_file.string(),
                             same ? "is up to date" : "written", size_of(lock)));
  }
  return exits::k_ok;
}

}  // namespace lithify
