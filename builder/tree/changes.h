// changes: what a program made of a tree that was put on the disk for it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "oci/base/activity.h"
#include "oci/base/fd.h"
#include "oci/store/blob_store.h"

#include "builder/tree/survey.h"
#include "builder/tree/tree.h"

namespace lithify {

// Where a program may have left a mark. What is named here is compared with the recorded
// tree before it counts as a change, so that naming too much costs time and nothing else.
struct Touched {
  Survey present;
  std::vector<std::string> gone;  // ascending
};

// Of a directory that was surveyed before and after: names whose lstat differs.
Touched touched_between(const Survey& before, Survey after);

// Of an overlay's upper directory: its names, the marks for what was removed (character
// devices 0:0), and what its opaque directories hide of `before`.
Touched touched_in_upper(const oci::Fd& upper, Survey survey, const Tree& before);

struct ChangesRequest {
  const Tree& before;   // the full tree that was put on the disk
  const oci::Fd& root;  // where what is present lies; it may be used up
  std::string shown;    // what messages call it
  // Whether changes at this path count; empty: all do.
  std::function<bool(std::string_view path)> counts = {};
  // User and group in the image of what lies at this path. Empty: owners on the disk say
  // nothing; what was there keeps its own, what is new is 0:0.
  std::function<std::pair<std::uint32_t, std::uint32_t>(const std::string& path,
                                                        const Surveyed& seen)>
      owner = {};
  std::int64_t mtime = k_constant_time;  // of all that changed
};

// The change from `before` to what is there now: new and changed files with their
// contents in one new blob of the store, whiteouts for the rest. What has other times
// and nothing else is no change. Names of one file stay so if all of them changed. Of
// extended attributes, `security.capability` and `user.*` count.
//
// New sockets, fifos, devices and names that no layer can hold are Errc::bad_input that
// says which.
Tree changes(const Touched& touched, const ChangesRequest& request, oci::BlobStore& store,
             oci::Activity& activity, std::stop_token stop);

}  // namespace lithify
