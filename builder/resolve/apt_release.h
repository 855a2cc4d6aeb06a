// apt_release: a suite's InRelease, believed only after its signature was checked.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "oci/base/digest.h"
#include "oci/registry/http_client.h"
#include "oci/store/blob_store.h"

#include "builder/resolve/apt_source.h"

namespace lithify {

struct Release {
  explicit Release(const oci::Digest& of_file) : digest(of_file) {}
  std::string suite;      // as asked for
  std::string base;       // the mirror that gave it
  oci::Digest digest;     // of the InRelease file
  std::string signed_by;  // fingerprint of the primary key, upper-case hex
  std::vector<std::string> architectures;
  bool by_hash = false;
  bool separate_all = false;  // packages of architecture all have an index of their own
  // apt's pin: 500, 100 (NotAutomatic, ButAutomaticUpgrades) or 1 (NotAutomatic).
  int priority = 500;
  std::map<std::string, oci::BlobRef, std::less<>> files;  // by path below dists/<suite>
};

// Fetches, verifies and reads it. Throws Errc::not_found if no base has it,
// Errc::untrusted if the signature, the dates or the suite's name are not right.
Release fetch_release(oci::HttpClient& http, const SuitePlace& place,
                      const AptEnvironment& environment, std::stop_token stop);

// What `gpgv` says about a clearsigned text.
struct Signed {
  std::string text;         // what was signed, and nothing around it
  std::string fingerprint;  // of the primary key of the first good signature
};
Signed verify_clearsigned(std::string_view message, const SuitePlace& place,
                          const AptEnvironment& environment);

// Reads the signed text; `release` brings suite and base.
void parse_release(const std::string& text, std::int64_t now, Release& release);

}  // namespace lithify
