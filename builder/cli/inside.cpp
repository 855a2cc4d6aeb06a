#include "builder/cli/inside.h"

#include <filesystem>

#include "oci/base/error.h"

#include "builder/run/cache_mounts.h"
#include "builder/run/lay_out.h"
#include "builder/run/work_directory.h"

namespace lithify {

namespace fs = std::filesystem;

namespace {

// It was killed, so it could not tidy up.
void tidy_up(const Session& session, const SandboxProbe& probe,
             const std::string& program) {
  remove_dead_work(session.store_path() / "work", [&](const fs::path& work) {
    return remove_laid_out(work, probe, program);
  });
}

}  // namespace

std::string take_inside(std::vector<std::string>& words) {
  if (words.size() < 3 || words[0] != "internal" || words[1] != "inside") return "";
  std::string owners = std::move(words[2]);
  words.erase(words.begin(), words.begin() + 3);
  return owners;
}

std::string owners_of_caches(const Session& session) {
  if (!session.options().inside.empty()) return session.options().inside;
  const SandboxProbe& probe = probe_sandbox();
  return probe.level == SandboxLevel::none ? "" : cache_owners(probe.owners);
}

bool may_go_inside(const Session& session) {
  return session.options().inside.empty() && !session.is_root();
}

int run_inside(Session& session) {
  const SandboxProbe& probe = probe_sandbox();
  const std::string program = fs::read_symlink("/proc/self/exe");
  std::vector<std::string> argv = {program, "internal", "inside",
                                   owners_of_caches(session)};
  const std::vector<std::string>& words = session.options().words;
  argv.insert(argv.end(), words.begin(), words.end());
  std::vector<std::string> env;
  for (const auto& [name, value] : session.environment())
    env.push_back(name + "=" + value);
  session.leave_printing();
  try {
    const int status = run_as_owner(probe.owners, argv, env, session.stop());
    if (status > 128) tidy_up(session, probe, program);
    return status;
  } catch (const oci::Cancelled&) {
    tidy_up(session, probe, program);
    throw;
  }
}

}  // namespace lithify
