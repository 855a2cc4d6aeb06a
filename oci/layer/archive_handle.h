// archive_handle: what our two users of libarchive share: ownership, errors, and a Source
// as libarchive's input.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "oci/base/stream.h"

struct archive;

namespace oci {

struct FreeArchive {
  void operator()(archive* handle) const;
};
using ArchiveHandle = std::unique_ptr<archive, FreeArchive>;

// A new reader without formats or filters.
ArchiveHandle new_archive();

class ArchiveInput {
 public:
  ArchiveInput(std::unique_ptr<Source> from, std::string name);
  ArchiveInput(const ArchiveInput&) = delete;  // libarchive knows its address
  ArchiveInput& operator=(const ArchiveInput&) = delete;

  // Starts `handle` on the source. This object must outlive it.
  void open(archive* handle);
  // Throws unless `status` is OK, a warning or the end: what the source threw, else
  // Errc::bad_input with libarchive's words.
  void check(archive* handle, int status);
  // Content of the member `handle` stands at; 0 at its end. Here a warning, such as a
  // wrong check sum, is a failure too.
  std::size_t read(archive* handle, std::span<std::byte> into);
  // Reads what libarchive left.
  void drain();
  // Writes what libarchive has not read to `fd`, which is at its beginning afterwards.
  void copy_to(int fd);
  std::uint64_t bytes_read() const { return bytes_read_; }
  const std::string& name() const { return name_; }

 private:
  [[noreturn]] void fail(archive* handle) const;
  static std::ptrdiff_t read_callback(archive* handle, void* self, const void** data);

  std::unique_ptr<Source> from_;
  std::string name_;
  std::vector<std::byte> buffer_;
  std::uint64_t bytes_read_ = 0;
  std::exception_ptr failure_;  // thrown by the source inside a C frame
};

}  // namespace oci
