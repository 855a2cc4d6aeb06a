#include "builder/command/command_failure.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>

#include <fmt/format.h>

namespace lithify {

using oci::Errc;
using oci::Error;

namespace {

// What programs say that look for the network: of busybox, curl, glibc, apt and Go.
constexpr std::array k_no_network = {"bad address",
                                     "Could not resolve",
                                     "Temporary failure in name",
                                     "Temporary failure res",
                                     "Name or service not known",
                                     "Network is unreachable",
                                     "unable to resolve",
                                     "getaddrinfo",
                                     "no such host"};

std::string seconds_text(std::int64_t seconds) {
  return fmt::format("{} {}", seconds, seconds == 1 ? "second" : "seconds");
}

// The kernel sends SIGXCPU, and SIGKILL a second later.
bool out_of_time(const RunStep& what, const SandboxOutcome& outcome) {
  return outcome.signal == SIGXCPU && what.limits.time > 0;
}

// The hints that are found first stay.
class Explanation {
 public:
  explicit Explanation(const CommandFailure& failure) : failure_(failure) {}

  Error error() && {
    error_.add_note("all it wrote is in " + failure_.log.path().string());
    of_owners();
    of_network();
    of_space();
    of_level();
    of_overlay();
    of_limits();
    return std::move(error_);
  }

 private:
  static Error begin(const CommandFailure& failure) {
    Error error(Errc::failed, fmt::format("`{}` {}", failure.label,
                                          how_it_ended(failure.what, failure.outcome)));
    const auto& lines = failure.log.last_lines();
    if (!lines.empty())
      error.add_note(fmt::format("the last that it wrote:\n{}", fmt::join(lines, "\n")));
    return error;
  }

  bool says(std::string_view what) const {
    const auto& lines = failure_.log.last_lines();
    return std::any_of(lines.begin(), lines.end(), [&](const std::string& line) {
      return line.find(what) != line.npos;
    });
  }

  void of_owners() {
    const bool owners = says("owner") || says("chown");
    if (failure_.sandbox.level != SandboxLevel::single_id || !owners ||
        !says("Invalid argument"))
      return;
    error_.add_note(
        "in the sandbox that this machine allows (L2) all files are 0:0's, and none can "
        "be "
        "given to anybody else");
    if (!failure_.sandbox.remedies.empty())
      error_.add_hint(failure_.sandbox.remedies.front().cure);
  }

  void of_network() {
    if (failure_.what.network != Network::none ||
        std::none_of(k_no_network.begin(), k_no_network.end(),
                     [this](const char* what) { return says(what); }))
      return;
    error_.add_note("commands have no network");
    error_.add_hint(
        "name what it fetches under `sources` and mount or copy it, or let the step say "
        "`network: pinned` and `outputs`");
  }

  void of_space() {
    if (!says("No space left on device")) return;
    error_.add_note(fmt::format("full is the disk that {} is on, or a `tmp` mount",
                                failure_.work.string()));
    error_.add_hint("`lithify cache prune` makes room; a `tmp` mount has a `size`");
  }

  void of_level() {
    if (failure_.sandbox.level != SandboxLevel::chroot) return;
    error_.add_note(
        "in the sandbox that this machine allows (L1) there is no /proc, which some "
        "programs want");
  }

  void of_overlay() {
    if (!failure_.overlay || !(says("ross-device link") || says("EXDEV"))) return;
    error_.add_note(
        "a directory of the base cannot be renamed where the root is an overlay");
    error_.add_hint("copy it and remove the old one, or build with LITHIFY_ROOTS=copy");
  }

  void of_limits() {
    const RunStep& what = failure_.what;
    const SandboxOutcome& outcome = failure_.outcome;
    if (outcome.timed_out) error_.add_hint("raise `timeout` of the step");
    if (out_of_time(what, outcome))
      error_.add_hint("raise `limits: {time: …}` of the step");
    if (outcome.out_of_memory) error_.add_hint("raise `limits: {memory: …}` of the step");
    if (outcome.out_of_processes)
      error_.add_note(
          fmt::format("it wanted more than {} processes at once", what.limits.pids));
    const bool says_so =
        says("an't fork") || says("annot fork") || says("Resource temporarily");
    if (outcome.out_of_processes || (what.limits.pids != 0 && says_so))
      error_.add_hint("raise `limits: {pids: …}` of the step");
  }

  const CommandFailure& failure_;
  Error error_ = begin(failure_);
};

}  // namespace

bool succeeded(const SandboxOutcome& outcome) {
  return outcome.exit_status == 0 && outcome.signal == 0 && !outcome.timed_out &&
         !outcome.out_of_memory;
}

std::string how_it_ended(const RunStep& what, const SandboxOutcome& outcome) {
  if (outcome.timed_out) return "was stopped after " + seconds_text(what.limits.timeout);
  if (outcome.out_of_memory) return "needed more memory than it may have";
  if (out_of_time(what, outcome))
    return fmt::format("needed more than the {} of processor time that it may have",
                       seconds_text(what.limits.time));
  if (outcome.signal != 0)
    return fmt::format("was ended by signal {} ({})", outcome.signal,
                       ::strsignal(outcome.signal));
  return fmt::format("ended with exit status {}", outcome.exit_status);
}

Error failure_of(const CommandFailure& failure) {
  return Explanation(failure).error();
}

}  // namespace lithify
