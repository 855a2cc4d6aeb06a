// apt_index: the Packages files of a suite, by digest.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "oci/base/activity.h"
#include "oci/registry/http_client.h"
#include "oci/store/directory_store.h"

#include "builder/resolve/apt_release.h"

namespace lithify {

// What loading needs beside the release.
struct IndexLoader {
  oci::HttpClient& http;
  oci::DirectoryStore& store;
  oci::Activity& activity;
  std::stop_token stop;

  // The texts of the Packages files of `architecture`, one per component, from the store
  // if it has them. Throws Errc::not_found if the suite lacks the architecture or a
  // component, Errc::mismatch if the mirror has other bytes than the release says.
  std::vector<std::string> load(const Release& release,
                                const std::vector<std::string>& components,
                                const std::string& architecture);

 private:
  std::string load_one(const Release& release, const std::string& directory);
};

}  // namespace lithify
