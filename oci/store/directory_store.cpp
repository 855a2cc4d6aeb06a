// directory_store: a blob directory with a lease.
#include "oci/store/directory_store.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "oci/base/error.h"
#include "oci/store/temporary_file.h"

namespace oci {

namespace fs = std::filesystem;

namespace {

void lock_file(int fd, int operation, const std::string& what) {
  while (::flock(fd, operation) != 0) {
    if (errno != EINTR) throw write_error(errno, "locking " + what);
  }
}

// The root, once everything that belongs into it is there.
fs::path prepared(const fs::path& given) {
  const fs::path root = fs::absolute(given).lexically_normal();
  for (const char* name : {"blobs/sha256", "tmp", "quarantine", "locks"})
    make_directories(root / name);
  return root;
}

Fd shared_lease(const fs::path& root) {
  const fs::path path = root / "locks/lease";
  Fd lease = open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0644);
  lock_file(lease.get(), LOCK_SH, path.string());
  return lease;
}

}  // namespace

DirectoryStore::DirectoryStore(const fs::path& root)
    : root_(prepared(root)),
      lease_(shared_lease(root_)),
      blobs_({root_ / "blobs/sha256", root_ / "tmp", root_ / "quarantine"}) {
  remove_dead_temporaries(root_ / "tmp");
}

// Our own shared lease would stand in the way of a second descriptor, so the lease itself
// is converted. A failed conversion may have lost the lock (flock(2)): take it again.
DirectoryStore::ExclusiveLease::ExclusiveLease(const DirectoryStore& store)
    : store_(store) {
  const std::string path = (store.root_ / "locks/lease").string();
  if (::flock(store.lease_.get(), LOCK_EX | LOCK_NB) == 0) return;
  const int error_number = errno;
  lock_file(store.lease_.get(), LOCK_SH, path);
  if (error_number != EWOULDBLOCK) throw write_error(error_number, "locking " + path);
  throw Error(Errc::machine, store.root_.string() + " is in use by another process")
      .add_hint("run it again when no other lithify is running");
}

DirectoryStore::ExclusiveLease::~ExclusiveLease() {
  while (::flock(store_.lease_.get(), LOCK_SH) != 0 && errno == EINTR) {
  }
}

void DirectoryStore::put_away_liars() const {
  for (const BlobInfo& info : list()) {
    try {
      NullSink nowhere;
      copy(*open(info.blob), nowhere);
    } catch (const Error& error) {
      // Reading has put it away; a neighbour may have done so before us.
      if (error.code() != Errc::mismatch && error.code() != Errc::not_found) throw;
    }
  }
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
