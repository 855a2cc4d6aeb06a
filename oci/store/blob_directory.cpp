// blob_directory: blobs as files, whole or not at all.
#include "oci/store/blob_directory.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <tuple>
#include <unistd.h>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/base/stoppable_sink.h"
#include "oci/store/blob_range.h"
#include "oci/store/temporary_file.h"

namespace oci {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t k_most_opened = 8;

}  // namespace

BlobDirectory::BlobDirectory(Places places)
    : places_(std::move(places)),
      directory_(open_file(places_.blobs, O_RDONLY | O_DIRECTORY)) {}

BlobDirectory::FileIdentity BlobDirectory::identity_of(const Fd& fd) {
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) throw errno_error(errno, "looking at a blob");
  return {status.st_dev, status.st_ino};
}

class BlobDirectory::Writer final : public BlobWriter {
 public:
  explicit Writer(BlobDirectory& to) : to_(to), file_(to.places_.temporary) {}

  void write(Bytes data) override {
    during([&] { return story("at least ", size_ + data.size()); },
           [&] { file_.write(data); });
    hasher_.update(data);
    size_ += data.size();
  }

  // An existing file of that name is replaced unless it is known to be whole: it may be a
  // liar, ours is not.
  BlobRef commit() override {
    const BlobRef blob{std::move(hasher_).finish(), size_};
    if ((blob.size <= k_small || to_.is_checked(blob.digest)) && to_.is_right(blob)) {
      to_.mark_used(blob.digest);
      return blob;  // the temporary file goes with us
    }
    to_.clear_directory(blob.digest);
    during([&] { return story("", size_); },
           [&] { file_.publish(to_.path_of(blob.digest), 0444); });
    to_.mark_checked(blob.digest);
    return blob;
  }

 private:
  std::string story(std::string_view at_least, std::uint64_t size) const {
    return fmt::format("storing a blob of {}{} bytes in {}", at_least, size,
                       to_.places_.blobs.string());
  }

  BlobDirectory& to_;
  TemporaryFile file_;
  Hasher hasher_;
  std::uint64_t size_ = 0;
};

// Hashes while it reads; a liar goes to quarantine, an honest blob is remembered.
class BlobDirectory::CheckingSource final : public Source {
 public:
  CheckingSource(const BlobDirectory& store, const BlobRef& blob, SharedFile file)
      : store_(store), blob_(blob), file_(identity_of(file->fd)) {
    guarded([&] {
      from_ =
          verified(std::make_unique<FileSource>(std::move(file)), blob.digest, blob.size);
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
      if (e.code() == Errc::mismatch) store_.put_away(blob_.digest, file_);
      throw;
    }
  }

  const BlobDirectory& store_;
  BlobRef blob_;
  FileIdentity file_;
  std::unique_ptr<Source> from_;
  std::uint64_t seen_ = 0;
};

fs::path BlobDirectory::path_of(const Digest& digest) const {
  return places_.blobs / digest.hex();
}

std::optional<std::uint64_t> BlobDirectory::size_of(const Digest& digest) const {
  struct stat status {};
  const std::string name = digest.hex();
  if (::fstatat(directory_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 ||
      !S_ISREG(status.st_mode)) {
    return std::nullopt;
  }
  return static_cast<std::uint64_t>(status.st_size);
}

bool BlobDirectory::has(const Digest& digest) const {
  if (!size_of(digest)) return false;
  mark_used(digest);
  return true;
}

Fd BlobDirectory::open_regular(const BlobRef& blob) const {
  const std::string name = blob.digest.hex();
  Fd fd(::openat(directory_.get(), name.c_str(),
                 O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd.valid() && errno == ENOENT)
    throw no_such_blob(blob.digest, places_.blobs.string());
  if (!fd.valid() && errno != ELOOP) {
    throw errno_error(errno, "opening " + path_of(blob.digest).string());
  }
  struct stat status {};
  if (!fd.valid() || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    put_away(blob.digest, std::nullopt);
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
  if (std::move(hashing).finish() != blob.digest) put_away(blob.digest, identity);
  throw wrong_blob_size(blob, size);
}

std::unique_ptr<Source> BlobDirectory::open(const BlobRef& blob) const {
  SharedFile file = open_unchecked(blob);
  if (!is_checked(blob.digest))
    return std::make_unique<CheckingSource>(*this, blob, std::move(file));
  return std::make_unique<FileSource>(std::move(file), 0, blob.size);
}

std::unique_ptr<Source> BlobDirectory::open_range(const BlobRef& blob,
                                                  std::uint64_t offset,
                                                  std::uint64_t size) const {
  check_range(blob, offset, size);
  check_whole(blob);
  return std::make_unique<FileSource>(open_checked(blob), offset, size);
}

BlobDirectory::SharedFile BlobDirectory::open_unchecked(const BlobRef& blob) const {
  return std::make_shared<const NamedFile>(
      NamedFile{open_regular(blob), path_of(blob.digest).string()});
}

// The file of a checked blob.
BlobDirectory::SharedFile BlobDirectory::open_checked(const BlobRef& blob) const {
  if (SharedFile file = still_open(blob)) return file;
  SharedFile file = open_unchecked(blob);
  keep_open(blob, file, false);
  return file;
}

// Null unless the file that was opened is what the name leads to now: it may have been
// healed, cut or removed meanwhile, and whoever asks wants to know.
BlobDirectory::SharedFile BlobDirectory::still_open(const BlobRef& blob) const {
  struct stat now {};
  const std::string name = blob.digest.hex();
  const bool there =
      ::fstatat(directory_.get(), name.c_str(), &now, AT_SYMLINK_NOFOLLOW) == 0;
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(opened_.begin(), opened_.end(),
                                  [&](const Opened& one) { return one.blob == blob; });
  if (found == opened_.end()) return nullptr;
  if (!there || found->identity != FileIdentity(now.st_dev, now.st_ino) ||
      static_cast<std::uint64_t>(now.st_size) != blob.size) {
    opened_.erase(found);
    return nullptr;
  }
  opened_.splice(opened_.begin(), opened_, found);
  return found->file;
}

void BlobDirectory::keep_open(const BlobRef& blob, const SharedFile& file,
                              bool hashed) const {
  const FileIdentity identity = identity_of(file->fd);
  const std::lock_guard lock(mutex_);
  opened_.remove_if([&](const Opened& one) { return one.blob == blob; });
  opened_.push_front({blob, identity, file, hashed});
  if (opened_.size() > k_most_opened) opened_.pop_back();
}

bool BlobDirectory::was_hashed(const BlobRef& blob, const Fd& file) const {
  const FileIdentity identity = identity_of(file);
  const std::lock_guard lock(mutex_);
  return std::any_of(opened_.begin(), opened_.end(), [&](const Opened& one) {
    return one.hashed && one.blob == blob && one.identity == identity;
  });
}

// The turn to hash a blob: of several threads that want it, the others wait.
class BlobDirectory::Turn {
 public:
  Turn(const BlobDirectory& store, const Digest& digest)
      : store_(store), digest_(digest) {
    std::unique_lock lock(store_.mutex_);
    store_.turn_ended_.wait(lock, [&] { return store_.turns_.count(digest_) == 0; });
    store_.turns_.insert(digest_);
  }
  ~Turn() {
    const std::lock_guard lock(store_.mutex_);
    store_.turns_.erase(digest_);
    store_.turn_ended_.notify_all();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  const BlobDirectory& store_;
  const Digest digest_;
};

// Hashes the blob unless that was done.
void BlobDirectory::check_whole(const BlobRef& blob) const {
  if (is_checked(blob.digest)) return;
  const Turn turn(*this, blob.digest);
  if (is_checked(blob.digest)) return;
  const SharedFile file = open_unchecked(blob);
  hash(blob, file, {});
  keep_open(blob, file, true);
}

void BlobDirectory::check(const BlobRef& blob, const SharedFile& file,
                          const std::stop_token& stop) const {
  const Turn turn(*this, blob.digest);
  if (was_hashed(blob, file->fd)) return;
  hash(blob, file, stop);
  keep_open(blob, file, true);
}

void BlobDirectory::hash(const BlobRef& blob, SharedFile file,
                         const std::stop_token& stop) const {
  CheckingSource source(*this, blob, std::move(file));
  NullSink nowhere;
  StoppableSink until_stopped(nowhere, stop);
  copy(source, until_stopped);
}

bool BlobDirectory::is_right(const BlobRef& blob) const {
  if (size_of(blob.digest) != blob.size) return false;
  try {
    check_whole(blob);
    return true;
  } catch (const Error&) {
    return false;  // a liar, or gone meanwhile
  }
}

std::unique_ptr<BlobWriter> BlobDirectory::create() {
  return std::make_unique<Writer>(*this);
}

bool BlobDirectory::is_checked(const Digest& digest) const {
  const std::lock_guard lock(mutex_);
  return checked_.count(digest) != 0;
}

void BlobDirectory::mark_checked(const Digest& digest) const {
  const std::lock_guard lock(mutex_);
  checked_.insert(digest);
}

// A failure (another user's file) only makes the blob look older to a prune.
void BlobDirectory::mark_used(const Digest& digest) const {
  if (!places_.writable) return;
  {
    const std::lock_guard lock(mutex_);
    if (!used_.insert(digest).second) return;
  }
  const std::string name = digest.hex();
  // The time of access alone: a layout may share the file, and to its owner nothing
  // changed.
  const timespec now_and_as_it_was[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
  ::utimensat(directory_.get(), name.c_str(), now_and_as_it_was, AT_SYMLINK_NOFOLLOW);
}

// Leaves a file alone that has replaced the liar since: a neighbour has healed it.
void BlobDirectory::put_away(const Digest& digest,
                             const std::optional<FileIdentity>& liar) const {
  if (!places_.writable) return;
  const fs::path path = path_of(digest);
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return;
  if (liar && *liar != FileIdentity(status.st_dev, status.st_ino)) return;
  const fs::path away =
      places_.quarantine.empty() ? fs::path() : places_.quarantine / digest.hex();
  std::error_code problem;
  fs::remove_all(away.empty() ? path : away, problem);  // an earlier liar makes room
  if (!problem && !away.empty()) fs::rename(path, away, problem);
  if (problem && problem != std::errc::no_such_file_or_directory) {
    throw errno_error(problem.value(),
                      "taking the damaged " + path.string() + " out of the way");
  }
  forget(digest);
  const std::lock_guard lock(mutex_);
  ++put_away_;
}

void BlobDirectory::forget(const Digest& digest) const {
  const std::lock_guard lock(mutex_);
  checked_.erase(digest);
  used_.erase(digest);
  opened_.remove_if([&](const auto& opened) { return opened.blob.digest == digest; });
}

std::size_t BlobDirectory::found_lying() const {
  const std::lock_guard lock(mutex_);
  return put_away_;
}

bool BlobDirectory::is_newer_than_in(const BlobDirectory& other,
                                     const Digest& digest) const {
  struct stat ours {};
  struct stat theirs {};
  if (::lstat(path_of(digest).c_str(), &ours) != 0) return false;
  if (::lstat(other.path_of(digest).c_str(), &theirs) != 0) return false;
  if (ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino) return false;
  return std::tie(ours.st_mtim.tv_sec, ours.st_mtim.tv_nsec) >
         std::tie(theirs.st_mtim.tv_sec, theirs.st_mtim.tv_nsec);
}

// A file takes the place of anything but a directory.
void BlobDirectory::clear_directory(const Digest& digest) const {
  struct stat status {};
  if (::lstat(path_of(digest).c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
    put_away(digest, std::nullopt);
  }
}

std::vector<BlobDirectory::BlobInfo> BlobDirectory::list() const {
  std::vector<BlobInfo> blobs;
  for (const fs::path& path : files_in(places_.blobs)) {
    const auto digest = Digest::parse_hex(path.filename().string());
    struct stat status {};
    if (!digest || ::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
      continue;
    }
    blobs.push_back(
        {{*digest, static_cast<std::uint64_t>(status.st_size)}, status.st_atime});
  }
  return blobs;
}

std::uint64_t BlobDirectory::remove(const BlobRef& blob) {
  struct stat status {};
  const bool shared =
      ::lstat(path_of(blob.digest).c_str(), &status) == 0 && status.st_nlink > 1;
  if (::unlink(path_of(blob.digest).c_str()) != 0) {
    if (errno == ENOENT) return 0;
    throw errno_error(errno, "removing " + path_of(blob.digest).string());
  }
  forget(blob.digest);
  return shared ? 0 : blob.size;
}

// A link or a clone has the bytes of the file that was just checked. The file systems
// that can neither clone nor link (or not between these two places) copy.
void BlobDirectory::share(const BlobDirectory& from, const BlobRef& blob) {
  from.check_whole(blob);
  clear_directory(blob.digest);
  TemporaryFile file(places_.temporary);
  if (file.clone(from.open_regular(blob))) {
    file.publish(path_of(blob.digest), 0444);
  } else if (::link(from.path_of(blob.digest).c_str(), path_of(blob.digest).c_str()) ==
             0) {
    sync_directory(places_.blobs);
  } else {
    copy(*from.open(blob), file);
    file.publish(path_of(blob.digest), 0444);
  }
  mark_checked(blob.digest);
}

}  // namespace oci
