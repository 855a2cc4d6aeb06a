// sandbox_run: a sandbox from the command line, for scenarios that run it as other users
// and in other people's containers.
// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <unistd.h>

#include "oci/base/error.h"

#include "builder/sandbox/foreign_sandbox.h"

using namespace lithify;

namespace {

constexpr const char* k_usage =
    "usage: sandbox_run probe [LEVEL]\n"
    "       sandbox_run owner PROGRAM [WORD…]     as 0:0 of the best map\n"
    "       sandbox_run run [NAME=VALUE…] -- PROGRAM [WORD…]\n"
    "names: level root lower upper work bind ro file tmpfs uid gid group env cwd memory "
    "pids\n"
    "       seconds wall fsize cpus net terminal repeat runner box apart; bind, ro and "
    "file "
    "are "
    "SOURCE:TARGET\n";

int probe(const std::string& level) {
  const SandboxProbe& found =
      probe_sandbox(level.empty() ? SandboxLevel::root : parse_level(level).value());
  std::printf("level %s\n", std::string(level_name(found.level)).c_str());
  std::printf("uid %u %u %u\ngid %u %u %u\n", found.owners.uid.zero,
              found.owners.uid.rest, found.owners.uid.count, found.owners.gid.zero,
              found.owners.gid.rest, found.owners.gid.count);
  std::printf("entering %d\nproc %d\noverlay %d\nmounts %d\nlimits %d\nscoped %d\n",
              found.owners_need_entering, found.fresh_proc, found.overlay, found.mounts,
              found.limits_all, found.scoped);
  for (const SandboxRemedy& remedy : found.remedies)
    std::printf("missing %s\n  cure %s\n", remedy.missing.c_str(), remedy.cure.c_str());
  return 0;
}

SandboxMount mount_of(SandboxMount::Kind kind, const std::string& value) {
  const std::size_t colon = value.rfind(':');
  SandboxMount mount;
  mount.kind = kind;
  mount.target = value.substr(colon + 1);
  (kind == SandboxMount::Kind::file ? mount.content : mount.source) =
      value.substr(0, colon);
  if (kind == SandboxMount::Kind::file) mount.mode = 0400;
  return mount;
}

struct Request {
  SandboxPlan plan;
  SandboxLevel at_most = SandboxLevel::root;
  int repeat = 1;
  SandboxRunner runner = SandboxRunner::own;
  std::string box;
  bool apart = false;
};

bool take_mount(const std::string& name, const std::string& value, SandboxPlan& plan) {
  using Kind = SandboxMount::Kind;
  static const std::map<std::string, Kind> kinds = {{"bind", Kind::bind},
                                                    {"ro", Kind::bind},
                                                    {"file", Kind::file},
                                                    {"tmpfs", Kind::tmpfs}};
  const auto kind = kinds.find(name);
  if (kind == kinds.end()) return false;
  plan.mounts.push_back(mount_of(kind->second, value));
  plan.mounts.back().read_only = name != "bind";
  if (name == "tmpfs") plan.mounts.back().mode = 01777;
  return true;
}

bool take_number(const std::string& name, const std::string& value, SandboxPlan& plan) {
  const auto number = std::strtoull(value.c_str(), nullptr, 10);
  if (name == "uid") return plan.uid = static_cast<std::uint32_t>(number), true;
  if (name == "gid") return plan.gid = static_cast<std::uint32_t>(number), true;
  if (name == "group")
    return plan.groups.push_back(static_cast<std::uint32_t>(number)), true;
  if (name == "memory") return plan.limits.memory = number, true;
  if (name == "pids") return plan.limits.pids = number, true;
  if (name == "seconds") return plan.limits.cpu_time = std::chrono::seconds(number), true;
  if (name == "wall")
    return plan.limits.wall_time = std::chrono::milliseconds(number), true;
  if (name == "fsize") return plan.limits.file_size = number, true;
  if (name == "cpus") return plan.cpus = static_cast<unsigned>(number), true;
  return false;
}

void take(const std::string& name, const std::string& value, Request& request) {
  SandboxPlan& plan = request.plan;
  if (take_mount(name, value, plan) || take_number(name, value, plan)) return;
  const auto overlay = [&]() -> SandboxOverlay& {
    if (!plan.overlay) plan.overlay.emplace();
    return *plan.overlay;
  };
  if (name == "level") {
    request.at_most = parse_level(value).value();
  } else if (name == "root") {
    plan.root = value;
  } else if (name == "lower") {
    overlay().lower.push_back(value);
  } else if (name == "upper") {
    overlay().upper = value;
  } else if (name == "work") {
    overlay().work = value;
  } else if (name == "env") {
    plan.env.push_back(value);
  } else if (name == "cwd") {
    plan.cwd = value;
  } else if (name == "net") {
    plan.network = SandboxNetwork::host;
  } else if (name == "terminal") {
    plan.terminal = true;
  } else if (name == "runner") {
    request.runner = parse_runner(value).value();
  } else if (name == "box") {
    request.box = value;
  } else if (name == "apart") {
    request.apart = true;
  } else if (name == "repeat") {
    request.repeat = std::atoi(value.c_str());
  } else {
    throw std::invalid_argument("unknown: " + name);
  }
}

Request read_request(const std::vector<std::string>& words) {
  Request request;
  std::size_t i = 0;
  for (; i < words.size() && words[i] != "--"; ++i) {
    const std::size_t equals = words[i].find('=');
    take(words[i].substr(0, equals), words[i].substr(equals + 1), request);
  }
  for (++i; i < words.size(); ++i)
    request.plan.argv.push_back(words[i]);
  if (request.plan.env.empty()) request.plan.env.push_back("PATH=/bin");
  return request;
}

int run(Request request) {
  const SandboxProbe& found = probe_sandbox(request.at_most);
  request.plan.level = found.level;
  request.plan.own_name = found.own_name;
  request.plan.owners = found.owners;
  const auto begin = std::chrono::steady_clock::now();
  SandboxOutcome outcome;
  for (int i = 0; i < request.repeat; ++i) {
    const SandboxOutput out = [](std::string_view text) {
      std::fwrite(text.data(), 1, text.size(), stdout);
    };
    const SandboxOutput err = [](std::string_view text) {
      std::fwrite(text.data(), 1, text.size(), stderr);
    };
    outcome = request.apart
                  ? run_foreign(request.runner, request.plan, request.box,
                                SandboxStreams{out, err}, {})
                  : run_foreign(request.runner, request.plan, request.box, out, {});
  }
  const std::chrono::duration<double, std::milli> took =
      std::chrono::steady_clock::now() - begin;
  std::fflush(stdout);
  if (request.repeat > 1)
    std::fprintf(stderr, "%.2f ms each\n", took.count() / request.repeat);
  for (const std::string& made : outcome.made)
    std::fprintf(stderr, "made %s\n", made.c_str());
  for (const std::string& weaker : outcome.weaker)
    std::fprintf(stderr, "weaker %s\n", weaker.c_str());
  if (outcome.timed_out) std::fprintf(stderr, "timed out\n");
  if (outcome.out_of_memory) std::fprintf(stderr, "out of memory\n");
  return outcome.signal != 0 ? 128 + outcome.signal : outcome.exit_status;
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IONBF, 0);
  const std::vector<std::string> words(argv + 1, argv + argc);
  try {
    if (!words.empty() && words[0] == "probe")
      return probe(words.size() > 1 ? words[1] : "");
    if (words.size() > 1 && words[0] == "owner")
      return run_as_owner(probe_sandbox().owners, {words.begin() + 1, words.end()},
                          {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, {});
    if (!words.empty() && words[0] == "run")
      return run(read_request({words.begin() + 1, words.end()}));
    std::fputs(k_usage, stderr);
    return 2;
  } catch (const oci::Error& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    for (const std::string& note : error.notes())
      std::fprintf(stderr, "note: %s\n", note.c_str());
    if (!error.hint().empty()) std::fprintf(stderr, "hint: %s\n", error.hint().c_str());
    return 120;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n%s", error.what(), k_usage);
    return 2;
  }
}
