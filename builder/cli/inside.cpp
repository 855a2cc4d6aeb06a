#include "builder/cli/inside.h"

#include <csignal>
#include <filesystem>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/caches/cache_mounts.h"
#include "builder/root/lay_out.h"
#include "builder/root/work_directory.h"

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

// By anything but what it ends with in order: Ctrl-C, SIGTERM, a reader that went away.
bool was_killed(int status) {
  return status > 128 && status != 128 + SIGINT && status != 128 + SIGTERM &&
         status != exits::k_reader_gone;
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
  int status = 0;
  try {
    status = run_as_owner(probe.owners, argv, env, session.stop());
  } catch (const oci::Cancelled&) {
    tidy_up(session, probe, program);
    throw;
  }
  if (was_killed(status)) {
    tidy_up(session, probe, program);
    throw oci::Error(oci::Errc::machine,
                     fmt::format("the half of lithify that has the sandbox's ids was "
                                 "killed by signal {}",
                                 status - 128))
        .add_note("something outside killed it, often for want of memory");
  }
  session.leave_printing();  // it has told all there is to tell
  return status;
}

}  // namespace lithify
