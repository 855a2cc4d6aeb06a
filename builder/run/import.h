// import: a local source as a tree.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <string>

#include "oci/store/blob_store.h"

#include "builder/plan/step.h"
#include "builder/tree/capture.h"

namespace lithify {

// What git's index says of the files below a directory, by path relative to it.
enum class GitMode { plain, executable, symlink };
using GitModes = std::map<std::string, GitMode, std::less<>>;
// Asks git; throws Errc::bad_input if there is no index.
using GitIndex = std::function<GitModes(const std::string& directory)>;

struct ImportTools {
  CaptureTools capture;
  const oci::BlobStore& store;
  const GitIndex& git_index;
  std::int64_t now_ns = 0;  // when the step starts
};

// With `modes: git` the index says what is executable and what is a symlink, so that a
// checkout on a file system that knows neither gives the same tree; files that are not in
// it are taken as with `modes: fixed`.
Tree perform_import(const Import& import, const ImportTools& tools);

}  // namespace lithify
