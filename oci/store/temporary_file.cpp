// temporary_file: whole files, and the traces of those who were killed before.
#include "oci/store/temporary_file.h"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <linux/fs.h>
#include <string_view>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/base/error.h"

namespace oci {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view k_prefix = ".tmp-";

// So that the sync at the end of a large file finds little left to do.
constexpr std::uint64_t k_writeback_step = 8 << 20;

}  // namespace

TemporaryFile::TemporaryFile(const fs::path& directory) : directory_(directory) {
  while (!try_create()) {
  }
}

TemporaryFile::~TemporaryFile() {
  if (fd_.valid()) ::unlink(path_.c_str());
}

// False if a neighbour that cleans up was faster than our lock.
bool TemporaryFile::try_create() {
  path_ = (directory_ / (std::string(k_prefix) + "XXXXXX")).string();
  fd_ = Fd(::mkostemp(path_.data(), O_CLOEXEC));
  if (!fd_.valid()) throw write_error(errno, "creating " + path_);
  if (::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK || errno == EINTR) return false;
    const int error_number = errno;
    ::unlink(path_.c_str());
    throw write_error(error_number, "locking " + path_);
  }
  struct stat status {};
  return ::fstat(fd_.get(), &status) == 0 && status.st_nlink > 0;
}

void TemporaryFile::write(Bytes data) {
  write_all(fd_.get(), data, path_);
  size_ += data.size();
  if (size_ - written_back_ >= k_writeback_step) {
    ::sync_file_range(fd_.get(), static_cast<off_t>(written_back_),
                      static_cast<off_t>(size_ - written_back_), SYNC_FILE_RANGE_WRITE);
    written_back_ = size_;
  }
}

bool TemporaryFile::clone(const Fd& from) {
  return ::ioctl(fd_.get(), FICLONE, from.get()) == 0;
}

void TemporaryFile::publish(const fs::path& path, unsigned mode) {
  if (::fchmod(fd_.get(), mode) != 0) {
    throw write_error(errno, "setting the mode of " + path_);
  }
  if (::fsync(fd_.get()) != 0) throw write_error(errno, "syncing " + path_);
  if (::rename(path_.c_str(), path.c_str()) != 0) {
    throw write_error(errno, "renaming to " + path.string());
  }
  fd_ = Fd();
  sync_directory(path.parent_path());
}

void remove_dead_temporaries(const fs::path& directory) {
  for (const fs::path& path : files_in(directory)) {
    if (path.filename().string().rfind(k_prefix, 0) != 0) continue;
    const Fd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (fd.valid() && ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) ::unlink(path.c_str());
  }
}

void make_directories(const fs::path& path) {
  if (::mkdir(path.c_str(), 0755) == 0) return;
  if (errno == ENOENT && path.has_parent_path()) {
    make_directories(path.parent_path());
    if (::mkdir(path.c_str(), 0755) == 0) return;
  }
  const int error_number = errno;
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return;
  throw write_error(error_number, "creating the directory " + path.string());
}

bool file_says(const fs::path& path, std::string_view content) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  if (static_cast<std::uint64_t>(status.st_size) != content.size()) return false;
  try {
    return read_file(path, content.size()) == content;
  } catch (const Error&) {
    return false;  // whoever writes it now will tell
  }
}

// directory_iterator's exceptions are not ours.
std::vector<fs::path> files_in(const fs::path& directory) {
  std::vector<fs::path> files;
  std::error_code error;
  fs::directory_iterator file(directory, error);
  for (; !error && file != fs::directory_iterator(); file.increment(error))
    files.push_back(file->path());
  if (error) throw errno_error(error.value(), "listing " + directory.string());
  return files;
}

}  // namespace oci
