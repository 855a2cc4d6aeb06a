// push: an image into a repository of a registry: by digest first, tags last.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "oci/base/activity.h"
#include "oci/base/error.h"
#include "oci/image/repository.h"
#include "oci/registry/registry_client.h"

namespace lithify {

struct PushTag {
  std::string name;
  bool once = true;  // written and never changed; else it moves
  oci::Place place = {};
};

// References outlive it.
struct Push {
  const oci::Repository& from;
  oci::Descriptor root;
  oci::RegistryClient& to;
  std::vector<PushTag> tags;  // none: by digest alone
};

struct TagChange {
  enum class Kind { created, moved, kept } kind = Kind::created;
  PushTag tag;
  std::optional<oci::Digest> before = {};
};

// What the tags would become: one question each. A `once` tag that names something else
// is Errc::refused, L0503. Nothing is written.
std::vector<TagChange> look_at_tags(const Push& push);

// What a push would send.
struct PushNeeds {
  std::vector<oci::Descriptor> blobs;
  std::vector<oci::Descriptor> documents;
};
PushNeeds needs_of(const Push& push);

// Blobs, four at a time, then manifests, children first. Nothing at all if a tag already
// names the image. Takes no tag.
void push_content(const Push& push, const std::vector<TagChange>& tags,
                  oci::Activity& activity, std::stop_token stop);

// After the content: `once` tags first, so that what moves never points to a version that
// was not to be. Throws Errc::refused if somebody else was faster.
void push_tags(const Push& push, const std::vector<TagChange>& tags);

}  // namespace lithify
