// package_source: Debian archives, from a request for packages to names by digest.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "oci/base/activity.h"
#include "oci/base/descriptor.h"
#include "oci/registry/http_client.h"
#include "oci/store/directory_store.h"

#include "builder/plan/lock.h"
#include "builder/plan/recipe.h"

namespace lithify {

// What the world around says about archives. Wiring fills it from the environment, tests
// from their own files.
struct AptEnvironment {
  std::string mirror;       // LITHIFY_APT_MIRROR, or empty
  std::string config_file;  // the user's config.toml; it need not exist
  std::string apt_directory = "/etc/apt";
  std::vector<std::string> keyring_directories = {
      "/usr/share/keyrings", "/etc/apt/keyrings", "/etc/apt/trusted.gpg.d"};
  std::int64_t now = 0;       // seconds since 1970
  std::string gpgv = "gpgv";  // found along PATH unless it has a slash
};

// One apt source, opened: the InRelease of each suite is fetched and its signature
// checked by the constructor; the indexes of an architecture when it is first asked for.
// Refers to its http client, store and activity. One thread at a time.
class DebianArchive {
 public:
  DebianArchive(const AptSource& source, std::string source_key,
                const AptEnvironment& environment, oci::HttpClient& http,
                oci::DirectoryStore& store, oci::Activity& activity,
                std::stop_token stop);
  ~DebianArchive();
  DebianArchive(DebianArchive&&) noexcept;

  // One per suite, in the order of the source.
  const std::vector<LockedIndex>& indexes() const;

  // What `apt-get install` would add to an image of `architecture` (Debian's name) in
  // which `already` is installed: sorted, without `already`; of the versions there are,
  // `preferred` if it still is one (see select_packages()). Throws Errc::not_found for
  // an unknown package or version, Errc::bad_input for a request that cannot be met.
  std::vector<LockedPackage> select(const PackagesStep& step,
                                    const std::string& architecture,
                                    const std::vector<LockedPackage>& already = {},
                                    const std::vector<LockedPackage>& preferred = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Where the paths of LockedPackages of this source may be fetched: URLs without a
// trailing slash, best first. No network is asked. Throws Errc::not_found if nothing
// names a mirror.
std::vector<std::string> mirror_bases(const AptSource& source,
                                      const AptEnvironment& environment);

// "amd64", "arm64", "armhf" (arm/v7), "armel" (arm/v5, v6), "i386" (386), …
std::string debian_architecture(const oci::Platform& platform);

}  // namespace lithify
