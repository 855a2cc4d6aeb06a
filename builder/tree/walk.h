// walk: what a directory holds, by lstat alone, many directories at a time.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <vector>

#include "oci/base/fd.h"

#include "builder/tree/capture.h"

namespace lithify {

struct WalkedDirectory;

// One name in a directory: a regular file, a symlink, or a directory.
struct Walked {
  std::string name;
  oci::FileType type = oci::FileType::regular;
  std::uint32_t mode = 0;
  FileStamp stamp = {};
  std::string link = {};
  std::unique_ptr<WalkedDirectory> directory = {};
  bool taken = true;  // directories that are not may still hold what is
};

struct WalkedDirectory {
  std::vector<Walked> entries;  // ascending by name
};

// Opens what a walk has found, `path` below `root`; `shown` is its name for people, who
// are told what to do where it may not be read.
oci::Fd open_walked(const oci::Fd& root, std::string_view path, int flags,
                    const std::string& shown);

FileStamp stamp_of(const struct stat& info);

// Reads the directory `root` and all below it that the request wants. Symlinks are never
// followed. The error thrown is that of the lowest path, if there are several.
WalkedDirectory walk(const oci::Fd& root, const CaptureRequest& request,
                     oci::WorkerPool& workers, std::stop_token stop);

}  // namespace lithify
