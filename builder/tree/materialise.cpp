#include "builder/tree/materialise.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <exception>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <thread>
#include <unistd.h>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/store/temporary_file.h"

namespace lithify {

using oci::Errc;
using oci::Error;
using oci::FileType;

namespace {

constexpr std::size_t k_buffer = 256 * 1024;

std::array<timespec, 2> times_of(const Node& node) {
  const timespec time{static_cast<time_t>(node.attributes.mtime), 0};
  return {time, time};
}

// Files below one directory of ours. One thread at a time.
class Maker {
 public:
  Maker(const Tree& tree, const oci::Fd& root, const std::string& shown,
        const MaterialiseOptions& options)
      : tree_(tree), root_(root), directory_(shown), options_(options) {}

  void make_directory(const std::string& path, const Node& node) {
    const mode_t mode = first_mode(node) | 0700;
    require(::mkdirat(parent_fd(path), std::string(name_of(path)).c_str(), mode),
            "making", path);
  }

  // Anything but a directory.
  void make(const std::string& path, const Node& node) {
    const int parent = parent_fd(path);
    const std::string name(name_of(path));
    switch (node.type) {
      case FileType::regular:
        return make_file(parent, path, node);
      case FileType::symlink:
        require(::symlinkat(node.link.c_str(), parent, name.c_str()), "making", path);
        return finish_name(parent, path, node);
      case FileType::fifo:
        require(::mkfifoat(parent, name.c_str(), 0600), "making", path);
        return finish_name(parent, path, node);
      case FileType::char_device:
      case FileType::block_device:
        return make_device(parent, path, node);
      case FileType::whiteout:
        // Anybody may make this one device.
        return require(::mknodat(parent, name.c_str(), S_IFCHR, 0), "making", path);
      default:
        throw Error(Errc::internal, fmt::format("/{} cannot be made", path));
    }
  }

  void finish_directory(const std::string& path, const Node& node) {
    const oci::Fd fd = open_directory(path);
    if (node.type == FileType::opaque) {
      require(::fsetxattr(fd.get(), "user.overlay.opaque", "y", 1, 0), "marking", path);
    }
    finish_open(fd.get(), path, node);
  }

  Unmade take_unmade() { return std::move(unmade_); }

 private:
  void make_file(int parent, const std::string& path, const Node& node) {
    if (node.file_id != 0 && options_.hard_links) {
      const auto first = first_names_.find(node.file_id);
      if (first != first_names_.end() && *tree_.find(first->second) == node) {
        return link(parent, path, first->second);
      }
      first_names_.emplace(node.file_id, path);
    }
    const oci::Fd fd(::openat(parent, std::string(name_of(path)).c_str(),
                              O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                              first_mode(node)));
    require(fd.get(), "making", path);
    if (node.content) fill(fd.get(), path, *node.content);
    finish_open(fd.get(), path, node);
  }

  void fill(int fd, const std::string& path, const Content& from) {
    const auto content = open_content(from, options_.store);
    const std::uint64_t size = oci::copy_to_file(*content, fd, buffer_, full_name(path));
    if (size == size_of(from)) return;
    throw Error(Errc::mismatch,
                fmt::format("/{} has {} bytes, expected {}", path, size, size_of(from)));
  }

  void link(int parent, const std::string& path, const std::string& first) {
    const oci::Fd directory = open_directory(std::string(parent_of(first)));
    require(::linkat(directory.get(), std::string(name_of(first)).c_str(), parent,
                     std::string(name_of(path)).c_str(), 0),
            "linking", path);
  }

  void make_device(int parent, const std::string& path, const Node& node) {
    if (!options_.privileged) {
      unmade_.push_back(path + ": a device");
      return;
    }
    const mode_t kind = node.type == FileType::char_device ? S_IFCHR : S_IFBLK;
    require(::mknodat(parent, std::string(name_of(path)).c_str(), kind | 0600,
                      ::makedev(node.device_major, node.device_minor)),
            "making", path);
    finish_name(parent, path, node);
  }

  // What most files have from the start, so that it need not be changed: the file system
  // writes each change down. Nobody else may write to what is not whole.
  static mode_t first_mode(const Node& node) { return node.attributes.mode & 0755; }

  // The owner first: changing it takes setuid bits away.
  void finish_open(int fd, const std::string& path, const Node& node) {
    const oci::Attributes& attributes = node.attributes;
    struct stat now {};
    require(::fstat(fd, &now), "looking at", path);
    const bool give = options_.privileged &&
                      (now.st_uid != uid(attributes) || now.st_gid != gid(attributes));
    if (give) {
      require(::fchown(fd, uid(attributes), gid(attributes)), "changing the owner of",
              path);
    }
    for (const auto& [name, value] : attributes.xattrs) {
      if (options_.overlay_marks && name.starts_with("user.overlay.")) continue;
      if (::fsetxattr(fd, name.c_str(), value.data(), value.size(), 0) == 0) continue;
      if (errno != EPERM && errno != ENOTSUP && errno != EACCES) {
        throw oci::write_error(errno, "setting " + name + " of " + full_name(path));
      }
      unmade_.push_back(path + ": " + name);
    }
    // A new owner takes set-id bits away, and an access control list is a mode too.
    constexpr unsigned k_set_ids = 06000;
    if ((now.st_mode & 07777) != attributes.mode || !attributes.xattrs.empty() ||
        (give && (attributes.mode & k_set_ids) != 0))
      require(::fchmod(fd, attributes.mode), "changing the mode of", path);
    require(::futimens(fd, times_of(node).data()), "changing the time of", path);
  }

  // What cannot be opened without an effect is changed by name, in a directory of ours.
  void finish_name(int parent, const std::string& path, const Node& node) {
    const std::string name(name_of(path));
    const oci::Attributes& attributes = node.attributes;
    if (options_.privileged) {
      require(::fchownat(parent, name.c_str(), uid(attributes), gid(attributes),
                         AT_SYMLINK_NOFOLLOW),
              "changing the owner of", path);
    }
    if (node.type != FileType::symlink) {
      require(::fchmodat(parent, name.c_str(), attributes.mode, 0),
              "changing the mode of", path);
    }
    require(::utimensat(parent, name.c_str(), times_of(node).data(), AT_SYMLINK_NOFOLLOW),
            "changing the time of", path);
  }

  std::uint32_t uid(const oci::Attributes& of) const {
    return options_.uid ? options_.uid(of.uid) : of.uid;
  }
  std::uint32_t gid(const oci::Attributes& of) const {
    return options_.gid ? options_.gid(of.gid) : of.gid;
  }

  int parent_fd(const std::string& path) {
    const std::string_view parent = parent_of(path);
    if (parent.empty()) return root_.get();
    if (parent != parent_name_) {
      parent_ = open_directory(std::string(parent));
      parent_name_ = parent;
    }
    return parent_.get();
  }

  oci::Fd open_directory(const std::string& path) const {
    return oci::open_beneath(root_, path.empty() ? "." : path, O_RDONLY | O_DIRECTORY);
  }

  void require(int result, const char* doing, const std::string& path) const {
    if (result < 0)
      throw oci::write_error(errno, fmt::format("{} {}", doing, full_name(path)));
  }

  std::string full_name(const std::string& path) const { return directory_ + '/' + path; }

  const Tree& tree_;
  const oci::Fd& root_;
  const std::string& directory_;
  const MaterialiseOptions& options_;
  oci::Fd parent_;
  std::string parent_name_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(k_buffer);
  std::map<std::uint64_t, std::string> first_names_;
  Unmade unmade_;
};

class Materialiser {
 public:
  Materialiser(const Tree& tree, const std::filesystem::path& directory,
               const MaterialiseOptions& options, oci::Activity& activity)
      : tree_(tree),
        directory_(directory.string()),
        options_(options),
        activity_(activity) {
    oci::make_directories(directory);
    if (!std::filesystem::is_empty(directory)) {
      throw Error(Errc::bad_input, fmt::format("{} is not empty", directory_))
          .add_hint("name a new directory, or empty this one");
    }
    root_ = oci::open_file(directory, O_RDONLY | O_DIRECTORY);
  }

  Unmade run() {
    std::vector<Item> directories;
    std::vector<Item> files;
    for (const auto& [path, node] : tree_.nodes()) {
      if (is_mark(node) && !options_.overlay_marks) {
        throw Error(Errc::internal,
                    fmt::format("/{} is a mark, but only full trees have files", path));
      }
      (is_directory(node) ? directories : files).push_back({&path, &node});
    }
    Maker maker(tree_, root_, directory_, options_);
    for (const Item& item : directories) {
      if (!item.path->empty()) maker.make_directory(*item.path, *item.node);
    }
    Unmade unmade = make_files(files);
    // Last, and the deepest first: making files changes a directory's time, and its mode
    // may forbid making any.
    for (auto at = directories.rbegin(); at != directories.rend(); ++at)
      maker.finish_directory(*at->path, *at->node);
    const Unmade more = maker.take_unmade();
    unmade.insert(unmade.end(), more.begin(), more.end());
    std::sort(unmade.begin(), unmade.end());
    return unmade;
  }

 private:
  struct Item {
    const std::string* path;
    const Node* node;
  };

  static bool is_mark(const Node& node) {
    return node.type == FileType::whiteout || node.type == FileType::opaque;
  }

  // Neighbours go to one thread, which then has their directory open.
  Unmade make_files(const std::vector<Item>& files) {
    const std::size_t most = options_.hard_links ? 1 : std::max(options_.threads, 1U);
    const std::size_t count =
        std::clamp(files.size() / k_files_worth_a_thread, std::size_t{1}, most);
    std::vector<Unmade> unmade(count);
    std::vector<std::exception_ptr> failures(count);
    const auto work = [&](std::size_t which) {
      try {
        unmade[which] = make_part(files, which * files.size() / count,
                                  (which + 1) * files.size() / count);
      } catch (...) {
        failures[which] = std::current_exception();
        failed_ = true;
      }
    };
    {
      std::vector<std::jthread> threads;
      for (std::size_t which = 1; which < count; ++which)
        threads.emplace_back(work, which);
      work(0);
    }
    for (const std::exception_ptr& failure : failures) {
      if (failure) std::rethrow_exception(failure);
    }
    for (std::size_t which = 1; which < count; ++which)
      unmade[0].insert(unmade[0].end(), unmade[which].begin(), unmade[which].end());
    return std::move(unmade[0]);
  }

  Unmade make_part(const std::vector<Item>& files, std::size_t begin, std::size_t end) {
    Maker maker(tree_, root_, directory_, options_);
    for (std::size_t at = begin; at < end && !failed_; ++at) {
      if (options_.stop.stop_requested()) throw oci::Cancelled();
      maker.make(*files[at].path, *files[at].node);
      const std::uint64_t done = ++done_;
      if (begin == 0) activity_.advance(done, files.size());
    }
    return maker.take_unmade();
  }

  static constexpr std::size_t k_files_worth_a_thread = 64;

  const Tree& tree_;
  const std::string directory_;
  const MaterialiseOptions& options_;
  oci::Activity& activity_;
  oci::Fd root_;
  std::atomic<bool> failed_ = false;
  std::atomic<std::uint64_t> done_ = 0;
};

}  // namespace

Unmade materialise(const Tree& tree, const std::filesystem::path& directory,
                   const MaterialiseOptions& options, oci::Activity& activity) {
  return Materialiser(tree, directory, options, activity).run();
}

}  // namespace lithify
