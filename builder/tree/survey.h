// Survey: what a directory holds at one moment, by lstat alone.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <stop_token>
#include <string>

#include "oci/base/fd.h"

namespace lithify {

// What lstat says of one name. Owners are as they are on the disk.
struct Surveyed {
  std::uint32_t mode = 0;  // type and permission bits
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t size = 0;
  std::uint64_t links = 0;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t is_device = 0;  // rdev
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;
  bool operator==(const Surveyed&) const = default;
};

// By path without leading slash, in byte order; "" is the directory itself.
using Survey = std::map<std::string, Surveyed, std::less<>>;

// A directory that its owner may not read is opened up for the reading; then it is closed
// again, or stays open for whoever reads its files.
enum class Closed { put_back, left_open };

// Everything below `root`, which nobody else changes meanwhile; `shown` is what messages
// call it. Symlinks are never followed, and no other file system is entered. More than
// 5,000,000 names, paths of more than 4096 bytes and more than 256 levels are
// Errc::bad_input.
Survey survey(const oci::Fd& root, const std::string& shown, Closed closed,
              std::stop_token stop);

}  // namespace lithify
