// LayerReader and ArchiveReader: entries out of bytes that a stranger wrote.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "oci/base/stream.h"
#include "oci/layer/entry.h"

namespace oci {

// What a hostile archive may cost. Beyond any of them: Errc::bad_input that names the
// limit.
struct ArchiveLimits {
  std::uint64_t entries = 2'000'000;
  std::uint64_t content = 64ULL << 30;  // bytes of all contents together
  std::uint64_t path = 4096;            // bytes of a path or link
  std::uint64_t xattrs = 1 << 20;       // bytes of one entry's xattrs
  unsigned depth = 256;                 // components of a path
  std::uint64_t names = 256ULL << 20;   // bytes of all paths that must be remembered
  std::uint64_t ratio = 1100;           // uncompressed / compressed, once past `harmless`
  std::uint64_t harmless = 4ULL
                           << 30;  // bytes that may be mostly zeros, as disk images are
};

// Reads a stream front to back. After next() returned a regular entry, content() gives
// its bytes until the following next(); what is not read is skipped. When next() has
// returned nullopt the source has been read to its end. One thread at a time.
class ArchiveReader {
 public:
  virtual ~ArchiveReader() = default;
  virtual std::optional<Entry> next() = 0;
  virtual Source& content() = 0;
};

// A layer blob: tar, plain or gzip or zstd, as OCI and docker write them. Refused with
// Errc::bad_input: absolute paths and "..", a member twice, a parent that is no
// directory, hard links to nothing earlier or to no regular file, malformed headers, pax
// sizes that disagree, sparse members, whiteouts of "." or "..", the device 0:0. A
// directory may be there twice; the later one's attributes count. Xattrs that steer
// overlay file systems are left out. The root directory, if it is a member, is the
// directory "". Hard links come out as FileType::hardlink with no content. `name` stands
// for the layer in messages.
std::unique_ptr<ArchiveReader> read_layer(std::unique_ptr<Source> from, std::string name,
                                          const ArchiveLimits& limits = {});

// Any archive a user may want unpacked: tar in every compression libarchive knows, zip
// and ar. Names are cleaned ("./a" is "a"); the same refusals, but whiteout names are
// ordinary files, and duplicate members are allowed (the later one replaces). A zip's
// times are in a zone that it does not name: its members get 1980-01-01T00:00:00Z.
std::unique_ptr<ArchiveReader> read_archive(std::unique_ptr<Source> from,
                                            std::string name,
                                            const ArchiveLimits& limits = {});

}  // namespace oci
