// Provenance: what an image was built of and how, with all that building it again needs.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "oci/base/descriptor.h"

#include "builder/plan/lock.h"

namespace lithify {

// The predicate https://slsa.dev/provenance/v1 of one image (slsa.dev, "Build:
// Provenance"). Everything here decides bytes of the image or says where something came
// from; no clock, host, user or path of the builder's is in it. builder/README.md
// explains the parameters of the build type.
struct Provenance {
  static constexpr std::string_view k_build_type = "https://lithify.dev/build/v1";
  static constexpr std::size_t k_max_size = 23 * 1024 * 1024;  // as a statement's

  // ---- what the user asked for
  std::string build_file = "lithify.yaml";  // its name, without directories
  std::string image;                        // in the build file
  std::vector<oci::Platform> platforms;     // in the order of the image's index
  struct Given {
    std::string name;
    std::string value;  // of a secret: not written down
    bool secret = false;
    bool operator==(const Given&) const = default;
  };
  std::vector<Given> arguments = {};  // those that are not the build file's defaults

  // ---- what the surroundings said
  std::string project;     // the name that the directory gave, if the file gives none
  std::int64_t epoch = 0;  // seconds since 1970
  // What $(git.…) was, if the build file asks.
  std::map<std::string, std::string> git = {};
  std::optional<std::string> sandbox = {};  // the level, as `build` reports it
  // The platforms whose commands an emulator ran.
  std::set<std::string> emulated = {};
  // Ids of the caches that commands mounted: the image may depend on what they held.
  std::set<std::string> caches = {};

  // ---- what it was made of
  // Written without the credentials of URLs, so that the texts that are read may not be
  // those that were built with; then `redacted` is set.
  std::string build_file_text;
  std::string lock_text;
  bool redacted = false;
  // A local source: its tree as it was imported, filters and modes applied.
  struct LocalTree {
    std::string source;  // its name in the build file
    oci::Digest tree;    // Tree::digest()
    bool operator==(const LocalTree&) const = default;
  };
  std::vector<LocalTree> trees = {};
  // Where all local trees can be had: a checkout in which nothing was changed.
  struct Checkout {
    std::string remote;     // what `git clone` takes
    std::string commit;     // hex
    std::string directory;  // of the build file, in it; empty: its top
    bool operator==(const Checkout&) const = default;
  };
  std::optional<Checkout> checkout = {};
  // Downloads that the image needed, by their digests; the lock says what they are. Not
  // read back: building again needs the lock alone.
  std::set<oci::Digest> used = {};

  // ---- who built it
  enum class Mode { local, ci } mode = Mode::local;
  std::string version;  // of lithify
  // runDetails.builder.id: the mode and the version as a URI.
  std::string builder_id() const;

  // The predicate, canonical JSON: equal builds give equal bytes.
  std::string str() const;

  // Reads what str() wrote, from anybody. Errc::bad_input: another build type, members
  // missing or of another kind, names that are no names, more than k_max_size bytes or
  // 10,000 dependencies; Errc::mismatch: an embedded text that is not what its digest
  // says. `what` names it in messages.
  static Provenance parse(std::string_view predicate, std::string_view what);

  bool operator==(const Provenance&) const = default;
};

}  // namespace lithify
