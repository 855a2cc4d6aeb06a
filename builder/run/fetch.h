// fetch: bytes that the lock has named, from wherever they are nearest.
// SPDX-License-Identifier: Apache-2.0
#pragma once

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

struct FetchTools {
  oci::BlobStore& store;
  oci::Downloader* downloader;  // nullptr: --offline
  const Mirrors& mirrors;
};

// Puts the blob into the store, unless it is there, and gives fetched_tree(). Bytes that
// are not what the lock says are Errc::mismatch and leave no trace.
Tree perform_fetch(const Fetch& fetch, const FetchTools& tools, oci::Activity& activity,
                   std::stop_token stop);

}  // namespace lithify
