// Lock: what the build file's requests meant, by digest. The file beside the build file.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci/base/descriptor.h"

namespace lithify {

// The lock of a build file stands beside it: "lithify.lock" of "lithify.yaml".
std::string lock_file_of(const std::string& build_file);

// The state of one suite of an apt source when it was locked. For people and audits: a
// build does not need it.
struct LockedIndex {
  std::string source;
  std::string suite;
  oci::Digest release;    // of the InRelease file
  std::string signed_by;  // fingerprint, upper-case hex
  auto operator<=>(const LockedIndex&) const = default;
};

struct LockedPackage {
  std::string name;
  std::string source;        // key of Recipe::sources
  std::string architecture;  // Debian's name, "all" included
  std::string version;
  std::string path;  // below the archive's root: "pool/main/b/bash/bash_5.2…_amd64.deb"
  std::uint64_t size = 0;
  oci::Digest sha256;
  auto operator<=>(const LockedPackage&) const = default;
};

// Names a set: a packages step of an image or stage on a platform, "hello/0/linux/amd64".
// Likewise the outputs of a run step.
struct SetKey {
  std::string image;       // ImageRecipe::lock_name, StageVariant::lock_name
  std::size_t number = 0;  // PackagesStep::number, RunStep::number
  oci::Platform platform;
  static std::optional<SetKey> parse(std::string_view text);
  std::string str() const;
  bool operator==(const SetKey&) const = default;
};

// The image or stage of such a name, as the lock writes it and `lock --update` takes it:
// "stage:deps" of "stage:deps/0/linux/amd64". All of what is no such name.
std::string owner_of(const std::string& key);

// Which closure belongs to which packages step. The request is the step's source and
// packages as written, sorted, so that a changed request is seen: "debian: bash tzdata".
// Members are "name", "name:arch" where the architecture is not the platform's own (nor
// all), "name=version" where the lock has two versions.
struct LockedSet {
  std::string key;  // SetKey::str()
  std::string request;
  std::vector<std::string> packages;  // sorted
  auto operator<=>(const LockedSet&) const = default;
};

struct LockedUrl {
  std::string url;
  std::uint64_t size = 0;
  oci::Digest sha256;
  // Archives only: the digest of the unpacked content, which survives repacking.
  std::optional<oci::Digest> tree = {};
  auto operator<=>(const LockedUrl&) const = default;
};

// Who was found to have signed what, when `verify:` of an image source asked.
struct LockedVerdict {
  std::string type;         // "signature", a short name of a predicate type, or its URI
  std::string form;         // "bundle", "classic" or "envelope"
  oci::Digest key;          // SHA-256 of the public key's SubjectPublicKeyInfo
  oci::Digest subject;      // the index or manifest that is signed
  std::string str() const;  // the four in this order, with spaces between
  auto operator<=>(const LockedVerdict&) const = default;
};

// An image from an OCI layout or a registry.
struct LockedImage {
  std::string ref;  // "layout:base:v1", "docker.io/library/debian:12" (Reference::str())
  oci::Platform platform;
  oci::Digest manifest;
  std::uint64_t size = 0;  // of the manifest
  // Of a registry's image: what the ref meant, if that was an index. Other platforms of
  // the ref are looked for there, so that a tag that moves does not tear them apart.
  std::optional<oci::Digest> index = {};
  // What was asked about its signatures (asked_of() in resolve), and the answers.
  std::optional<oci::Digest> asked = {};
  std::vector<LockedVerdict> verdicts = {};
  auto operator<=>(const LockedImage&) const = default;
};

// What a run step with `network: pinned` made: its outputs, by the digest of their tree.
struct LockedOutput {
  std::string key;  // SetKey::str() of the run step: "stage:deps/0/linux/amd64"
  oci::Digest tree;
  // What the step says (asked_of() in resolve): another command is another question.
  // nullopt: not told, and any command is meant.
  std::optional<oci::Digest> asked = {};
  auto operator<=>(const LockedOutput&) const = default;
};

// The file's lists are sorted and free of duplicates: parse() and str() see to it. In
// memory they may be in any order until normalise().
struct Lock {
  int format = 1;
  std::map<std::string, std::string>
      encoders;  // "zstd" to "zstd-1.5.4", if any layer uses it
  std::vector<LockedImage> images;
  std::vector<LockedIndex> indexes;
  std::vector<LockedOutput> outputs;
  std::vector<LockedPackage> packages;
  std::vector<LockedSet> sets;
  std::vector<LockedUrl> urls;

  // Reads the text of a lock file; `file` is for messages. Reads exactly what str()
  // writes, plus comments, blank lines and entries in any order (a merge leaves them so).
  // Everything else is Errc::bad_input with the place, two different entries for one
  // thing included. Limits: 64 MiB, 1,000,000 entries.
  static Lock parse(std::string_view text, const std::string& file);
  // Blocks with a blank line between entries, so that edits of two branches merge.
  std::string str() const;
  void normalise();
  auto operator<=>(const Lock&) const = default;

  const LockedPackage* find_package(std::string_view source, std::string_view name,
                                    std::string_view architecture,
                                    std::string_view version) const;
  const LockedSet* find_set(std::string_view key) const;
  const LockedUrl* find_url(std::string_view url) const;
  const LockedOutput* find_output(std::string_view key) const;
  // In the place of what is there under its key.
  void set_output(LockedOutput output);
};

}  // namespace lithify
