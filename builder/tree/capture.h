// capture: a directory or file of the user's as a tree, read where it lies.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "oci/base/activity.h"
#include "oci/base/worker_pool.h"

#include "builder/tree/stat_cache.h"
#include "builder/tree/tree.h"

namespace lithify {

struct CaptureRequest {
  std::string path;  // absolute; a symlink here is followed, further down none is
  // Of paths below it: whether the path is taken, and whether something below that
  // directory may be. Empty: everything. Called from several threads.
  std::function<bool(std::string_view)> takes = {};
  std::function<bool(std::string_view)> descends = {};
  std::string filter_name = {};  // names the two functions: equal names, equal answers
  // The permission bits as they are; else 0755 for directories and what its owner may
  // execute, 0644 for all other files.
  bool keep_modes = false;
  // When the capture starts. A file younger than two seconds is read, however it looks.
  std::int64_t now_ns = 0;
};

struct CaptureTools {
  StatCache& stats;
  oci::WorkerPool& workers;
  oci::Activity& activity;
  std::stop_token stop = {};
};

// Owners are 0:0 and times the constant one. A directory's tree has a root directory, a
// file's is that one file. Directories that are not taken themselves are there if
// something below them is. Contents are local files, known by the digest they have now.
// The activity ends as cached if no file had to be read.
//
// Errc::not_found and denied name the path; a file that changes meanwhile is
// Errc::mismatch; sockets, devices, fifos and names that no layer can hold are
// Errc::bad_input.
Tree capture(const CaptureRequest& request, const CaptureTools& tools);

}  // namespace lithify
