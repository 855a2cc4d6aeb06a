// pushing: the pushes that a build asks for: all content first, then all tags.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "builder/cli/attesting.h"
#include "builder/cli/signing.h"
#include "builder/cli/wiring.h"
#include "builder/deliver/push.h"
#include "builder/pack/assemble.h"
#include "builder/plan/build_plan.h"

namespace lithify {

// What happened to one repository, for people and programs.
struct Pushed {
  std::string image;
  std::string repository;
  oci::Descriptor root;
  std::vector<TagChange> tags;
  std::optional<SignedPush> is_signed = {};
  bool left_unsigned = false;  // though the build file says with what
};

// Where `image` goes: `push:` of the build file, and --tag; with --push-by-digest without
// tags. Errc::bad_input with a hint if that is nowhere.
std::vector<PushTarget> push_targets(const ImagePlan& image, const Options& options);

// Opens all keys and looks at the tags of all targets before anything is sent, sends the
// content of all, attests and signs it, then writes the tags. With --dry-run nothing is
// sent or written, and what would be is told. `images` are those of the plan.
std::vector<Pushed> push_all(const BuildFacts& facts,
                             const std::vector<PackedImage>& images);

// The document of `push --json`, with a newline.
std::string push_document(const std::vector<Pushed>& pushed);
// "host/path@sha256:…", a line for each repository.
std::string push_lines(const std::vector<Pushed>& pushed);
// What anybody may type to see that the first of them is signed; empty if none is.
std::string push_check_line(const std::vector<Pushed>& pushed);
// "pushed ghcr.io/acme/hello@sha256:…", with a line for each tag.
std::string push_summary(const std::vector<Pushed>& pushed);

}  // namespace lithify
