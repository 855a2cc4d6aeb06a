#include "oci/base/fd.h"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

#include "oci/base/error.h"

namespace oci {

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = other.release();
  }
  return *this;
}

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

int Fd::release() {
  const int fd = fd_;
  fd_ = -1;
  return fd;
}

Fd open_file(const std::filesystem::path& path, int flags, unsigned mode) {
  Fd fd(::open(path.c_str(), flags | O_CLOEXEC, mode));
  if (fd.valid()) return fd;
  const int error_number = errno;
  const std::string doing = "opening " + path.string();
  throw(flags & O_ACCMODE) == O_RDONLY ? errno_error(error_number, doing)
                                       : write_error(error_number, doing);
}

namespace {

constexpr std::uint64_t k_most_sent = 1 << 30;  // at a time

// The same promise as openat2's, one component at a time.
int walk_beneath(int root, std::string_view path, int flags) {
  Fd directory(::openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  while (directory.valid()) {
    const std::size_t slash = path.find('/');
    const std::string name(path.substr(0, slash));
    if (name.empty() || name == "..") {
      errno = EXDEV;
      return -1;
    }
    if (slash == std::string_view::npos) {
      return ::openat(directory.get(), name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC);
    }
    directory = Fd(::openat(directory.get(), name.c_str(),
                            O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    path.remove_prefix(slash + 1);
  }
  return -1;
}

}  // namespace

Fd try_open_beneath(const Fd& root, std::string_view path, int flags) {
  const std::string name(path);
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags) | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  Fd fd(static_cast<int>(
      ::syscall(SYS_openat2, root.get(), name.c_str(), &how, sizeof how)));
  if (!fd.valid() && (errno == ENOSYS || errno == EPERM)) {
    fd = Fd(walk_beneath(root.get(), path, flags));
  }
  return fd;
}

Fd open_beneath(const Fd& root, std::string_view path, int flags,
                const std::string& shown) {
  Fd fd = try_open_beneath(root, path, flags);
  if (!fd.valid())
    throw errno_error(errno, "opening " + (shown.empty() ? std::string(path) : shown));
  return fd;
}

void write_all(int fd, Bytes data, const std::string& what) {
  while (!data.empty()) {
    const ssize_t written = ::write(fd, data.data(), data.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      throw write_error(errno, "writing " + what);
    }
    data = data.subspan(static_cast<std::size_t>(written));
  }
}

FileSource::FileSource(Fd fd, std::string name, std::uint64_t offset, std::uint64_t size)
    : FileSource(
          std::make_shared<const NamedFile>(NamedFile{std::move(fd), std::move(name)}),
          offset, size) {}

FileSource::FileSource(std::shared_ptr<const NamedFile> file, std::uint64_t offset,
                       std::uint64_t size)
    : file_(std::move(file)), offset_(offset), left_(size) {}

std::size_t FileSource::read(std::span<std::byte> into) {
  const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), left_));
  while (want > 0) {
    const ssize_t got =
        ::pread(file_->fd.get(), into.data(), want, static_cast<off_t>(offset_));
    if (got < 0) {
      if (errno == EINTR) continue;
      throw errno_error(errno, "reading " + file_->name);
    }
    advance(static_cast<std::size_t>(got));
    return static_cast<std::size_t>(got);
  }
  return 0;
}

std::uint64_t FileSource::send(int to) {
  std::uint64_t sent = 0;
  while (left_ > 0) {
    off_t from = static_cast<off_t>(offset_);
    const ssize_t got = ::copy_file_range(
        file_->fd.get(), &from, to, nullptr,
        static_cast<std::size_t>(std::min<std::uint64_t>(left_, k_most_sent)), 0);
    if (got <= 0) break;
    advance(static_cast<std::size_t>(got));
    sent += static_cast<std::uint64_t>(got);
  }
  return sent;
}

void FileSource::advance(std::size_t size) {
  offset_ += size;
  left_ -= size;
}

std::uint64_t copy_to_file(Source& from, int to, std::span<std::byte> buffer,
                           const std::string& what) {
  auto* file = dynamic_cast<FileSource*>(&from);
  std::uint64_t size = file != nullptr ? file->send(to) : 0;
  while (const std::size_t got = from.read(buffer)) {
    write_all(to, Bytes(buffer).first(got), what);
    size += got;
  }
  return size;
}

std::string read_file(const std::filesystem::path& path, std::uint64_t limit) {
  // A pipe to which nobody writes would hold us for ever otherwise.
  Fd fd = open_file(path, O_RDONLY | O_NONBLOCK);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0)
    throw errno_error(errno, "reading " + path.string());
  if (!S_ISREG(status.st_mode)) {
    throw Error(Errc::bad_input, path.string() + " is not a regular file");
  }
  FileSource source(std::move(fd), path.string());
  return read_all(source, limit, path.string());
}

namespace {

// `path` is there, so there is an end to its links.
std::filesystem::path behind_links(std::filesystem::path path) {
  for (;;) {
    std::error_code problem;
    const auto target = std::filesystem::read_symlink(path, problem);
    if (problem) return path;
    path = path.parent_path() / target;
  }
}

std::filesystem::path directory_of(const std::filesystem::path& path) {
  const auto directory = path.parent_path();
  return directory.empty() ? "." : directory;
}

std::string name_of_descriptor(const Fd& fd) {
  return "/proc/self/fd/" + std::to_string(fd.get());
}

// Two in one directory have different names; `attempt` is for those that a killed process
// left.
std::filesystem::path temporary_name(const std::filesystem::path& path,
                                     unsigned attempt) {
  return directory_of(path) /
         (".lithify-" + std::to_string(::getpid()) + "-" + std::to_string(attempt));
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path path, unsigned mode) {
  struct stat status {};
  const bool there = ::stat(path.c_str(), &status) == 0;
  special_ = there && !S_ISREG(status.st_mode);
  path_ = there && !special_ ? behind_links(std::move(path)) : std::move(path);
  if (special_) {
    fd_ = open_file(path_, O_WRONLY | O_NOCTTY);
  } else {
    create(mode);
  }
}

AtomicFile::~AtomicFile() {
  if (fd_.valid() && !temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::create(unsigned mode) {
  fd_ = Fd(::open(directory_of(path_).c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
  if (!fd_.valid() || ::access(name_of_descriptor(fd_).c_str(), F_OK) != 0) {
    std::string name = (directory_of(path_) / ".lithify-XXXXXX").string();
    fd_ = Fd(::mkostemp(name.data(), O_CLOEXEC));
    const int error_number = errno;
    if (!fd_.valid()) throw write_error(error_number, "creating " + path_.string());
    temporary_ = name;
  }
  // What we publish has a fixed mode, whatever the umask says.
  if (::fchmod(fd_.get(), mode) != 0) {
    throw write_error(errno, "setting the mode of " + path_.string());
  }
}

void AtomicFile::write(Bytes data) {
  write_all(fd_.get(), data, path_.string());
}

// A file without a name cannot replace one in one step; with a name it can.
void AtomicFile::give_name() {
  if (!temporary_.empty()) return;
  for (unsigned attempt = 0;; ++attempt) {
    const auto name = temporary_name(path_, attempt);
    if (::linkat(AT_FDCWD, name_of_descriptor(fd_).c_str(), AT_FDCWD, name.c_str(),
                 AT_SYMLINK_FOLLOW) == 0) {
      temporary_ = name;
      return;
    }
    if (errno != EEXIST) throw write_error(errno, "creating " + path_.string());
  }
}

void AtomicFile::commit() {
  if (special_) {
    fd_ = Fd();
    return;
  }
  if (::fsync(fd_.get()) != 0) throw write_error(errno, "syncing " + path_.string());
  give_name();
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    throw write_error(errno, "renaming to " + path_.string());
  }
  fd_ = Fd();
  sync_directory(directory_of(path_));
}

void write_file_atomically(const std::filesystem::path& path, std::string_view content,
                           unsigned mode) {
  AtomicFile file(path, mode);
  file.write(as_bytes(content));
  file.commit();
}

void sync_directory(const std::filesystem::path& directory) {
  const Fd fd = open_file(directory, O_RDONLY | O_DIRECTORY);
  if (::fsync(fd.get()) != 0) throw write_error(errno, "syncing " + directory.string());
}

}  // namespace oci
