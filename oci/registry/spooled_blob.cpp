#include "oci/registry/spooled_blob.h"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

#include "oci/base/error.h"

namespace oci {

class SpooledBlob::Range final : public Source {
 public:
  Range(int file, std::uint64_t offset, std::string name)
      : file_(file), offset_(offset), name_(std::move(name)) {}

  std::size_t read(std::span<std::byte> into) override {
    ssize_t got = -1;
    do {
      got = ::pread(file_, into.data(), into.size(), static_cast<off_t>(offset_));
    } while (got < 0 && errno == EINTR);
    if (got < 0) throw errno_error(errno, "reading " + name_);
    offset_ += static_cast<std::uint64_t>(got);
    return static_cast<std::size_t>(got);
  }

 private:
  int file_;  // of the spool, which outlives it
  std::uint64_t offset_;
  std::string name_;
};

SpooledBlob::SpooledBlob() : directory_(std::filesystem::temp_directory_path().string()) {
  std::string name = directory_ + "/lithify-XXXXXX";
  file_ = Fd(::mkostemp(name.data(), O_CLOEXEC));
  if (!file_.valid()) throw write_error(errno, "making a file in " + directory_);
  ::unlink(name.c_str());
}

void SpooledBlob::write(Bytes data) {
  write_all(file_.get(), data, "a temporary file in " + directory_);
  hasher_.update(data);
  size_ += data.size();
}

BlobRef SpooledBlob::finish() {
  return {std::move(hasher_).finish(), size_};
}

std::unique_ptr<Source> SpooledBlob::open(std::uint64_t offset) const {
  return std::make_unique<Range>(file_.get(), offset,
                                 "a temporary file in " + directory_);
}

}  // namespace oci
