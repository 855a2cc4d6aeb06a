// fetch: bytes that the lock has named, from wherever they are nearest.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "oci/base/activity.h"
#include "oci/registry/download.h"
#include "oci/store/blob_store.h"

#include "builder/plan/step.h"
#include "builder/tree/tree.h"

namespace lithify {

// Base URLs of an apt source by its key in Recipe::sources, best first.
using Mirrors = std::map<std::string, std::vector<std::string>>;

// Puts a blob of a registry's repository, "docker.io/library/debian", into the store.
// Bytes that are not those of the ref are Errc::mismatch and leave no trace.
using BringBlob = std::function<void(const std::string& repository, const oci::BlobRef&,
                                     oci::Activity&, std::stop_token)>;

struct FetchTools {
  oci::BlobStore& store;
  oci::Downloader* downloader;  // nullptr: --offline
  const Mirrors& mirrors;
  BringBlob bring_blob = {};  // empty: --offline
};

// Puts the blob into the store, unless it is there, and gives fetched_tree(). Bytes that
// are not what the lock says are Errc::mismatch and leave no trace.
Tree perform_fetch(const Fetch& fetch, const FetchTools& tools, oci::Activity& activity,
                   std::stop_token stop);

}  // namespace lithify
