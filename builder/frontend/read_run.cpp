#include "builder/frontend/read_run.h"

#include <algorithm>

#include <fmt/format.h>

#include "builder/frontend/codes.h"
#include "builder/frontend/fields.h"
#include "builder/frontend/values.h"
#include "builder/plan/glob.h"
#include "builder/plan/suggest.h"

namespace lithify {

namespace {

// The kernel takes no longer argument (MAX_ARG_STRLEN, with its NUL).
constexpr std::size_t k_max_word = 131071;
constexpr std::size_t k_max_mounts = 64;
constexpr std::size_t k_max_outputs = 64;
constexpr std::uint64_t k_least_memory = 1 << 20;
constexpr std::string_view k_of_the_sandbox[] = {"/proc", "/sys", "/dev"};

bool is_of_the_sandbox(const std::string& path) {
  return std::any_of(std::begin(k_of_the_sandbox), std::end(k_of_the_sandbox),
                     [&](std::string_view own) { return is_within(path, own); });
}

RunMount::Share share_of(const YamlNode& node) {
  const std::string share = text_of(node, "share", "shared");
  return share == "locked"    ? RunMount::Share::locked
         : share == "private" ? RunMount::Share::apart
                              : RunMount::Share::shared;
}

}  // namespace

std::vector<std::string> command_of(const YamlNode& run, const YamlNode* shell,
                                    Problems& problems) {
  std::vector<std::string> words = texts(&run);
  const bool is_script = run.is_scalar();
  if (!is_script && !words.empty() && words[0].empty())
    problems.error(offence(code::k_command, run.items[0].place(),
                           "the first word of a command is empty", "which program?"));
  const auto longest =
      std::max_element(words.begin(), words.end(),
                       [](const auto& a, const auto& b) { return a.size() < b.size(); });
  if (longest != words.end() && longest->size() > k_max_word) {
    oci::Error error = offence(
        code::k_too_large, run.place(),
        fmt::format("no program takes an argument of more than {} bytes", k_max_word),
        "too long");
    error.add_hint("put it into a file of a source and mount that");
    problems.error(std::move(error));
  }
  if (!is_script) return words;
  std::vector<std::string> argv = shell ? texts(shell) : std::vector<std::string>();
  if (argv.empty()) argv = {"/bin/sh", "-eu", "-c"};
  argv.insert(argv.end(), words.begin(), words.end());
  return argv;
}

std::int64_t seconds_of(const YamlNode& map, std::string_view key, Problems& problems) {
  constexpr std::int64_t k_second = 1'000'000'000;
  const YamlNode* node = map.find(key);
  if (!node || !node->is_scalar()) return 0;
  const auto time = parse_duration(node->text);
  if (!time) return 0;  // already reported
  if (*time < k_second)
    problems.error(offence(code::k_bad_value, node->place(),
                           fmt::format("`{}` cannot be `{}`", key, node->text),
                           "at least a second"));
  return (*time + k_second - 1) / k_second;
}

RunStep RunReader::read(const YamlNode& step, const YamlNode::Entry& main) {
  RunStep made;
  const YamlNode* shell = own_or_default(step, "shell");
  const YamlNode::Entry* own_shell = step.find_entry("shell");
  if (own_shell && main.value.is_list())
    context_.problems.error(offence(code::k_misplaced_field, own_shell->key.place(),
                                    "`shell` runs a script, and this is a list of words",
                                    "no shell has part in it"));
  made.argv = command_of(main.value, shell, context_.problems);
  read_environment(step, made);
  const YamlNode* cwd = own_or_default(step, "cwd");
  if (cwd && cwd->is_scalar()) made.cwd = parse_image_path(cwd->text).value_or("/");
  const YamlNode* user = own_or_default(step, "user");
  if (user && user->is_scalar())
    made.user = context_.accounts.user(*user, context_.problems);
  made.mounts = mounts(step);
  check_secrets(step, made);
  made.network = text_of(step, "network") == "pinned" ? Network::pinned : Network::none;
  made.outputs = outputs(step, made);
  made.clock = text_of(step, "clock") == "epoch" ? StepClock::epoch : StepClock::real;
  made.limits = limits(step);
  made.unnormalised = read_unnormalised(step, context_.problems);
  return made;
}

const YamlNode* RunReader::own_or_default(const YamlNode& step,
                                          std::string_view field) const {
  const YamlNode* own = step.find(field);
  return own ? own : default_of(context_, field);
}

void RunReader::read_environment(const YamlNode& step, RunStep& made) {
  std::set<std::string> unset;
  const auto add = [&](const YamlNode& map) {
    for (const YamlNode::Entry& entry : map.entries) {
      const std::string& name = entry.key.text;
      made.env.erase(name);
      unset.erase(name);
      if (entry.value.is_scalar()) {
        made.env[name] = entry.value.text;
      } else {
        unset.insert(name);
      }
    }
  };
  if (const YamlNode* env = default_of(context_, "env")) add(*env);
  if (const YamlNode* env = step.find("env")) add(*env);
  made.unset.assign(unset.begin(), unset.end());
}

std::vector<RunMount> RunReader::mounts(const YamlNode& step) {
  std::vector<RunMount> all;
  if (const YamlNode* list = step.find("mounts")) add_mounts(*list, all, false);
  const std::vector<RunMount> own = std::exchange(all, {});
  if (const YamlNode* list = default_of(context_, "mounts")) add_mounts(*list, all, true);
  // A mount of the step's own takes the place of a default one.
  std::erase_if(all, [&](const RunMount& mount) {
    return std::any_of(own.begin(), own.end(), [&](const RunMount& other) {
      return mount.at == other.at && mount.env == other.env;
    });
  });
  all.insert(all.end(), own.begin(), own.end());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::vector<RunMount> earlier(all.begin(),
                                        all.begin() + static_cast<std::ptrdiff_t>(i));
    check_place(all[i], earlier);
  }
  return all;
}

void RunReader::add_mounts(const YamlNode& list, std::vector<RunMount>& mounts,
                           bool of_defaults) {
  if (list.items.size() > k_max_mounts)
    return context_.problems.error(
        offence(code::k_too_large, list.place(),
                fmt::format("more than {} mounts{}", k_max_mounts,
                            of_defaults ? " in `defaults`" : " in one step")));
  for (const YamlNode& item : list.items) {
    if (item.is_map()) mounts.push_back(mount(item));
  }
}

RunMount RunReader::mount(const YamlNode& node) {
  RunMount made;
  made.place = node.place();
  made.at = image_path_of(node, "at");
  if (node.find("from")) {
    read_tree(node, made);
  } else if (node.find("cache")) {
    made.kind = RunMount::Kind::cache;
    made.id = text_of(node, "cache");
    made.share = share_of(node);
  } else if (node.find("secret")) {
    read_secret(node, made);
  } else {
    made.kind = RunMount::Kind::temporary;
    made.at = image_path_of(node, "tmp");
    made.size = parse_size(text_of(node, "size")).value_or(0);
  }
  return made;
}

void RunReader::read_tree(const YamlNode& node, RunMount& made) {
  const YamlNode& from = *node.find("from");
  if (from.is_scalar()) {
    TreeName tree = tree_named(from, context_);
    made.from = std::move(tree.name);
    made.of_stage = tree.of_stage;
  }
  made.write = flag_of(node, "write", false);
  const YamlNode* path = node.find("path");
  if (!path || !path->is_scalar()) return;
  made.path = parse_source_path(path->text).value_or(".");
  if (made.path != "." && !Glob(made.path).is_literal())
    context_.problems.error(offence(code::k_mount, path->place(),
                                    "a mount is one directory or file, not a pattern",
                                    "may be several"));
}

void RunReader::read_secret(const YamlNode& node, RunMount& made) {
  made.kind = RunMount::Kind::secret;
  made.id = text_of(node, "secret");
  made.env = text_of(node, "env");
  const YamlNode::Entry* at = node.find_entry("at");
  const YamlNode::Entry* env = node.find_entry("env");
  if (!at == !env) {
    oci::Error error = offence(code::k_mount, at ? env->key.place() : node.place(),
                               at ? "a secret has either `at` or `env`, not both"
                                  : "a secret has either `at` or `env`",
                               at ? "" : "how does the command get it?");
    error.add_hint(
        fmt::format("`at: /run/secrets/{}` makes it a file, which no other "
                    "program can look up as it can a variable",
                    made.id));
    context_.problems.error(std::move(error));
  }
}

void RunReader::check_place(const RunMount& mount, const std::vector<RunMount>& others) {
  Problems& problems = context_.problems;
  if (mount.at.empty()) return;
  if (is_of_the_sandbox(mount.at))
    return problems.error(offence(code::k_mount, mount.place,
                                  fmt::format("nothing is mounted at {}", mount.at),
                                  "/proc, /sys and /dev are the sandbox's own"));
  for (const RunMount& other : others) {
    if (other.at.empty() || !is_within(other.at, mount.at)) continue;
    oci::Error error = offence(
        code::k_mount, mount.place,
        other.at == mount.at ? fmt::format("two mounts at {}", mount.at)
                             : fmt::format("this hides what is mounted at {}", other.at),
        "mounted over the other");
    error.also_at(other.place, "the other one");
    if (other.at != mount.at) error.add_hint("name the outer one first");
    return problems.error(std::move(error));
  }
}

void RunReader::check_secrets(const YamlNode& step, const RunStep& made) {
  std::set<std::string> seen;
  for (const RunMount& mount : made.mounts) {
    if (mount.env.empty()) continue;
    const bool twice = !seen.insert(mount.env).second;
    if (!twice && made.env.count(mount.env) == 0) continue;
    oci::Error error = offence(code::k_mount, mount.place,
                               fmt::format("the variable `{}` is given twice", mount.env),
                               "by this secret");
    const YamlNode* env = step.find("env");
    const YamlNode::Entry* other = env ? env->find_entry(mount.env) : nullptr;
    if (!twice && other) error.also_at(other->key.place(), "and here");
    context_.problems.error(std::move(error));
  }
}

std::vector<std::string> RunReader::outputs(const YamlNode& step, const RunStep& made) {
  std::vector<std::string> paths;
  const YamlNode* list = step.find("outputs");
  const YamlNode::Entry* network = step.find_entry("network");
  if (made.network == Network::pinned && (!list || list->items.empty())) {
    oci::Error error = offence(code::k_outputs, network->value.place(),
                               "`network: pinned` needs `outputs`",
                               "the lock holds the digest of what?");
    error.add_hint("add `outputs: [/out]`, and let the command write there alone");
    context_.problems.error(std::move(error));
  }
  if (list && list->items.size() > k_max_outputs) {
    context_.problems.error(
        offence(code::k_too_large, list->place(),
                fmt::format("more than {} outputs in one step", k_max_outputs)));
    return paths;
  }
  for (const YamlNode* item : scalars_of(list)) {
    const auto path = parse_image_path(item->text);
    if (path && output_fits(*item, *path, made, paths)) paths.push_back(*path);
  }
  return paths;
}

bool RunReader::output_fits(const YamlNode& node, const std::string& path,
                            const RunStep& made, const std::vector<std::string>& others) {
  const auto refuse = [&](const std::string& message, const std::string& label,
                          const Place* other, const std::string& hint) {
    oci::Error error = offence(code::k_outputs, node.place(), message, label);
    if (other) error.also_at(*other, "mounted here");
    if (!hint.empty()) error.add_hint(hint);
    context_.problems.error(std::move(error));
    return false;
  };
  if (path == "/")
    return refuse("`/` is everything", "an output is a part", nullptr,
                  "leave `outputs` out to keep all that the command changes");
  if (is_of_the_sandbox(path))
    return refuse(fmt::format("{} is no output", path),
                  "/proc, /sys and /dev are the sandbox's own", nullptr, "");
  for (const RunMount& mount : made.mounts) {
    if (mount.at.empty() || !is_within(path, mount.at)) continue;
    return refuse(fmt::format("{} is within a mount", path), "nothing of a mount is kept",
                  &mount.place, "let the command write, or copy, somewhere else");
  }
  for (const std::string& other : others) {
    if (!is_within(path, other) && !is_within(other, path)) continue;
    return refuse(path == other ? fmt::format("output {} stands twice", path)
                                : fmt::format("outputs {} and {} are within each other",
                                              other, path),
                  "said already", nullptr, "");
  }
  return true;
}

RunLimits RunReader::limits(const YamlNode& step) {
  RunLimits made;
  made.timeout = seconds_of(step, "timeout", context_.problems);
  const YamlNode* limits = step.find("limits");
  if (!limits) return made;
  made.memory = parse_size(text_of(*limits, "memory")).value_or(0);
  made.cpus = static_cast<std::uint32_t>(number_of(*limits, "cpus", 0));
  made.pids = static_cast<std::uint32_t>(number_of(*limits, "pids", 0));
  made.time = seconds_of(*limits, "time", context_.problems);
  const YamlNode* memory = limits->find("memory");
  if (memory && parse_size(memory->text) && made.memory < k_least_memory)
    context_.problems.error(offence(code::k_bad_value, memory->place(),
                                    fmt::format("`memory` cannot be `{}`", memory->text),
                                    "at least 1MiB, and bytes if no unit is given"));
  return made;
}

std::vector<std::string> read_unnormalised(const YamlNode& step, Problems& problems) {
  const std::vector<std::string>& known = normaliser_names();
  std::vector<std::string> off;
  for (const YamlNode::Entry& entry : entries_of(step, "normalise")) {
    const std::string& name = entry.key.text;
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      oci::Error error =
          offence(code::k_bad_value, entry.key.place(),
                  fmt::format("there is no clean-up `{}`", name), "not known");
      const std::string near = did_you_mean(name, known);
      error.add_hint(
          near.empty() ? fmt::format("there are `{}`", fmt::join(known, "`, `")) : near);
      problems.error(std::move(error));
    } else if (entry.value.text == "false") {
      off.push_back(name);
    }
  }
  std::sort(off.begin(), off.end());
  return off;
}

}  // namespace lithify
