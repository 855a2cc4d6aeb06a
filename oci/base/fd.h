// Fd and files: owned descriptors, files as sources, and files that appear whole.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "oci/base/stream.h"

namespace oci {

// Owns a file descriptor; closes it, ignoring the result (writers check before).
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd();

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int release();

 private:
  int fd_ = -1;
};

// Opens or throws errno_error("opening …"). O_CLOEXEC is always added.
Fd open_file(const std::filesystem::path& path, int flags, unsigned mode = 0666);

// Opens `path` below the directory `root` and nowhere else: openat2 with RESOLVE_BENEATH,
// RESOLVE_NO_SYMLINKS and RESOLVE_NO_MAGICLINKS. `path` is relative. Where the kernel has
// no openat2 (before 5.6) each component is walked with O_NOFOLLOW. Nothing is created.
// `shown` is what errors call it; empty: `path`.
Fd open_beneath(const Fd& root, std::string_view path, int flags,
                const std::string& shown = "");

// The same, but an invalid Fd with errno set is what a failure gives.
Fd try_open_beneath(const Fd& root, std::string_view path, int flags);

// Writes all of `data` at the file's position, retrying short writes; `what` names the
// file.
void write_all(int fd, Bytes data, const std::string& what);

// An open file, and what errors call it.
struct NamedFile {
  Fd fd;
  std::string name;
};

// A regular file, or a stretch of one, read from front to back.
class FileSource final : public Source {
 public:
  // Takes the descriptor; reads `size` bytes from `offset`, or to the end.
  explicit FileSource(Fd fd, std::string name, std::uint64_t offset = 0,
                      std::uint64_t size = UINT64_MAX);
  // Any number of sources may read one descriptor, each in its own place.
  explicit FileSource(std::shared_ptr<const NamedFile> file, std::uint64_t offset = 0,
                      std::uint64_t size = UINT64_MAX);
  std::size_t read(std::span<std::byte> into) override;
  // Has the kernel copy to the position of `to`, and returns how many bytes it did. That
  // may be none of them, for any reason: what is left is for read(), which has the
  // errors.
  std::uint64_t send(int to);

 private:
  void advance(std::size_t size);

  std::shared_ptr<const NamedFile> file_;
  std::uint64_t offset_;
  std::uint64_t left_;
};

// Writes all that is left of `from` at the position of `to`, which `what` names, and
// returns how many bytes that were. `buffer` is used where the kernel does not copy.
std::uint64_t copy_to_file(Source& from, int to, std::span<std::byte> buffer,
                           const std::string& what);

// Reads a whole small file; more than `limit` bytes, and anything that is not a regular
// file, is Errc::bad_input.
std::string read_file(const std::filesystem::path& path, std::uint64_t limit);

// A file on its way to its final name. Dropped before commit(), it leaves no trace;
// killed, it leaves none either where the file system has files without a name. commit()
// syncs it, renames it over `path` and syncs the directory, so that after a power cut
// either the old or the new is there. A symlink keeps pointing: what it points to is
// replaced. A device, pipe or socket is no file to replace: bytes are written to it as
// they come.
class AtomicFile final : public Sink {
 public:
  explicit AtomicFile(std::filesystem::path path, unsigned mode = 0644);
  ~AtomicFile() override;
  void write(Bytes data) override;
  void commit();

 private:
  void create(unsigned mode);
  void give_name();

  std::filesystem::path path_;       // where symlinks lead
  std::filesystem::path temporary_;  // empty: nothing has this name yet
  bool special_ = false;             // `path` is no regular file
  Fd fd_;
};

void write_file_atomically(const std::filesystem::path& path, std::string_view content,
                           unsigned mode = 0644);

// fsync of a directory, so that names in it survive a power cut.
void sync_directory(const std::filesystem::path& directory);

}  // namespace oci
