// deliver_rootfs: a tree as a directory that appears, or changes, in one rename.
#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"

#include "builder/deliver/directories_made.h"
#include "builder/deliver/output.h"
#include "builder/tree/materialise.h"

namespace lithify {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t k_max_mark = 4096;

fs::path beside(const fs::path& directory, const std::string& ending) {
  return directory.parent_path() / ("." + directory.filename().string() + ending);
}

// What names a directory wherever it is renamed to. Inode numbers are given out again, so
// the time it was made belongs to it, where the file system knows that.
std::string identity_of(const fs::path& directory) {
  struct statx status = {};
  if (statx(AT_FDCWD, directory.c_str(), AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME,
            &status) != 0) {
    throw oci::errno_error(errno, "looking at " + directory.string());
  }
  return fmt::format("{}:{}:{}:{}.{}\n", status.stx_dev_major, status.stx_dev_minor,
                     status.stx_ino, status.stx_btime.tv_sec, status.stx_btime.tv_nsec);
}

// Never through a symlink: the mark is ours.
void mark(const fs::path& directory, const std::string& identities) {
  std::error_code problem;
  const fs::path file = rootfs_mark(directory);
  if (fs::is_symlink(fs::symlink_status(file, problem))) fs::remove(file, problem);
  oci::write_file_atomically(file, identities);
}

bool is_marked(const fs::path& directory, const std::string& identity) {
  std::error_code problem;
  if (!fs::is_regular_file(fs::symlink_status(rootfs_mark(directory), problem)))
    return false;
  const std::string marks = oci::read_file(rootfs_mark(directory), k_max_mark);
  return ("\n" + marks).find("\n" + identity) != std::string::npos;
}

// A neighbour may replace directory and mark while we look; then we look again.
bool is_ours(const fs::path& directory) {
  std::string identity = identity_of(directory);
  while (!is_marked(directory, identity)) {
    std::string now = identity_of(directory);
    if (now == identity) return false;
    identity = std::move(now);
  }
  return true;
}

// The turn of one process in a directory. The lock is on the directory itself: no further
// file, and gone with its process.
oci::Fd take_turn_in(const fs::path& directory, const std::stop_token& stop) {
  oci::Fd fd = oci::open_file(directory, O_RDONLY | O_DIRECTORY);
  while (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) {
      throw oci::errno_error(errno, "locking " + directory.string());
    }
    if (stop.stop_requested()) throw oci::Cancelled();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return fd;
}

// Directories of a root file system may forbid their owner to empty them. What is no
// directory, such as somebody's symlink of that name, is only unlinked.
void remove_tree(const fs::path& directory) {
  std::error_code problem;
  if (!fs::is_directory(fs::symlink_status(directory, problem))) {
    fs::remove(directory, problem);
    return;
  }
  fs::permissions(directory, fs::perms::owner_all, fs::perm_options::add, problem);
  for (const auto& entry : fs::directory_iterator(directory, problem)) {
    if (fs::is_directory(entry.symlink_status(problem))) remove_tree(entry.path());
  }
  fs::remove_all(directory, problem);
}

// A directory that is removed unless it was given away.
class Scratch {
 public:
  explicit Scratch(fs::path path) : path_(std::move(path)) {
    remove_tree(path_);  // of a build that was killed
    if (mkdir(path_.c_str(), 0755) != 0 || chmod(path_.c_str(), 0755) != 0) {
      throw oci::write_error(errno, "making directory " + path_.string());
    }
  }
  ~Scratch() { remove_tree(path_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

[[noreturn]] void refuse(const fs::path& directory) {
  throw oci::Error(oci::Errc::bad_input,
                   directory.string() + " is there and was not made by lithify")
      .add_hint("name another directory, or remove it yourself");
}

// Where nothing of ours stands: rename() takes the place of nothing and of an empty
// directory, and of nothing else, whatever came there meanwhile.
void put_in_empty_place(const fs::path& fresh, const fs::path& directory) {
  if (rename(fresh.c_str(), directory.c_str()) == 0) return;
  if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR) refuse(directory);
  throw oci::write_error(errno, "making " + directory.string());
}

// Afterwards `fresh` is at `directory`, and what we had made there is at `fresh` or gone.
void replace_ours(const fs::path& fresh, const fs::path& directory) {
  if (renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, directory.c_str(), RENAME_EXCHANGE) ==
      0) {
    return;
  }
  // A file system that cannot exchange.
  const fs::path old = beside(directory, ".lithify-old");
  remove_tree(old);
  if (rename(directory.c_str(), old.c_str()) != 0 ||
      rename(fresh.c_str(), directory.c_str()) != 0) {
    throw oci::write_error(errno, "replacing " + directory.string());
  }
  remove_tree(old);
}

void warn_of(const Unmade& unmade, oci::Activity& activity) {
  if (unmade.empty()) return;
  activity.warn(
      fmt::format("{} in the root file system could not be made as meant, the "
                  "first is {}",
                  unmade.size() == 1 ? "1 file" : fmt::format("{} files", unmade.size()),
                  unmade.front()));
}

}  // namespace

fs::path rootfs_mark(const fs::path& directory) {
  return beside(directory, ".lithify-rootfs");
}

void refuse_foreign_rootfs(const fs::path& directory) {
  std::error_code problem;
  const fs::file_status status = fs::symlink_status(directory, problem);
  if (!fs::exists(status)) return;
  if (!fs::is_directory(status)) refuse(directory);
  if (fs::is_empty(directory, problem) && !problem) return;
  if (!is_ours(directory)) refuse(directory);
}

void deliver_rootfs(const Tree& tree, const fs::path& directory,
                    const RootfsOptions& options, oci::Activity& activity) {
  oci::during([&] { return "writing the root file system " + directory.string(); },
              [&] {
                DirectoriesMade above(directory.parent_path());
                const oci::Fd turn = take_turn_in(directory.parent_path(), options.stop);
                refuse_foreign_rootfs(directory);
                const Scratch scratch(beside(directory, ".lithify-new"));
                const Unmade unmade = materialise(
                    tree, scratch.path(),
                    {options.store, options.privileged, options.stop}, activity);
                // The mark names both, so that a kill between here and there loses
                // neither.
                const std::string fresh = identity_of(scratch.path());
                std::error_code problem;
                if (fs::exists(directory, problem) && is_ours(directory)) {
                  mark(directory, fresh + identity_of(directory));
                  replace_ours(scratch.path(), directory);
                } else {
                  mark(directory, fresh);
                  put_in_empty_place(scratch.path(), directory);
                }
                mark(directory, fresh);
                above.keep();
                warn_of(unmade, activity);
              });
}

}  // namespace lithify
