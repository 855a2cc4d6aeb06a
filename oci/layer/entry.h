// Entry: one member of a layer, without its content.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "oci/layer/xattrs.h"

namespace oci {

enum class FileType : std::uint8_t {
  regular,
  directory,
  symlink,
  hardlink,  // another name of the earlier entry `link`
  char_device,
  block_device,
  fifo,
  whiteout,  // `path` below is gone (OCI image-spec, layer.md, "Whiteouts")
  opaque,    // directory `path` hides everything below it
};

// What every kind of file has. Modes are permission bits with setuid, setgid and sticky
// (07777); mtime is seconds since 1970, never a fraction.
struct Attributes {
  std::uint32_t mode = 0644;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::int64_t mtime = 0;
  Xattrs xattrs = {};
  bool operator==(const Attributes&) const = default;
};

struct Entry {
  // Relative, components separated by one '/', without "." or "..", no slash at either
  // end; raw bytes. Never a ".wh." name: whiteouts are types. "" is the root directory.
  std::string path;
  FileType type = FileType::regular;
  Attributes attributes = {};
  std::uint64_t size = 0;  // bytes of content; regular files only
  std::string link = {};   // a symlink's text, or the path of a hard link's first name
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  // Nanoseconds behind attributes.mtime, below 1,000,000,000. Layers have none: only a
  // tar that is no layer, and a TarReader, which reads any.
  std::uint32_t mtime_fraction = 0;
  bool operator==(const Entry&) const = default;
};

}  // namespace oci
