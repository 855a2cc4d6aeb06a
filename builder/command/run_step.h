// run_step: a command performed in a sandbox on the tree below it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "oci/base/activity.h"
#include "oci/store/blob_directory.h"

#include "builder/command/variation.h"
#include "builder/plan/step.h"
#include "builder/root/shared_roots.h"
#include "builder/sandbox/foreign_sandbox.h"
#include "builder/sandbox/sandbox.h"
#include "builder/tree/tree.h"

namespace lithify {

// Where commands find programs, unless they say otherwise.
inline constexpr const char* k_command_path =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// A person, or a program of theirs, in the place of a step's command.
struct Visit {
  std::vector<std::string> argv;  // empty: a shell that is there
  bool after = false;             // the command is performed first, and may fail
  std::string terminal = {};      // TERM; empty: none
  // Called right before, with how the command ended if it was performed.
  std::function<void(const std::string& ended)> begin = {};
  int status = 0;  // afterwards: of the program, or 128 and the number of a signal
};

// What commands run with. All paths are below the store.
struct RunTools {
  std::filesystem::path work;    // for roots, while a command runs
  std::filesystem::path caches;  // cache mounts, a directory for each id
  std::filesystem::path logs;    // what commands wrote
  // Where the store has its files; nullptr if it has none.
  const oci::BlobDirectory* blobs = nullptr;
  std::string program = {};  // this program's own file
  SandboxLevel at_most = SandboxLevel::root;
  SandboxRunner runner = SandboxRunner::own;  // no part of a key: results are the same
  // The secret of this id, as the user gave it; nullopt: he did not. Its content enters
  // no key, log or tree.
  std::function<std::optional<std::string>(const std::string& id)> secret = {};
  std::string resolver = {};                      // /etc/resolv.conf for network: pinned
  std::atomic<std::size_t>* performed = nullptr;  // counts commands that were started
  bool offline = false;                           // no command gets the network
  bool keep_failed = false;  // the root of a command that failed stays
  // Where roots are that several commands share; null: each has a copy of its own.
  std::shared_ptr<SharedRoots> shared = {};
  Variation vary = {};     // what is another thing than it would be
  Visit* visit = nullptr;  // perform_run() gives an empty tree then; our streams are used
  class Rechecks* rechecks = nullptr;  // which steps are performed twice; nullptr: none
};

// The change that the command made to the tree below it (Step::below of the inputs),
// without what normalisers take away; below its outputs if it names any.
//
// Errc::failed if the command fails: the error has its last lines, and where all of them
// are, or if it leaves what no image can hold. Errc::machine if there is no sandbox. Safe
// to call from several threads.
Tree perform_run(const Step& step, const Run& run, std::span<const Tree> inputs,
                 oci::BlobStore& store, const RunTools& tools, oci::Activity& activity,
                 std::stop_token stop);

}  // namespace lithify
