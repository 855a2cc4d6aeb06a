// sandbox: what a caller may ask, checked, then a session with a launcher.
#include "builder/sandbox/sandbox.h"

#include <unistd.h>

#include "oci/base/error.h"

#include "builder/sandbox/launcher/wire.h"
#include "builder/sandbox/session.h"

namespace lithify {

using oci::Errc;
using oci::Error;

namespace {

void refuse_without_level() {
  Error error(Errc::machine,
              "programs cannot be run on this machine: it allows no sandbox");
  for (const SandboxRemedy& remedy : probe_sandbox().remedies) {
    error.add_note("missing: " + remedy.missing);
    error.add_hint(remedy.cure);  // the first is for the best level
  }
  throw error;
}

// At L1 the root is all that there is.
void check_chroot(const SandboxPlan& plan) {
  if (plan.overlay) throw Error(Errc::internal, "at level L1 there is no overlay");
  for (const SandboxMount& mount : plan.mounts) {
    if (mount.kind == SandboxMount::Kind::bind)
      throw Error(Errc::internal, "at level L1 nothing is mounted at " + mount.target);
  }
  if (::geteuid() != 0) throw Error(Errc::machine, "level L1 needs root");
}

void check(const SandboxPlan& plan) {
  if (plan.level == SandboxLevel::none) refuse_without_level();
  if (plan.level == SandboxLevel::chroot) check_chroot(plan);
  if (plan.argv.empty() || plan.argv.front().empty())
    throw Error(Errc::bad_input, "no program is named");
  if (!plan.owners.uid.on_disk(plan.uid) || !plan.owners.gid.on_disk(plan.gid)) {
    Error error(Errc::machine, "the program cannot run as " + std::to_string(plan.uid) +
                                   ":" + std::to_string(plan.gid) +
                                   ": there are too few ids in the sandbox");
    for (const SandboxRemedy& remedy : probe_sandbox().remedies)
      error.add_hint(remedy.cure);
    throw error;
  }
}

SandboxOutcome run(const SandboxPlan& plan, const SessionOutput& output,
                   std::stop_token stop) {
  check(plan);
  if (stop.stop_requested()) throw oci::Cancelled();
  SandboxSession session = converse(plan, 0, output, std::move(stop));
  if (session.failure) throw *session.failure;
  return std::move(session.outcome);
}

}  // namespace

std::string_view level_name(SandboxLevel level) {
  switch (level) {
    case SandboxLevel::none:
      return "L0";
    case SandboxLevel::chroot:
      return "L1";
    case SandboxLevel::single_id:
      return "L2";
    case SandboxLevel::id_range:
      return "L3";
    case SandboxLevel::root:
      return "L4";
  }
  return "L0";
}

std::optional<SandboxLevel> parse_level(std::string_view name) {
  for (const SandboxLevel level :
       {SandboxLevel::none, SandboxLevel::chroot, SandboxLevel::single_id,
        SandboxLevel::id_range, SandboxLevel::root}) {
    if (level_name(level) == name) return level;
  }
  return std::nullopt;
}

SandboxOutcome run_sandbox(const SandboxPlan& plan, const SandboxOutput& output,
                           std::stop_token stop) {
  return run(plan, {output, nullptr}, std::move(stop));
}

SandboxOutcome run_sandbox(const SandboxPlan& plan, const SandboxStreams& streams,
                           std::stop_token stop) {
  return run(plan, {nullptr, &streams}, std::move(stop));
}

bool is_no_overlay(const Error& error) {
  return error.code() == Errc::machine &&
         std::string_view(error.what()).find(": mounting the overlay") !=
             std::string_view::npos;
}

int run_as_owner(const OwnerMap& owners, const std::vector<std::string>& argv,
                 const std::vector<std::string>& env, std::stop_token stop) {
  SandboxPlan plan;
  plan.level = SandboxLevel::id_range;
  plan.owners = owners;
  plan.argv = argv;
  plan.env = env;
  plan.terminal = true;
  const SandboxSession session = converse(plan, k_wire_enter_only, {}, std::move(stop));
  if (session.failure) throw *session.failure;
  const SandboxOutcome& outcome = session.outcome;
  return outcome.signal != 0 ? 128 + outcome.signal : outcome.exit_status;
}

}  // namespace lithify
