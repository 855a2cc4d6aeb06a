#include "builder/command/run_commands.h"

#include <algorithm>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/command/foreign_platform.h"
#include "builder/command/identity.h"
#include "builder/root/step_root.h"
#include "builder/root/work_directory.h"
#include "builder/sandbox/sandbox.h"
#include "builder/tree/tree_path.h"

namespace lithify {

using oci::Errc;
using oci::Error;

namespace {

using Unable = SequenceResult::Unable;

// A command with the account that it runs as; or why there is none.
struct Prepared {
  const RunStep* what = nullptr;
  Identity identity = {};
  std::string directory = {};  // cwd, as the tree has it
  std::string refusal = {};
};

void keep(CapturedText& to, std::string_view text) {
  to.size += text.size();
  to.text.append(text.substr(0, k_most_captured - to.text.size()));
}

CommandResult not_started(std::string why) {
  CommandResult result;
  result.end = CommandResult::End::not_started;
  result.why = std::move(why);
  return result;
}

bool succeeded(const CommandResult& result) {
  return result.end == CommandResult::End::exited && result.number == 0;
}

class CommandsWork {
 public:
  CommandsWork(const CommandSequence& commands, const CommandRoot& where)
      : where_(where), probe_(probe_sandbox(where.tools.at_most)) {
    for (const RunStep& command : commands.before)
      before_.push_back(prepare(command));
    run_ = prepare(commands.run);
    for (const RunStep& command : commands.after)
      after_.push_back(prepare(command));
  }

  SequenceResult perform(oci::Activity& activity, const std::stop_token& stop) {
    SequenceResult result;
    result.unable = unable(stop);
    if (result.unable) return result;
    const RunTools& tools = where_.tools;
    WorkDirectory work(tools.work, [&](const std::filesystem::path& directory) {
      return remove_laid_out(directory, probe_, tools.program);
    });
    const Tree tree = with_directories();
    StepRoot root({tree, std::span(&tree, 1)}, work.path(),
                  {where_.store, probe_, tools.program, tools.shared.get(), tools.blobs},
                  activity, stop);
    const Place place{root, activity, stop};
    bool ready = true;
    for (const Prepared& command : before_) {
      if (!ready) break;
      result.before.push_back(run_beside(command, place));
      ready = succeeded(result.before.back());
    }
    if (ready) result.run = run(run_, place);
    for (const Prepared& command : after_)
      result.after.push_back(run_beside(command, place));
    return result;
  }

 private:
  struct Place {
    StepRoot& root;
    oci::Activity& activity;
    const std::stop_token& stop;
  };

  Prepared prepare(const RunStep& command) const {
    try {
      return {&command, identity_in(where_.tree, command.user, where_.store),
              tree_path(command.cwd)};
    } catch (const Error& error) {
      if (error.code() != Errc::bad_input) throw;
      return {&command, {}, {}, error.what()};
    }
  }

  std::optional<Unable> unable(const std::stop_token& stop) const {
    if (probe_.level == SandboxLevel::none) {
      const bool known = !probe_.remedies.empty();
      return Unable{"no command can be run on this machine: it allows no sandbox",
                    known ? probe_.remedies.back().cure : ""};
    }
    if (const auto error = cannot_run(where_.platform, probe_, where_.tools.work, stop))
      return Unable{error->what(), error->hint()};
    for (const Prepared* command : all()) {
      const Identity& who = command->identity;
      if (probe_.owners.uid.on_disk(who.uid) && probe_.owners.gid.on_disk(who.gid))
        continue;
      return Unable{
          fmt::format(
              "a command cannot run as {}:{} here: the sandbox has {}", who.uid, who.gid,
              probe_.owners.uid.count == 1
                  ? "no user but root"
                  : fmt::format("the ids 0 to {} alone", probe_.owners.uid.count - 1)),
          probe_.remedies.empty() ? "" : probe_.remedies.back().cure};
    }
    return std::nullopt;
  }

  std::vector<const Prepared*> all() const {
    std::vector<const Prepared*> commands;
    for (const Prepared& command : before_)
      commands.push_back(&command);
    commands.push_back(&run_);
    for (const Prepared& command : after_)
      commands.push_back(&command);
    return commands;
  }

  Tree with_directories() const {
    Tree tree = where_.tree;
    for (const Prepared* command : all()) {
      const std::string& path = command->directory;
      if (path.empty() || tree.resolve(path)) continue;
      Tree::Nodes nodes;
      nodes.emplace(path, implied_directory(k_constant_time));
      add_implied_parents(nodes, path, k_constant_time);
      try {
        tree = merge(tree, Tree(std::move(nodes)), false);
      } catch (const Error& error) {
        // Something else stands in its way; the command will say so.
        if (error.code() != Errc::bad_input) throw;
      }
    }
    return tree;
  }

  CommandResult run(const Prepared& command, const Place& place) const {
    if (!command.refusal.empty()) return not_started(command.refusal);
    SandboxPlan plan = plan_for(command);
    CommandResult result;
    const SandboxStreams streams{[&](std::string_view text) { keep(result.out, text); },
                                 [&](std::string_view text) { keep(result.err, text); }};
    try {
      const SandboxOutcome outcome = run_in(place, plan, streams);
      judge(outcome, *command.what, result);
    } catch (const Error& error) {
      if (error.code() != Errc::bad_input) throw;
      return not_started(error.what());
    }
    return result;
  }

  // There may be many of them.
  CommandResult run_beside(const Prepared& command, const Place& place) const {
    CommandResult result = run(command, place);
    if (succeeded(result)) result.out = result.err = {};
    return result;
  }

  static SandboxOutcome run_in(const Place& place, SandboxPlan& plan,
                               const SandboxStreams& streams) {
    place.root.put_into(plan);
    try {
      return run_sandbox(plan, streams, place.stop);
    } catch (const Error& error) {
      if (!is_no_overlay(error)) throw;
    }
    place.root.copy_instead(place.activity, place.stop);
    place.root.put_into(plan);
    return run_sandbox(plan, streams, place.stop);
  }

  SandboxPlan plan_for(const Prepared& command) const {
    const RunStep& what = *command.what;
    SandboxPlan plan;
    plan.level = probe_.level;
    plan.own_name = probe_.own_name;
    plan.owners = probe_.owners;
    plan.argv = what.argv;
    std::map<std::string, std::string> env = what.env;
    env.emplace("HOME", command.identity.home);
    env.emplace("PATH", k_command_path);
    for (const auto& [name, value] : env)
      plan.env.push_back(name + "=" + value);
    plan.cwd = what.cwd;
    plan.uid = command.identity.uid;
    plan.gid = command.identity.gid;
    plan.groups = command.identity.groups;
    plan.limits.memory = what.limits.memory;
    plan.limits.pids = what.limits.pids;
    plan.limits.cpu_time = std::chrono::seconds(what.limits.time);
    plan.limits.wall_time = std::chrono::seconds(what.limits.timeout);
    plan.cpus = what.limits.cpus;
    return plan;
  }

  static void judge(const SandboxOutcome& outcome, const RunStep& what,
                    CommandResult& result) {
    using End = CommandResult::End;
    if (outcome.timed_out) {
      result.end = End::timed_out;
      result.number = static_cast<int>(what.limits.timeout);
    } else if (outcome.out_of_memory) {
      result.end = End::out_of_memory;
    } else if (outcome.signal != 0) {
      result.end = End::signalled;
      result.number = outcome.signal;
    } else {
      result.number = outcome.exit_status;
    }
  }

  const CommandRoot& where_;
  const SandboxProbe& probe_;
  std::vector<Prepared> before_;
  Prepared run_;
  std::vector<Prepared> after_;
};

}  // namespace

SequenceResult perform_commands(const CommandSequence& commands, const CommandRoot& where,
                                oci::Activity& activity, std::stop_token stop) {
  return CommandsWork(commands, where).perform(activity, stop);
}

}  // namespace lithify
