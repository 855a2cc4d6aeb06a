// PackageOwners: which package a file of an image belongs to, by the image's own word.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <stop_token>
#include <string>
#include <string_view>

#include "oci/image/repository.h"

namespace lithify {

// What dpkg's database in an image says: /var/lib/dpkg/status and info/*.list, or
// status.d/* where there is no dpkg. For messages: whoever made the image made it up.
class PackageOwners {
 public:
  // Reads the layers of a manifest from front to back. What is not well formed is left
  // out; beyond 64 MiB of lists or a million files the rest is.
  static PackageOwners read(const oci::Repository& images,
                            const oci::Descriptor& manifest, std::stop_token stop);

  // Takes one file of the database, as the reading above does: its path without leading
  // slash, and its text.
  void add(std::string_view path, std::string_view text);
  // Whether add() would look at it.
  static bool is_interesting(std::string_view path);

  // The name of the package; empty: none. Paths as in a layer; where /bin is a symlink to
  // /usr/bin, both spellings do.
  std::string owner_of(std::string_view path) const;
  // Empty: it is not installed.
  std::string version_of(const std::string& package) const;
  const std::map<std::string, std::string>& versions() const { return versions_; }

 private:
  void add_status(std::string_view text);
  void add_paths(const std::string& package, std::string_view text, std::size_t skip);

  std::map<std::string, std::string> versions_;
  std::map<std::string, std::string, std::less<>> owners_;
  std::size_t bytes_ = 0;
};

}  // namespace lithify
