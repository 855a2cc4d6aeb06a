// TemporaryFile: a file on its way to its final name, whose leftovers tell that they are.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "oci/base/fd.h"

namespace oci {

// A file ".tmp-XXXXXX" in a directory that several processes use. While its writer lives,
// the file is locked (flock), so that a neighbour can tell a living writer's file from a
// killed one's. Dropped before publish(), it leaves no trace. One thread at a time.
class TemporaryFile final : public Sink {
 public:
  explicit TemporaryFile(const std::filesystem::path& directory);
  ~TemporaryFile() override;
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  // A large file starts its way to the disk while it is written.
  void write(Bytes data) override;
  // The content of `from` at no cost, where the file system can share it (FICLONE).
  // False, and nothing done, where it cannot.
  bool clone(const Fd& from);
  // Syncs the file, renames it over `path`, which is on the same file system, and syncs
  // its directory. The mode is that, whatever the umask says.
  void publish(const std::filesystem::path& path, unsigned mode);

 private:
  bool try_create();

  std::filesystem::path directory_;
  std::string path_;
  Fd fd_;
  std::uint64_t size_ = 0;
  std::uint64_t written_back_ = 0;
};

// Removes the temporary files in `directory` whose writers are gone.
void remove_dead_temporaries(const std::filesystem::path& directory);

// mkdir -p with mode 0755; also fine if the directory is there.
void make_directories(const std::filesystem::path& path);

// Whether `path` is a file with exactly this content: to write it again would only cost
// the syncing.
bool file_says(const std::filesystem::path& path, std::string_view content);

// The paths in `directory`, in no particular order.
std::vector<std::filesystem::path> files_in(const std::filesystem::path& directory);

}  // namespace oci
