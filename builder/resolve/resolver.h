// Resolver: from what the build file asks to what that means today. The only stage that
// asks the world a question.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "oci/base/activity.h"
#include "oci/image/repository.h"
#include "oci/registry/http_client.h"
#include "oci/store/directory_store.h"

#include "builder/plan/lock.h"
#include "builder/plan/recipe.h"
#include "builder/resolve/package_source.h"

namespace lithify {

// What may move although the old lock answers it: everything, or what these names touch
// (a source, a package, an image of the recipe, a url, the ref or repository of a
// base, "encoder"). A set of packages
// moves as a whole, because an archive offers one version of a package at a time, and
// takes along those that stand on it if it loses something.
struct Update {
  bool all = false;
  std::set<std::string> names;
};

// Opens a repository of a registry by its name, "docker.io/library/debian" (a Reference
// without tag and digest). It resolves tags and digests.
using OpenRegistry =
    std::function<std::unique_ptr<oci::Repository>(const std::string& name)>;

// Whether the right keys signed a base, and which: signatures are another room's
// business. Throws if not; what it does not throw for is accepted.
struct BaseToVerify {
  const ImageVerification& how;
  std::string ref;        // as LockedImage::ref, of a registry
  oci::Digest root;       // what the ref means: an index, or the only manifest
  std::string directory;  // of the build file
};
using VerifyBase = std::function<std::vector<LockedVerdict>(const BaseToVerify&)>;

// The world, as far as resolving may see it. References outlive the resolver.
struct World {
  oci::HttpClient* http;  // null: offline
  oci::DirectoryStore& store;
  AptEnvironment apt;
  OpenRegistry open_registry = {};  // empty: offline
  VerifyBase verify_base = {};      // the same
};

class Resolver {
 public:
  explicit Resolver(World world) : world_(std::move(world)) {}

  // A lock that answers all of `recipe`: what `old` answers is kept (unless `update`
  // moves it), what is missing is found out, packages at the versions of `old` where they
  // are still offered. What else stands in `old` stays, because other arguments or
  // platforms may want it, unless all is updated. Asks nothing of the network if nothing
  // is missing.
  Lock resolve(const Recipe& recipe, const Lock& old, const Update& update,
               oci::Activity& activity, std::stop_token stop);

  // `lock` with the bytes that archives have now, where those are not in the store and
  // their url gives others with the same content; warns of each. Other content, or other
  // bytes than the build file declares, is Errc::mismatch. Offline, `lock` as it is.
  Lock accept_repacked(const Recipe& recipe, const Lock& lock, oci::Activity& activity,
                       std::stop_token stop);

 private:
  World world_;
};

}  // namespace lithify
