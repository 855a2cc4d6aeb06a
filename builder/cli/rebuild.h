// Rebuild: an image built again in a store of its own, with nothing remembered.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "builder/cli/attesting.h"
#include "builder/cli/prepare.h"
#include "builder/cli/scratch.h"
#include "builder/cli/wiring.h"
#include "builder/pack/assemble.h"

namespace lithify {

// Where such stores are made: TMPDIR, else beside the user's store, so that they have as
// much room.
std::filesystem::path scratch_parent(const Session& session);

class Rebuild {
 public:
  // `options` and `environment` are those of the build that is done again; its store is
  // below `scratch`. `recorded` names the lock. `user` outlives it.
  Rebuild(Session& user, const ScratchDirectory& scratch, Options options,
          Environment environment, Recorded recorded);

  // Performs all steps and packs all of the images, or those named. Downloads that the
  // user's store has are taken from there, each checked against its digest; nothing else
  // is.
  const std::vector<PackedImage>& run(const std::vector<std::string>& images);

  // After run().
  BuildFacts facts() { return {session_, prepared_, results_}; }
  const Prepared& prepared() const { return prepared_; }
  oci::Repository& images() { return session_.images_with_bases(); }
  Session& session() { return session_; }

 private:
  void take_base_documents(const Lock& lock);
  void take_downloads();
  bool take(const oci::Digest& digest);
  void make();

  Session& user_;
  Session session_;
  Prepared prepared_;
  std::vector<Tree> results_;
  std::vector<PackedImage> packed_;
};

}  // namespace lithify
