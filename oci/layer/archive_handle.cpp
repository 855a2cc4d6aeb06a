#include "oci/layer/archive_handle.h"

#include <cerrno>
#include <new>
#include <unistd.h>

#include <archive.h>
#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"

namespace oci {

void FreeArchive::operator()(archive* handle) const {
  archive_read_free(handle);
}

ArchiveHandle new_archive() {
  ArchiveHandle handle(archive_read_new());
  if (!handle) throw std::bad_alloc();
  return handle;
}

ArchiveInput::ArchiveInput(std::unique_ptr<Source> from, std::string name)
    : from_(std::move(from)), name_(std::move(name)), buffer_(128U << 10) {}

std::ptrdiff_t ArchiveInput::read_callback(archive* handle, void* self,
                                           const void** data) {
  auto& input = *static_cast<ArchiveInput*>(self);
  try {
    const std::size_t got = input.from_->read(input.buffer_);
    input.bytes_read_ += got;
    *data = input.buffer_.data();
    return static_cast<std::ptrdiff_t>(got);
  } catch (...) {
    input.failure_ = std::current_exception();
    archive_set_error(handle, EIO, "the input failed");
    return -1;
  }
}

void ArchiveInput::open(archive* handle) {
  check(handle, archive_read_open(handle, this, nullptr, read_callback, nullptr));
}

void ArchiveInput::check(archive* handle, int status) {
  if (failure_ || status < ARCHIVE_WARN) fail(handle);
}

void ArchiveInput::fail(archive* handle) const {
  if (failure_) std::rethrow_exception(failure_);
  const char* const words = archive_error_string(handle);
  throw Error(Errc::bad_input, fmt::format("{} cannot be read: {}", name_,
                                           words != nullptr ? words : "damaged"));
}

std::size_t ArchiveInput::read(archive* handle, std::span<std::byte> into) {
  const auto got = archive_read_data(handle, into.data(), into.size());
  if (failure_ || got < 0) fail(handle);
  return static_cast<std::size_t>(got);
}

void ArchiveInput::drain() {
  while (const std::size_t got = from_->read(buffer_))
    bytes_read_ += got;
}

void ArchiveInput::copy_to(int fd) {
  const std::string what = "a temporary file for " + name_;
  while (const std::size_t got = from_->read(buffer_)) {
    write_all(fd, Bytes(buffer_).first(got), what);
    bytes_read_ += got;
  }
  if (::lseek(fd, 0, SEEK_SET) != 0) throw errno_error(errno, "rewinding " + what);
}

}  // namespace oci
