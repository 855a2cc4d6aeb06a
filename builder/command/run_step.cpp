#include "builder/command/run_step.h"

#include <algorithm>
#include <map>
#include <vector>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/store/temporary_file.h"

#include "builder/command/command_failure.h"
#include "builder/command/foreign_platform.h"
#include "builder/command/identity.h"
#include "builder/command/mount_points.h"
#include "builder/command/normalise.h"
#include "builder/command/placed_mounts.h"
#include "builder/command/run_mounts.h"
#include "builder/command/step_log.h"
#include "builder/root/step_root.h"
#include "builder/root/work_directory.h"
#include "builder/sandbox/other_owners.h"
#include "builder/tree/tree_path.h"

namespace lithify {

using oci::Errc;
using oci::Error;

namespace fs = std::filesystem;

namespace {

std::string key_name(const Step& step, std::span<const Tree> inputs) {
  std::vector<oci::Digest> digests;
  for (const Tree& input : inputs)
    digests.push_back(input.digest());
  return step_key(step, digests).hex().substr(0, 16);
}

class RunStepWork {
 public:
  RunStepWork(const Step& step, const Run& run, std::span<const Tree> inputs,
              oci::BlobStore& store, const RunTools& tools)
      : step_(step),
        run_(run),
        inputs_(inputs),
        store_(store),
        tools_(tools),
        probe_(probe_runner(tools.runner, tools.at_most)) {
    if (!tools.vary.has(Varied::owners)) return;
    if (const auto others = other_owners(probe_)) probe_.owners = *others;
  }

  Tree perform(oci::Activity& activity, const std::stop_token& stop) {
    require_sandbox();
    require_network();
    if (const auto error = cannot_run(step_.platform, probe_, tools_.work, stop))
      throw *error;
    if (step_.below > inputs_.size())
      throw Error(Errc::internal, "a step stands on more trees than it has inputs");
    const Tree below = merge_below(inputs_.last(step_.below), step_.on_base);
    if (tools_.visit == nullptr) require_program(below);
    const Identity identity = identity_in(below, run_.what.user, store_);
    oci::make_directories(tools_.logs);
    WorkDirectory work(tools_.work, [this](const fs::path& directory) {
      return remove_laid_out(directory, probe_, tools_.program);
    });
    const RootTools root_tools{store_, probe_, tools_.program, tools_.shared.get(),
                               tools_.blobs};
    StepRoot root({below, inputs_.last(step_.below), step_.on_base}, work.path(),
                  root_tools, activity, stop);
    SandboxPlan plan = plan_for(identity);
    const RunMounts::Request request{run_, inputs_, tools_, root_tools, work.path()};
    RunMounts mounts(request, activity, stop);
    plan.env.insert(plan.env.end(), mounts.secret_env().begin(),
                    mounts.secret_env().end());
    plan.mounts = std::move(mounts).take();
    PlacedMounts placed(root.path(), work.path());
    if (!probe_.mounts) placed.take(plan.mounts);
    if (run_.what.network == Network::pinned) add_network(plan);
    if (tools_.visit != nullptr && !tools_.visit->after)
      return visit(plan, below, root, activity, stop);
    StepLog log(tools_.logs / (key_name(step_, inputs_) + log_ending()), mounts.secrets(),
                activity);
    const SandboxOutcome outcome = run(plan, root, log, stop);
    log.end();
    if (tools_.visit != nullptr) {
      ended_ = how_it_ended(run_.what, outcome);
      return visit(plan, below, root, activity, stop);
    }
    if (!succeeded(outcome)) fail(outcome, log, root, work);
    std::vector<std::string> mount_points = placed.put_back();
    mount_points.insert(mount_points.end(), outcome.made.begin(), outcome.made.end());
    Tree change = root.changes(mount_points, run_.mtime, activity, stop);
    return finish(std::move(change), below, log);
  }

 private:
  SandboxOutcome run(SandboxPlan& plan, StepRoot& root, StepLog& log,
                     const std::stop_token& stop) const {
    if (tools_.performed != nullptr) ++*tools_.performed;
    const auto write = [&](std::string_view text) { log.write(text); };
    if (tools_.runner != SandboxRunner::own)
      return run_elsewhere(plan, root, write, stop);
    return run_here(plan, root, write, log.activity(), stop);
  }

  static SandboxOutcome run_here(SandboxPlan& plan, StepRoot& root,
                                 const SandboxOutput& write, oci::Activity& activity,
                                 const std::stop_token& stop) {
    root.put_into(plan);
    try {
      return run_sandbox(plan, write, stop);
    } catch (const Error& error) {
      if (!is_no_overlay(error)) throw;
    }
    root.copy_instead(activity, stop);
    root.put_into(plan);
    return run_sandbox(plan, write, stop);
  }

  SandboxOutcome run_elsewhere(SandboxPlan& plan, StepRoot& root,
                               const SandboxOutput& write,
                               const std::stop_token& stop) const {
    root.put_into(plan);
    std::vector<std::string> made = make_mount_points(root.path(), plan);
    const fs::path work = root.path().parent_path();
    const fs::path box = work / ("box-" + work.filename().string());
    oci::make_directories(box);
    SandboxOutcome outcome = run_foreign(tools_.runner, plan, box, write, stop);
    outcome.made = std::move(made);
    return outcome;
  }

  Tree visit(SandboxPlan plan, const Tree& below, StepRoot& root, oci::Activity& activity,
             const std::stop_token& stop) const {
    Visit& visit = *tools_.visit;
    plan.argv = visit.argv.empty() ? std::vector{shell_in(below)} : visit.argv;
    if (!visit.terminal.empty()) plan.env.push_back("TERM=" + visit.terminal);
    plan.terminal = true;
    plan.limits.wall_time = {};
    visit.begin(ended_);
    const SandboxOutcome outcome = run_here(plan, root, nullptr, activity, stop);
    visit.status = outcome.signal != 0 ? 128 + outcome.signal : outcome.exit_status;
    return {};
  }

  std::string shell_in(const Tree& below) const {
    std::vector<std::string> shells = {"/bin/bash", "/bin/sh", run_.what.argv.front()};
    const bool has_script = run_.what.argv.size() > 2;
    if (!has_script) shells.pop_back();
    for (const std::string& shell : shells) {
      if (shell.starts_with('/') && below.resolve(tree_path(shell))) return shell;
    }
    throw Error(Errc::bad_input, "there is no shell where the step runs")
        .add_hint("name a program that is there: `lithify shell IMAGE:STEP -- PROGRAM`");
  }

  void require_sandbox() const {
    // Packages have files of many owners, and dpkg fails late and tells it badly.
    const bool lacking =
        probe_.level == SandboxLevel::none ||
        (run_.maintainer_scripts && probe_.level == SandboxLevel::single_id);
    if (!lacking) return;
    Error error(Errc::machine,
                run_.maintainer_scripts
                    ? "maintainer scripts cannot run here: they give files away"
                    : "no command can be run on this machine");
    for (const SandboxRemedy& remedy : probe_.remedies)
      error.add_note(fmt::format("missing: {}", remedy.missing));
    if (!probe_.remedies.empty()) error.add_hint(probe_.remedies.back().cure);
    throw error;
  }

  void require_network() const {
    if (run_.what.network != Network::pinned || !tools_.offline) return;
    throw Error(Errc::unavailable,
                fmt::format("`{}` wants the network, and its result is not in the store",
                            step_.label))
        .add_hint("build once without --offline");
  }

  // The commonest mistake: a shell's script where there is no shell. Programs that a
  // mount brings are not in the tree.
  void require_program(const Tree& below) const {
    const std::string& program = run_.what.argv.at(0);
    if (!program.starts_with('/') || !run_.what.mounts.empty()) return;
    if (below.resolve(tree_path(program))) return;
    throw Error(Errc::bad_input,
                fmt::format("there is no {} where the step runs", program))
        .add_hint(
            "stand on an image or stage that has one, or install it in a step "
            "before; for a shell from Debian `packages: [dash]` and `symlink: "
            "/bin/sh` with `target: dash`");
  }

  SandboxPlan plan_for(const Identity& identity) const {
    const RunStep& what = run_.what;
    SandboxPlan plan;
    plan.level = probe_.level;
    plan.own_name = probe_.own_name;
    plan.owners = probe_.owners;
    plan.argv = what.argv;
    std::map<std::string, std::string> env = {
        {"HOME", identity.home},
        {"LC_ALL", "C.UTF-8"},
        {"PATH", k_command_path},
        {"SOURCE_DATE_EPOCH", std::to_string(run_.epoch)},
        {"TZ", "UTC"},
    };
    for (const std::string& name : what.unset)
      env.erase(name);
    for (const auto& [name, value] : what.env)
      env.insert_or_assign(name, value);
    for (const auto& [name, value] : env)
      plan.env.push_back(name + "=" + value);
    plan.cwd = what.cwd;
    plan.uid = identity.uid;
    plan.gid = identity.gid;
    plan.groups = identity.groups;
    plan.limits.memory = what.limits.memory;
    plan.limits.pids = what.limits.pids;
    plan.limits.cpu_time = std::chrono::seconds(what.limits.time);
    plan.limits.wall_time = std::chrono::seconds(what.limits.timeout);
    plan.cpus = what.limits.cpus;
    if (what.clock == StepClock::epoch) plan.clock = SandboxClock{run_.epoch, false};
    tools_.vary.change(what, plan);
    return plan;
  }

  // The log of the first time is not written over.
  const char* log_ending() const { return tools_.vary.any() ? "-again.log" : ".log"; }

  void add_network(SandboxPlan& plan) const {
    plan.network = SandboxNetwork::host;
    SandboxMount resolver;
    resolver.kind = SandboxMount::Kind::file;
    resolver.content = tools_.resolver;
    resolver.target = "/etc/resolv.conf";
    resolver.mode = 0644;
    plan.mounts.push_back(std::move(resolver));
  }

  [[noreturn]] void fail(const SandboxOutcome& outcome, const StepLog& log,
                         const StepRoot& root, WorkDirectory& work) const {
    Error error = failure_of(
        {step_.label, run_.what, outcome, log, probe_, root.is_overlay(), tools_.work});
    if (tools_.keep_failed) {
      work.keep();
      error.add_note("its files are in " + root.path().string());
    }
    throw error;
  }

  Tree finish(Tree change, const Tree& below, const StepLog& log) const {
    if (!run_.what.outputs.empty()) change = outputs_of(change, below, log);
    Normalised normalised = normalise(
        std::move(change),
        {below, run_.what.unnormalised, run_.mtime, run_.maintainer_scripts}, store_);
    for (const std::string& note : normalised.notes)
      log.activity().output(note);
    return std::move(normalised.change);
  }

  // What lies at or below one of the outputs, and that each of them is there.
  Tree outputs_of(const Tree& change, const Tree& below, const StepLog& log) const {
    Tree::Nodes kept;
    for (const std::string& output : run_.what.outputs) {
      const std::string path = tree_path(output);
      const auto& nodes = change.nodes();
      const auto found = nodes.find(path);
      if (found == nodes.end() && below.find(path) == nullptr) {
        throw Error(Errc::failed,
                    fmt::format("`{}` did not make its output {}", step_.label, output))
            .add_note("all it wrote is in " + log.path().string())
            .add_hint("let it make that, or correct `outputs` of the step");
      }
      if (found != nodes.end()) kept.insert(*found);
      kept.insert(nodes.lower_bound(path + '/'), nodes.lower_bound(path + '0'));
      if (kept.find(path) != kept.end()) add_implied_parents(kept, path, run_.mtime);
    }
    return Tree(std::move(kept));
  }

  const Step& step_;
  const Run& run_;
  const std::span<const Tree> inputs_;
  oci::BlobStore& store_;
  const RunTools& tools_;
  SandboxProbe probe_;
  std::string ended_;  // how the command did, for a visit
};

}  // namespace

Tree perform_run(const Step& step, const Run& run, std::span<const Tree> inputs,
                 oci::BlobStore& store, const RunTools& tools, oci::Activity& activity,
                 std::stop_token stop) {
  return RunStepWork(step, run, inputs, store, tools).perform(activity, stop);
}

}  // namespace lithify
