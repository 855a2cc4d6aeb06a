// directory_store: blobs as files, whole or not at all.
#include "oci/store/directory_store.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/store/blob_range.h"

namespace oci {

namespace fs = std::filesystem;

namespace {

// Large blobs start their way to the disk while they are written, so that the sync at the
// end finds little left to do.
constexpr std::uint64_t k_writeback_step = 8 << 20;

void make_directory(const fs::path& path) {
  if (::mkdir(path.c_str(), 0755) == 0) return;
  if (errno == ENOENT && path.has_parent_path()) {
    make_directory(path.parent_path());
    if (::mkdir(path.c_str(), 0755) == 0) return;
  }
  // mkdir says EEXIST before it looks at anything else, EROFS and EACCES included.
  struct stat status {};
  const int error_number = errno;
  if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return;
  throw errno_error(error_number, "creating the directory " + path.string());
}

void lock_file(int fd, int operation, const std::string& what) {
  while (::flock(fd, operation) != 0) {
    if (errno != EINTR) throw errno_error(errno, "locking " + what);
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

}  // namespace

DirectoryStore::FileIdentity DirectoryStore::identity_of(const Fd& fd) {
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) throw errno_error(errno, "looking at a blob");
  return {status.st_dev, status.st_ino};
}

// The flock on the temporary file says that its writer lives.
class DirectoryStore::Writer final : public BlobWriter {
 public:
  explicit Writer(DirectoryStore& store) : store_(store) {
    while (!try_create()) {
    }
  }
  ~Writer() override {
    if (fd_.valid()) ::unlink(path_.c_str());
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void write(Bytes data) override {
    during([&] { return story(data.size()); },
           [&] { write_all(fd_.get(), data, path_); });
    hasher_.update(data);
    size_ += data.size();
    if (size_ - written_back_ >= k_writeback_step) {
      ::sync_file_range(fd_.get(), static_cast<off_t>(written_back_),
                        static_cast<off_t>(size_ - written_back_), SYNC_FILE_RANGE_WRITE);
      written_back_ = size_;
    }
  }

  BlobRef commit() override {
    const BlobRef blob{std::move(hasher_).finish(), size_};
    if (store_.is_checked(blob.digest) && store_.size_of(blob.digest) == size_) {
      store_.mark_used(blob.digest);
      return blob;  // the destructor drops our copy
    }
    during([&] { return story(0); }, [&] { publish(store_.path_of(blob.digest)); });
    store_.mark_checked(blob.digest);
    return blob;
  }

 private:
  // False if a neighbour that cleans tmp/ was faster than our lock.
  bool try_create() {
    path_ = (store_.root_ / "tmp" / "blob-XXXXXX").string();
    fd_ = Fd(::mkostemp(path_.data(), O_CLOEXEC));
    if (!fd_.valid()) throw errno_error(errno, "creating " + path_);
    if (::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK || errno == EINTR) return false;
      const int error_number = errno;
      ::unlink(path_.c_str());
      throw errno_error(error_number, "locking " + path_);
    }
    struct stat status {};
    return ::fstat(fd_.get(), &status) == 0 && status.st_nlink > 0;
  }

  // An existing file of that name is replaced: it may be a liar, ours is not.
  void publish(const fs::path& final_path) {
    if (::fchmod(fd_.get(), 0444) != 0) throw errno_error(errno, "chmod of " + path_);
    if (::fsync(fd_.get()) != 0) throw errno_error(errno, "syncing " + path_);
    if (::rename(path_.c_str(), final_path.c_str()) != 0) {
      throw errno_error(errno, "renaming to " + final_path.string());
    }
    fd_ = Fd();
    if (::fsync(store_.blobs_.get()) != 0) {
      throw errno_error(errno, "syncing " + final_path.parent_path().string());
    }
  }

  std::string story(std::size_t more) const {
    return fmt::format("storing a blob of {}{} bytes in {}", more > 0 ? "at least " : "",
                       size_ + more, store_.root_.string());
  }

  DirectoryStore& store_;
  std::string path_;
  Fd fd_;
  Hasher hasher_;
  std::uint64_t size_ = 0;
  std::uint64_t written_back_ = 0;
};

// Hashes while it reads; a liar goes to quarantine, an honest blob is remembered.
class DirectoryStore::CheckingSource final : public Source {
 public:
  CheckingSource(const DirectoryStore& store, const BlobRef& blob, Fd fd)
      : store_(store), blob_(blob), file_(identity_of(fd)) {
    guarded([&] {
      from_ = verified(
          std::make_unique<FileSource>(std::move(fd), store.path_of(blob.digest)),
          blob.digest, blob.size);
    });
    if (blob.size == 0) store_.mark_checked(blob.digest);
  }

  std::size_t read(std::span<std::byte> into) override {
    std::size_t got = 0;
    guarded([&] { got = from_->read(into); });
    seen_ += got;
    if (got > 0 && seen_ == blob_.size) store_.mark_checked(blob_.digest);
    return got;
  }

 private:
  template <class Body>
  void guarded(Body body) {
    try {
      body();
    } catch (const Error& e) {
      if (e.code() == Errc::mismatch) store_.quarantine(blob_.digest, file_);
      throw;
    }
  }

  const DirectoryStore& store_;
  BlobRef blob_;
  FileIdentity file_;
  std::unique_ptr<Source> from_;
  std::uint64_t seen_ = 0;
};

DirectoryStore::DirectoryStore(fs::path root)
    : root_(fs::absolute(root).lexically_normal()) {
  for (const char* name : {"blobs/sha256", "tmp", "quarantine", "locks"})
    make_directory(root_ / name);
  blobs_ = open_file(root_ / "blobs/sha256", O_RDONLY | O_DIRECTORY);
  const fs::path lease = root_ / "locks/lease";
  lease_ = open_file(lease, O_RDWR | O_CREAT | O_NOFOLLOW, 0644);
  lock_file(lease_.get(), LOCK_SH, lease.string());
  remove_dead_temporaries();
}

DirectoryStore::~DirectoryStore() = default;

void DirectoryStore::remove_dead_temporaries() const {
  for (const fs::path& path : files_in(root_ / "tmp")) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (fd.valid() && ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) ::unlink(path.c_str());
  }
}

fs::path DirectoryStore::path_of(const Digest& digest) const {
  return root_ / "blobs/sha256" / digest.hex();
}

std::optional<std::uint64_t> DirectoryStore::size_of(const Digest& digest) const {
  struct stat status {};
  const std::string name = digest.hex();
  if (::fstatat(blobs_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 ||
      !S_ISREG(status.st_mode)) {
    return std::nullopt;
  }
  return static_cast<std::uint64_t>(status.st_size);
}

bool DirectoryStore::has(const Digest& digest) const {
  if (!size_of(digest)) return false;
  mark_used(digest);
  return true;
}

Fd DirectoryStore::open_regular(const BlobRef& blob) const {
  const std::string name = blob.digest.hex();
  Fd fd(::openat(blobs_.get(), name.c_str(),
                 O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd.valid() && errno == ENOENT) throw no_such_blob(blob.digest, root_.string());
  if (!fd.valid() && errno != ELOOP) {
    throw errno_error(errno, "opening " + path_of(blob.digest).string());
  }
  struct stat status {};
  if (!fd.valid() || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    quarantine(blob.digest, std::nullopt);
    throw Error(Errc::mismatch, path_of(blob.digest).string() + " is not a regular file");
  }
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size == blob.size) {
    mark_used(blob.digest);
    return fd;
  }
  // Either the file lies or whoever asks: only the first is a reason for quarantine.
  const FileIdentity identity = identity_of(fd);
  FileSource file(std::move(fd), path_of(blob.digest));
  NullSink nowhere;
  HashingSink hashing(nowhere);
  copy(file, hashing);
  if (std::move(hashing).finish() != blob.digest) quarantine(blob.digest, identity);
  throw wrong_blob_size(blob, size);
}

std::unique_ptr<Source> DirectoryStore::open(const BlobRef& blob) const {
  Fd fd = open_regular(blob);
  if (!is_checked(blob.digest)) {
    return std::make_unique<CheckingSource>(*this, blob, std::move(fd));
  }
  return std::make_unique<FileSource>(std::move(fd), path_of(blob.digest), 0, blob.size);
}

std::unique_ptr<Source> DirectoryStore::open_range(const BlobRef& blob,
                                                   std::uint64_t offset,
                                                   std::uint64_t size) const {
  check_range(blob, offset, size);
  Fd fd = open_regular(blob);
  check_whole(blob);
  return std::make_unique<FileSource>(std::move(fd), path_of(blob.digest), offset, size);
}

// Hashes the blob unless that was done; of several threads that ask for one blob, one
// hashes and the others wait.
void DirectoryStore::check_whole(const BlobRef& blob) const {
  {
    std::unique_lock lock(mutex_);
    check_ended_.wait(lock, [&] { return checking_.count(blob.digest) == 0; });
    if (checked_.count(blob.digest) != 0) return;
    checking_.insert(blob.digest);
  }
  const auto end = [&] {
    const std::lock_guard lock(mutex_);
    checking_.erase(blob.digest);
    check_ended_.notify_all();
  };
  try {
    CheckingSource source(*this, blob, open_regular(blob));
    NullSink nowhere;
    copy(source, nowhere);
  } catch (...) {
    end();
    throw;
  }
  end();
}

std::unique_ptr<BlobWriter> DirectoryStore::create() {
  return std::make_unique<Writer>(*this);
}

bool DirectoryStore::is_checked(const Digest& digest) const {
  const std::lock_guard lock(mutex_);
  return checked_.count(digest) != 0;
}

void DirectoryStore::mark_checked(const Digest& digest) const {
  const std::lock_guard lock(mutex_);
  checked_.insert(digest);
}

// A failure (another user's file) only makes the blob look older to a prune.
void DirectoryStore::mark_used(const Digest& digest) const {
  {
    const std::lock_guard lock(mutex_);
    if (!used_.insert(digest).second) return;
  }
  const std::string name = digest.hex();
  ::utimensat(blobs_.get(), name.c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
}

// Leaves a file alone that has replaced the liar since: a neighbour has healed it.
void DirectoryStore::quarantine(const Digest& digest,
                                const std::optional<FileIdentity>& liar) const {
  struct stat status {};
  if (::lstat(path_of(digest).c_str(), &status) != 0) return;
  if (liar && *liar != FileIdentity(status.st_dev, status.st_ino)) return;
  const fs::path away = root_ / "quarantine" / digest.hex();
  if (::rename(path_of(digest).c_str(), away.c_str()) != 0 && errno != ENOENT) {
    throw errno_error(errno, "moving a damaged blob to " + away.string());
  }
  const std::lock_guard lock(mutex_);
  checked_.erase(digest);
  used_.erase(digest);
}

std::vector<DirectoryStore::BlobInfo> DirectoryStore::list() const {
  std::vector<BlobInfo> blobs;
  for (const fs::path& path : files_in(root_ / "blobs/sha256")) {
    const auto digest = Digest::parse_hex(path.filename().string());
    struct stat status {};
    if (!digest || ::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
      continue;
    }
    blobs.push_back(
        {{*digest, static_cast<std::uint64_t>(status.st_size)}, status.st_mtime});
  }
  return blobs;
}

// Our own shared lease would stand in the way of a second descriptor, so the lease itself
// is converted. A failed conversion may have lost the lock (flock(2)): take it again.
DirectoryStore::ExclusiveLease::ExclusiveLease(const DirectoryStore& store)
    : store_(store) {
  const std::string path = (store.root_ / "locks/lease").string();
  if (::flock(store.lease_.get(), LOCK_EX | LOCK_NB) == 0) return;
  const int error_number = errno;
  lock_file(store.lease_.get(), LOCK_SH, path);
  if (error_number != EWOULDBLOCK) throw errno_error(error_number, "locking " + path);
  throw Error(Errc::machine, store.root_.string() + " is in use by another process")
      .add_hint("run it again when no other lithify is running");
}

DirectoryStore::ExclusiveLease::~ExclusiveLease() {
  while (::flock(store_.lease_.get(), LOCK_SH) != 0 && errno == EINTR) {
  }
}

std::uint64_t DirectoryStore::remove(const BlobRef& blob) {
  if (::unlink(path_of(blob.digest).c_str()) != 0) {
    if (errno == ENOENT) return 0;
    throw errno_error(errno, "removing " + path_of(blob.digest).string());
  }
  const std::lock_guard lock(mutex_);
  checked_.erase(blob.digest);
  used_.erase(blob.digest);
  return blob.size;
}

std::uint64_t DirectoryStore::empty_quarantine() const {
  std::uint64_t freed = 0;
  for (const fs::path& path : files_in(root_ / "quarantine")) {
    struct stat status {};
    const bool regular = ::lstat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
    std::error_code ignored;
    if (fs::remove_all(path, ignored) > 0 && regular && !ignored) {
      freed += static_cast<std::uint64_t>(status.st_size);
    }
  }
  return freed;
}

}  // namespace oci
