// CommandSequence: commands in one root, and what became of them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "builder/plan/recipe.h"

namespace lithify {

// What is kept of each stream of a command; what is more is counted only.
inline constexpr std::size_t k_most_captured = 1 << 20;

// Set-up, the command and tear-down, one after another on one tree, so that each finds
// what those before it left there; processes do not outlive their command. `env` of each
// is all that there is beside HOME and PATH, which the sandbox gives unless it has them;
// of the rest of RunStep argv, cwd, user and limits count. There is no network.
struct CommandSequence {
  std::vector<RunStep> before;
  RunStep run;
  std::vector<RunStep> after;
};

struct CapturedText {
  std::string text;        // the first k_most_captured bytes of it
  std::uint64_t size = 0;  // of all of it
  bool is_cut() const { return size > text.size(); }
};

struct CommandResult {
  enum class End {
    exited,         // `number` is the status
    signalled,      // `number` is the signal
    timed_out,      // `number` is how many seconds it had
    out_of_memory,  // of its limit
    not_started     // `why` says what the program, its user or its directory lacked
  } end = End::exited;
  int number = 0;
  std::string why;
  CapturedText out;
  CapturedText err;
};

// A command of `before` that does not exit with 0 is the last of them, and `run` is left
// out; `after` runs in any case. Of commands of these two that exit with 0 the output is
// not kept.
struct SequenceResult {
  // Why this machine runs no such command, and what to type for it. Nothing ran then.
  struct Unable {
    std::string why;
    std::string cure;  // may be empty
  };
  std::optional<Unable> unable;
  std::vector<CommandResult> before;
  std::optional<CommandResult> run;
  std::vector<CommandResult> after;
};

}  // namespace lithify
