// pushing: the pushes that a build asks for: all content first, then all tags.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

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
};

// Where `image` goes: `push:` of the build file, and --tag; with --push-by-digest without
// tags. Errc::bad_input with a hint if that is nowhere.
std::vector<PushTarget> push_targets(const ImagePlan& image, const Options& options);

// Looks at the tags of all targets before anything is sent, sends the content of all,
// then writes the tags. With --dry-run nothing is sent or written, and what would be is
// told.
std::vector<Pushed> push_all(Session& session, const std::vector<ImagePlan>& plans,
                             const std::vector<PackedImage>& images);

// The document of `push --json`, with a newline.
std::string push_document(const std::vector<Pushed>& pushed);
// "host/path@sha256:…", a line for each repository.
std::string push_lines(const std::vector<Pushed>& pushed);
// "pushed ghcr.io/acme/hello@sha256:…", with a line for each tag.
std::string push_summary(const std::vector<Pushed>& pushed);

}  // namespace lithify
