// content: the bytes of a file in a tree, checked while they are read.
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"

#include "builder/tree/tree.h"

namespace lithify {

using oci::Errc;
using oci::Error;

namespace {

Error changed(const std::string& path, const std::string& finding) {
  return Error(Errc::mismatch,
               fmt::format("{} changed while it was being read: {}", path, finding))
      .add_hint("build again when nothing writes to it, or leave it out with `exclude`");
}

// Says of a mismatch what it means here: somebody wrote to the file.
class LocalSource final : public oci::Source {
 public:
  LocalSource(std::unique_ptr<oci::Source> verified, std::string path)
      : verified_(std::move(verified)), path_(std::move(path)) {}

  std::size_t read(std::span<std::byte> into) override {
    try {
      return verified_->read(into);
    } catch (const Error& e) {
      if (e.code() != Errc::mismatch) throw;
      throw changed(path_, e.what());
    }
  }

 private:
  std::unique_ptr<oci::Source> verified_;
  std::string path_;
};

std::unique_ptr<oci::Source> open_local(const LocalFile& file) {
  const std::string path = file.path.str();
  oci::Fd fd = oci::open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) {
    throw oci::errno_error(errno, "looking at " + path);
  }
  if (!S_ISREG(info.st_mode)) throw changed(path, "it is no regular file any more");
  if (static_cast<std::uint64_t>(info.st_size) != file.size) {
    throw changed(path,
                  fmt::format("it had {} bytes and now has {}", file.size, info.st_size));
  }
  if (file.size == 0) return std::make_unique<oci::StringSource>(std::string());
  auto bytes = std::make_unique<oci::FileSource>(std::move(fd), path);
  return std::make_unique<LocalSource>(
      oci::verified(std::move(bytes), file.digest, file.size, "content"), path);
}

}  // namespace

std::unique_ptr<oci::Source> open_content(const Content& content,
                                          const oci::BlobStore& store) {
  if (const auto* slice = std::get_if<Slice>(&content)) {
    return store.open_range(slice->blob, slice->offset, slice->size);
  }
  return open_local(std::get<LocalFile>(content));
}

}  // namespace lithify
