#include "builder/tree/materialise.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
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

class FdSink final : public oci::Sink {
 public:
  FdSink(int fd, const std::string& name) : fd_(fd), name_(name) {}
  void write(oci::Bytes data) override { oci::write_all(fd_, data, name_); }

 private:
  int fd_;
  const std::string& name_;
};

std::array<timespec, 2> times_of(const Node& node) {
  const timespec time{static_cast<time_t>(node.attributes.mtime), 0};
  return {time, time};
}

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
    std::uint64_t done = 0;
    for (const auto& [path, node] : tree_.nodes()) {
      if (options_.stop.stop_requested()) throw oci::Cancelled();
      if (!path.empty()) make(path, node);
      activity_.advance(++done, tree_.nodes().size());
    }
    // Last, and the deepest first: making files changes a directory's time, and its mode
    // may forbid making any.
    for (auto at = tree_.nodes().rbegin(); at != tree_.nodes().rend(); ++at) {
      if (at->second.type == FileType::directory) finish_directory(at->first, at->second);
    }
    return std::move(unmade_);
  }

 private:
  void make(const std::string& path, const Node& node) {
    const int parent = parent_fd(path);
    const std::string name(name_of(path));
    switch (node.type) {
      case FileType::directory:
        return require(::mkdirat(parent, name.c_str(), 0700), "making", path);
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
      default:
        throw Error(Errc::internal,
                    fmt::format("/{} is a mark, but only full trees have files", path));
    }
  }

  void make_file(int parent, const std::string& path, const Node& node) {
    if (node.file_id != 0 && options_.hard_links) {
      const auto first = first_names_.find(node.file_id);
      if (first != first_names_.end() && *tree_.find(first->second) == node) {
        return link(parent, path, first->second);
      }
      first_names_.emplace(node.file_id, path);
    }
    const std::string full = full_name(path);
    const oci::Fd fd(::openat(parent, std::string(name_of(path)).c_str(),
                              O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                              0600));
    require(fd.get(), "making", path);
    if (node.content) {
      const auto content = open_content(*node.content, options_.store);
      FdSink sink(fd.get(), full);
      const std::uint64_t size = oci::copy(*content, sink);
      if (size != size_of(*node.content)) {
        throw Error(Errc::mismatch, fmt::format("/{} has {} bytes, expected {}", path,
                                                size, size_of(*node.content)));
      }
    }
    finish_open(fd.get(), path, node);
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

  void finish_directory(const std::string& path, const Node& node) {
    const oci::Fd fd = open_directory(path);
    finish_open(fd.get(), path, node);
  }

  // The owner first: changing it takes setuid bits away.
  void finish_open(int fd, const std::string& path, const Node& node) {
    const oci::Attributes& attributes = node.attributes;
    if (options_.privileged) {
      require(::fchown(fd, uid(attributes), gid(attributes)), "changing the owner of",
              path);
    }
    for (const auto& [name, value] : attributes.xattrs) {
      if (::fsetxattr(fd, name.c_str(), value.data(), value.size(), 0) == 0) continue;
      if (errno != EPERM && errno != ENOTSUP && errno != EACCES) {
        throw oci::write_error(errno, "setting " + name + " of " + full_name(path));
      }
      unmade_.push_back(path + ": " + name);
    }
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
  const std::string directory_;
  const MaterialiseOptions& options_;
  oci::Activity& activity_;
  oci::Fd root_;
  oci::Fd parent_;
  std::string parent_name_;
  std::map<std::uint64_t, std::string> first_names_;
  Unmade unmade_;
};

}  // namespace

Unmade materialise(const Tree& tree, const std::filesystem::path& directory,
                   const MaterialiseOptions& options, oci::Activity& activity) {
  return Materialiser(tree, directory, options, activity).run();
}

}  // namespace lithify
