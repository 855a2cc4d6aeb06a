// child_process: one program run to its end, with all its streams in our hands.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <stop_token>
#include <string>
#include <vector>

#include "oci/registry/secret.h"

namespace oci {

struct ChildResult {
  int status = 0;              // of exit; 128 + the signal that ended it
  Secret output;               // standard output: it may hold secrets
  std::string complaint = {};  // standard error, its first 4 KiB
};

// Runs words[0], looked up along PATH, with our environment and no shell. It reads
// `input`. It is killed, and Errc::denied thrown, if it says more than `max_output`
// bytes or is not done within `timeout`; Cancelled when `stop` is requested.
// Errc::machine if it cannot be started, not_found if there is no such program.
ChildResult run_child(const std::vector<std::string>& words, const Secret& input,
                      std::size_t max_output, std::chrono::milliseconds timeout,
                      std::stop_token stop);

}  // namespace oci
