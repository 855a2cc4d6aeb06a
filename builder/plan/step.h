// Step: one unit of work as plain data. Four operations, and no fifth without a debate.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "oci/base/descriptor.h"

#include "builder/plan/file_action.h"

namespace lithify {

// Bytes that the lock has already named; gives a tree with one file. The only operation
// that may use the network. `location` is an http(s) URL, "apt:<source>/<pool path>",
// "layout:<directory>" (the blob is in that OCI layout), "image:<domain>/<path>" (in that
// repository of a registry) or "file:<path>"; it says where to look and is not part of
// the key, which is the digest alone.
struct Fetch {
  std::string location;
  oci::Digest expected;
  std::uint64_t size = 0;
  std::string file_name;  // the name of the one file in the tree
};

// A directory or file of the user's, as it is when the step runs. Its tree's digest names
// the content, so what depends on it is keyed by content, not by place.
struct Import {
  std::string path;  // absolute
  std::vector<std::string> include;
  std::vector<std::string> exclude;
  LocalSource::Modes modes = LocalSource::Modes::fixed;
};

// Changes to a tree that need no program. The result is the change alone: what the
// actions made or removed, not what was below. Actions apply in order; later ones see
// earlier ones.
struct Edit {
  std::vector<FileAction> actions;
  // mtime of everything the actions make (files that keep a packaged time excepted, which
  // are clamped to `clamp`).
  std::int64_t mtime = 315532800;
  std::int64_t clamp = 315532800;
};

// A command in a sandbox. The step stands on everything below it (Step::below); the
// result is the change alone: what the command made, changed or removed, below `outputs`
// if there are any.
//
// While `pinned` is not known, a command that may use the network is performed each time,
// and its result is remembered under the key that the step has once `pinned` is set to
// it.
struct Run {
  RunStep what;                          // its mounts' `from` is for messages
  std::vector<InputIndex> mount_inputs;  // for each tree mount in their order
  std::optional<oci::Digest> pinned;  // network: pinned: the digest the result must have
  std::int64_t mtime = 315532800;     // of everything the command made or changed
  std::int64_t epoch = 315532800;     // SOURCE_DATE_EPOCH, and clock: epoch
  // It runs maintainer scripts: keys and databases that they make unasked go. Else
  // private keys are refused and databases stay.
  bool maintainer_scripts = false;
  // What the lock calls the result (LockedOutput::key); empty unless network: pinned. Not
  // in the key.
  std::string lock_key = {};
};

using Operation = std::variant<Fetch, Import, Edit, Run>;
using StepIndex = std::size_t;

struct Step {
  Operation operation = Edit{};
  std::vector<StepIndex> inputs;  // earlier steps of the same Graph
  // The last `below` inputs are not sources but the changes this step stands on, lowest
  // first; their merge is the tree that Remove, SetAttributes and AddUsers look at, and
  // that a Run runs in.
  std::size_t below = 0;
  // The first of them is a base whose layers are reused, so that all others lie on it as
  // layers do (OnSymlink::replace).
  bool on_base = false;
  oci::Platform platform;
  Place place;        // for messages only: it never enters a key
  std::string label;  // for progress: "copy . to /srv"
};

// The readable document whose hash is the step's key: key version, operation with every
// field named and every value length-framed, platform, and the digests of the input
// trees.
std::string key_document(const Step& step, std::span<const oci::Digest> inputs);
oci::Digest step_key(const Step& step, std::span<const oci::Digest> inputs);

}  // namespace lithify
