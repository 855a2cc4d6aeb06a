#include "builder/tree/changes.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <tuple>
#include <unistd.h>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/tree/tree_text.h"

namespace lithify {

using oci::Errc;
using oci::Error;
using oci::FileType;

namespace {

constexpr std::size_t k_buffer = 256 * 1024;
constexpr std::size_t k_max_xattr = 65536;  // the kernel's own limit
constexpr std::string_view k_capability = "security.capability";

bool is_below(std::string_view path, std::string_view directory) {
  return path.size() > directory.size() && path.starts_with(directory) &&
         path[directory.size()] == '/';
}

bool is_whiteout(const Surveyed& seen) {
  return S_ISCHR(seen.mode) && seen.is_device == 0;
}

// A capability that was given in a user namespace names that namespace's root (revision
// 3, linux/capability.h). The image has none such: revision 2 says the same without it.
std::string portable_capability(std::string value) {
  constexpr std::size_t k_revision_3_size = 24;
  constexpr std::size_t k_revision_2_size = 20;
  constexpr char k_revision_2 = 2;
  if (value.size() == k_revision_3_size && value[3] == 3) {
    value.resize(k_revision_2_size);
    value[3] = k_revision_2;
  }
  return value;
}

bool counts_as_attribute(std::string_view name) {
  return name == k_capability ||
         (name.starts_with("user.") && !name.starts_with("user.overlay."));
}

// Files of the root by their paths.
class Root {
 public:
  Root(const oci::Fd& fd, const std::string& shown) : fd_(fd), shown_(shown) {}

  std::string name_of(const std::string& path) const { return shown_ + "/" + path; }

  // The owner may have closed the file to himself.
  oci::Fd open(const std::string& path) const {
    const oci::Fd parent = parent_of_path(path);
    const std::string name(lithify::name_of(path));
    const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    oci::Fd fd(::openat(parent.get(), name.c_str(), flags));
    if (!fd.valid() && errno == EACCES &&
        ::fchmodat(parent.get(), name.c_str(), 0600, 0) == 0) {
      fd = oci::Fd(::openat(parent.get(), name.c_str(), flags));
    }
    if (!fd.valid()) throw oci::errno_error(errno, "opening " + name_of(path));
    return fd;
  }

  std::string link(const std::string& path) const {
    const oci::Fd parent = parent_of_path(path);
    std::string text(PATH_MAX, '\0');
    const ssize_t size = ::readlinkat(
        parent.get(), std::string(lithify::name_of(path)).c_str(), text.data(), PATH_MAX);
    if (size < 0) throw oci::errno_error(errno, "reading the link " + name_of(path));
    text.resize(static_cast<std::size_t>(size));
    return text;
  }

  oci::Xattrs xattrs(const oci::Fd& file, const std::string& path) const {
    std::string names(k_max_xattr, '\0');
    const ssize_t size = ::flistxattr(file.get(), names.data(), names.size());
    if (size < 0 && errno == ENOTSUP) return {};
    if (size < 0) throw oci::errno_error(errno, "listing attributes of " + name_of(path));
    oci::Xattrs::Map found;
    for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
      const std::string name = names.c_str() + at;
      at += name.size() + 1;
      if (counts_as_attribute(name)) found.emplace(name, xattr(file, name, path));
    }
    return oci::Xattrs(std::move(found));
  }

 private:
  std::string xattr(const oci::Fd& file, const std::string& name,
                    const std::string& path) const {
    std::string value(k_max_xattr, '\0');
    const ssize_t size =
        ::fgetxattr(file.get(), name.c_str(), value.data(), value.size());
    if (size < 0)
      throw oci::errno_error(errno, fmt::format("reading {} of {}", name, name_of(path)));
    value.resize(static_cast<std::size_t>(size));
    return name == k_capability ? portable_capability(std::move(value)) : value;
  }

  oci::Fd parent_of_path(const std::string& path) const {
    const std::string parent(lithify::parent_of(path));
    return oci::open_beneath(fd_, parent.empty() ? "." : parent, O_PATH | O_DIRECTORY,
                             name_of(parent));
  }

  const oci::Fd& fd_;
  const std::string& shown_;
};

// Reads until `into` is full or the source is at its end.
std::size_t fill(oci::Source& from, std::span<std::byte> into) {
  std::size_t got = 0;
  while (got < into.size()) {
    const std::size_t more = from.read(into.subspan(got));
    if (more == 0) break;
    got += more;
  }
  return got;
}

bool equal_bytes(oci::Source& a, oci::Source& b) {
  std::vector<std::byte> left(k_buffer);
  std::vector<std::byte> right(k_buffer);
  for (;;) {
    const std::size_t have = fill(a, left);
    if (have != fill(b, right)) return false;
    if (have == 0) return true;
    if (std::memcmp(left.data(), right.data(), have) != 0) return false;
  }
}

class Changes {
 public:
  Changes(const Touched& touched, const ChangesRequest& request, oci::BlobStore& store,
          oci::Activity& activity, std::stop_token stop)
      : touched_(touched),
        request_(request),
        store_(store),
        activity_(activity),
        stop_(std::move(stop)),
        root_(request.root, request.shown) {}

  Tree run() {
    std::uint64_t done = 0;
    for (const auto& [path, seen] : touched_.present) {
      if (stop_.stop_requested()) throw oci::Cancelled();
      if (counts(path)) judge(path, seen);
      activity_.advance(++done, touched_.present.size());
    }
    for (const std::string& path : touched_.gone)
      take_away(path);
    name_contents();
    for (const auto& [path, node] : Tree::Nodes(nodes_)) {
      if (node.type != FileType::whiteout)
        add_implied_parents(nodes_, path, request_.mtime);
    }
    return Tree(std::move(nodes_));
  }

 private:
  bool counts(const std::string& path) const {
    return !request_.counts || request_.counts(path);
  }

  void judge(const std::string& path, const Surveyed& seen) {
    const Node* before = request_.before.find(path);
    if (path.empty() && before == nullptr) return;  // nobody declared it
    if (before == nullptr || before->type != type_of(path, seen)) check_name(path);
    switch (type_of(path, seen)) {
      case FileType::directory:
        return judge_directory(path, seen, before);
      case FileType::symlink:
        return judge_link(path, seen, before);
      case FileType::regular:
        return judge_file(path, seen, before);
      default:
        return judge_special(path, seen, before);
    }
  }

  FileType type_of(const std::string& path, const Surveyed& seen) const {
    switch (seen.mode & S_IFMT) {
      case S_IFDIR:
        return FileType::directory;
      case S_IFLNK:
        return FileType::symlink;
      case S_IFREG:
        return FileType::regular;
      case S_IFIFO:
        return FileType::fifo;
      case S_IFCHR:
        return FileType::char_device;
      case S_IFBLK:
        return FileType::block_device;
      default:
        throw Error(Errc::failed, fmt::format("the step left the socket /{}", path))
            .add_note("a socket is of no use without the program that made it")
            .add_hint(
                "remove it at the end of the step, or end the program that holds "
                "it before the step ends");
    }
  }

  void check_name(const std::string& path) const {
    const char* problem = path_problem(path);
    if (lithify::name_of(path).starts_with(".wh."))
      problem = "begins a name with \".wh.\", which means a deletion in an image";
    if (problem != nullptr) {
      throw Error(Errc::failed, fmt::format("the step left a file whose path \"/{}\" {}",
                                            path.substr(0, 200), problem));
    }
  }

  Node node_of(const std::string& path, const Surveyed& seen, const Node* before) const {
    Node node;
    node.type = type_of(path, seen);
    node.attributes.mode = node.type == FileType::symlink ? 0777 : seen.mode & 07777;
    node.attributes.mtime = request_.mtime;
    if (request_.owner) {
      std::tie(node.attributes.uid, node.attributes.gid) = request_.owner(path, seen);
    } else if (before != nullptr) {
      node.attributes.uid = before->attributes.uid;
      node.attributes.gid = before->attributes.gid;
    }
    return node;
  }

  // Equal but for times, content and where it came from.
  static bool same_attributes(const Node& a, const Node& b) {
    return a.attributes.mode == b.attributes.mode &&
           a.attributes.uid == b.attributes.uid && a.attributes.gid == b.attributes.gid &&
           a.attributes.xattrs == b.attributes.xattrs;
  }

  void judge_directory(const std::string& path, const Surveyed& seen,
                       const Node* before) {
    Node node = node_of(path, seen, before);
    if (path.empty()) {
      node.attributes.xattrs = before->attributes.xattrs;
    } else {
      node.attributes.xattrs = root_.xattrs(root_.open(path), path);
    }
    const bool was = before != nullptr && is_directory(*before);
    if (was && same_attributes(node, *before)) return;
    // What was in its place must not shine through.
    if (before != nullptr && !was) node.type = FileType::opaque;
    if (was) node.origin = before->origin;
    nodes_.insert_or_assign(path, std::move(node));
  }

  void judge_link(const std::string& path, const Surveyed& seen, const Node* before) {
    Node node = node_of(path, seen, before);
    node.link = root_.link(path);
    if (before != nullptr && before->type == FileType::symlink) {
      node.attributes.mode = before->attributes.mode;
      if (before->link == node.link && same_attributes(node, *before)) return;
    }
    nodes_.insert_or_assign(path, std::move(node));
  }

  void judge_special(const std::string& path, const Surveyed& seen, const Node* before) {
    Node node = node_of(path, seen, before);
    node.device_major = major(seen.is_device);
    node.device_minor = minor(seen.is_device);
    const bool was = before != nullptr && before->type == node.type &&
                     before->device_major == node.device_major &&
                     before->device_minor == node.device_minor;
    if (!was) {
      const bool fifo = node.type == FileType::fifo;
      throw Error(Errc::failed,
                  fmt::format("the step left the {} /{}", fifo ? "fifo" : "device", path))
          .add_hint("remove it at the end of the step: who runs the image makes it");
    }
    if (same_attributes(node, *before)) return;
    node.origin = before->origin;
    nodes_.insert_or_assign(path, std::move(node));
  }

  void judge_file(const std::string& path, const Surveyed& seen, const Node* before) {
    Node node = node_of(path, seen, before);
    const oci::Fd file = root_.open(path);
    node.attributes.xattrs = root_.xattrs(file, path);
    const bool same = before != nullptr && before->type == FileType::regular &&
                      same_content(file, path, seen, *before);
    if (same) {
      // What could not be put on the disk was not taken away by the step.
      const auto& old = before->attributes.xattrs.map();
      const auto capability = old.find(std::string(k_capability));
      if (capability != old.end())
        node.attributes.xattrs[capability->first] = capability->second;
      if (same_attributes(node, *before)) return;
      node.origin = before->origin;
    }
    if (same && before->content && std::holds_alternative<Slice>(*before->content)) {
      node.content = before->content;
    } else if (seen.size > 0) {
      node.content = keep_content(file, path, seen);
    }
    if (seen.links > 1) names_of_[{seen.device, seen.inode}].push_back(path);
    nodes_.insert_or_assign(path, std::move(node));
  }

  bool same_content(const oci::Fd& file, const std::string& path, const Surveyed& seen,
                    const Node& before) const {
    const std::uint64_t size = before.content ? size_of(*before.content) : 0;
    if (size != seen.size) return false;
    if (size == 0) return true;
    oci::FileSource now(duplicate(file), root_.name_of(path));
    return equal_bytes(now, *open_content(*before.content, store_));
  }

  static oci::Fd duplicate(const oci::Fd& file) {
    oci::Fd copy(::fcntl(file.get(), F_DUPFD_CLOEXEC, 0));
    if (!copy.valid()) throw oci::errno_error(errno, "duplicating a descriptor");
    return copy;
  }

  // Another name of a file that is kept already has its content.
  Slice keep_content(const oci::Fd& file, const std::string& path, const Surveyed& seen) {
    const auto other = names_of_.find({seen.device, seen.inode});
    if (other != names_of_.end())
      return std::get<Slice>(*nodes_.at(other->second.front()).content);
    if (!writer_) writer_ = store_.create();
    oci::FileSource from(duplicate(file), root_.name_of(path));
    const std::uint64_t size = oci::copy(from, *writer_);
    if (size != seen.size) {
      throw Error(Errc::mismatch, fmt::format("{} changed after its step had ended",
                                              root_.name_of(path)));
    }
    const Slice slice{{oci::Digest::of(""), k_ours}, written_, size};
    written_ += size;
    return slice;
  }

  // The blob gets its name only now, and with it the slices and the links.
  void name_contents() {
    std::optional<oci::BlobRef> blob;
    if (writer_) blob = writer_->commit();
    for (auto& [path, node] : nodes_) {
      if (!node.content) continue;
      auto& slice = std::get<Slice>(*node.content);
      if (slice.blob.size == k_ours) slice.blob = *blob;
    }
    for (const auto& [file, names] : names_of_)
      join(names);
  }

  void join(const std::vector<std::string>& names) {
    if (names.size() < 2) return;
    const Node& first = nodes_.at(names.front());
    const oci::Digest blob =
        first.content ? std::get<Slice>(*first.content).blob.digest : oci::Digest::of("");
    Node file = first;
    file.file_id = hard_link_id(blob, names.front());
    for (const std::string& name : names)
      nodes_.at(name) = file;
  }

  void take_away(const std::string& path) {
    if (!counts(path) || request_.before.find(path) == nullptr) return;
    for (std::string_view above = parent_of(path); !above.empty();
         above = parent_of(above)) {
      const auto found = nodes_.find(above);
      if (found != nodes_.end() && found->second.type != FileType::directory) return;
    }
    Node node;
    node.type = FileType::whiteout;
    nodes_.emplace(path, std::move(node));
  }

  static constexpr std::uint64_t k_ours = UINT64_MAX;  // size of a blob not yet named

  const Touched& touched_;
  const ChangesRequest& request_;
  oci::BlobStore& store_;
  oci::Activity& activity_;
  const std::stop_token stop_;
  const Root root_;
  Tree::Nodes nodes_;
  std::unique_ptr<oci::BlobWriter> writer_;
  std::uint64_t written_ = 0;
  // Device and inode -> the names that changed, ascending.
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::vector<std::string>> names_of_;
};

}  // namespace

Touched touched_between(const Survey& before, Survey after) {
  Touched touched;
  for (const auto& [path, seen] : before) {
    if (after.find(path) == after.end()) touched.gone.push_back(path);
  }
  for (auto at = after.begin(); at != after.end();) {
    const auto found = before.find(at->first);
    at = found != before.end() && found->second == at->second ? after.erase(at)
                                                              : std::next(at);
  }
  touched.present = std::move(after);
  return touched;
}

Touched touched_in_upper(const oci::Fd& upper, Survey survey, const Tree& before) {
  Touched touched;
  for (auto at = survey.begin(); at != survey.end();) {
    const bool gone = is_whiteout(at->second);
    if (gone) touched.gone.push_back(at->first);
    at = gone ? survey.erase(at) : std::next(at);
  }
  for (const auto& [path, seen] : survey) {
    if (!S_ISDIR(seen.mode) || path.empty()) continue;
    const oci::Fd directory =
        oci::open_beneath(upper, path, O_RDONLY | O_DIRECTORY, path);
    std::array<char, 8> value{};
    const ssize_t size =
        ::fgetxattr(directory.get(), "user.overlay.opaque", value.data(), value.size());
    if (size != 1 || value[0] != 'y') continue;
    const auto& nodes = before.nodes();
    for (auto below = nodes.lower_bound(path + '/');
         below != nodes.end() && is_below(below->first, path); ++below) {
      if (survey.find(below->first) == survey.end()) touched.gone.push_back(below->first);
    }
  }
  std::sort(touched.gone.begin(), touched.gone.end());
  touched.present = std::move(survey);
  return touched;
}

Tree changes(const Touched& touched, const ChangesRequest& request, oci::BlobStore& store,
             oci::Activity& activity, std::stop_token stop) {
  return Changes(touched, request, store, activity, std::move(stop)).run();
}

}  // namespace lithify
