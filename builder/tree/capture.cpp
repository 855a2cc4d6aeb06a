#include "builder/tree/capture.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <future>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/tree/walk.h"

namespace lithify {

using oci::Errc;
using oci::Error;
using oci::FileType;

namespace {

constexpr std::int64_t k_settled_ns = 2'000'000'000;
constexpr std::size_t k_batch_files = 128;
constexpr std::uint64_t k_batch_bytes = 8 << 20;
constexpr std::size_t k_buffer = 256 * 1024;

// A file whose digest is to be made, and where it belongs.
struct Unread {
  std::string_view path;  // below the root; empty: the root itself is the file
  FileStamp stamp;
  oci::Digest* digest;
};

[[noreturn]] void changed(const std::string& path) {
  throw Error(Errc::mismatch, fmt::format("{} changed while it was being read", path))
      .add_hint("build again when nothing writes to it, or leave it out with `exclude`");
}

FileStamp stamp_now(const oci::Fd& fd, const std::string& name) {
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) throw oci::errno_error(errno, "looking at " + name);
  return stamp_of(info);
}

// The digest of an open file that must stay what its stamp says until it has been read.
oci::Digest digest_of(const oci::Fd& fd, const FileStamp& stamp, const std::string& name,
                      const std::stop_token& stop) {
  if (stamp_now(fd, name) != stamp) changed(name);
  std::vector<std::byte> buffer(std::min<std::uint64_t>(k_buffer, stamp.size));
  oci::Hasher hasher;
  std::uint64_t seen = 0;
  while (seen < stamp.size) {
    if (stop.stop_requested()) throw oci::Cancelled();
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw oci::errno_error(errno, "reading " + name);
    if (got == 0) changed(name);
    seen += static_cast<std::uint64_t>(got);
    hasher.update(oci::Bytes(buffer).first(static_cast<std::size_t>(got)));
  }
  if (stamp_now(fd, name) != stamp) changed(name);
  return std::move(hasher).finish();
}

class Capture {
 public:
  Capture(const CaptureRequest& request, const CaptureTools& tools)
      : request_(request),
        tools_(tools),
        key_(oci::Digest::of(fmt::format("{}:{}:{}", request.path.size(), request.path,
                                         request.filter_name))),
        known_(tools.stats.load(key_)) {}

  Tree run() {
    root_ =
        oci::during([&] { return "capturing " + request_.path; },
                    [&] { return oci::open_file(request_.path, O_RDONLY | O_NONBLOCK); });
    struct stat info {};
    if (::fstat(root_.get(), &info) != 0) {
      throw oci::errno_error(errno, "looking at " + request_.path);
    }
    if (S_ISDIR(info.st_mode)) {
      add_directory("", info.st_mode & 07777);
      add_all(walk(root_, request_, tools_.workers, tools_.stop), "");
    } else if (S_ISREG(info.st_mode)) {
      Walked file;
      file.name = std::string(lithify::name_of(request_.path));
      file.mode = info.st_mode & 07777;
      file.stamp = stamp_of(info);
      // A link to it is followed, and not again by whoever reads the content.
      add_file(file.name, file,
               LocalPath(std::filesystem::canonical(request_.path).native()), "");
    } else {
      throw Error(Errc::bad_input,
                  fmt::format("{} is neither a directory nor a file", request_.path));
    }
    read_unread();
    remember();
    if (unread_.empty()) tools_.activity.end(oci::Outcome::cached);
    return Tree(std::move(nodes_));
  }

 private:
  // In byte order of full paths: what is in directory "a" comes after "a-b" but before
  // "a0", so a directory's name and its contents are two things to place.
  void add_all(const WalkedDirectory& directory, const std::string& path) {
    struct Place {
      std::string_view name;
      const Walked* entry;
      bool contents;
    };
    std::vector<Place> places;
    places.reserve(directory.entries.size());
    for (const Walked& entry : directory.entries) {
      places.push_back({entry.name, &entry, false});
      if (entry.directory) places.push_back({entry.name, &entry, true});
    }
    std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) {
      return less_with_slash(a.name, a.contents, b.name, b.contents);
    });
    const auto here = std::make_shared<const std::string>(
        request_.path + '/' + (path.empty() ? "" : path + '/'));
    for (const Place& place : places) {
      const Walked& entry = *place.entry;
      const std::string at = path.empty() ? entry.name : path + '/' + entry.name;
      if (place.contents) {
        add_all(*entry.directory, at);
      } else {
        add(entry, at, here);
      }
    }
  }

  // Compares as if a '/' stood behind the names whose flag is set.
  static bool less_with_slash(std::string_view a, bool slash_a, std::string_view b,
                              bool slash_b) {
    const std::size_t common = std::min(a.size(), b.size());
    const int order = a.compare(0, common, b, 0, common);
    if (order != 0) return order < 0;
    const auto at = [common](std::string_view text, bool slash) {
      if (text.size() > common)
        return static_cast<int>(static_cast<unsigned char>(text[common]));
      return slash ? static_cast<int>('/') : -1;
    };
    if (at(a, slash_a) != at(b, slash_b)) return at(a, slash_a) < at(b, slash_b);
    return a.size() < b.size();
  }

  void add(const Walked& entry, const std::string& path,
           const std::shared_ptr<const std::string>& directory) {
    if (entry.type == FileType::directory) {
      if (entry.taken || holds_taken(*entry.directory)) add_directory(path, entry.mode);
    } else if (entry.type == FileType::symlink) {
      Node node;
      node.type = FileType::symlink;
      node.attributes.mode = 0777;
      node.attributes.mtime = k_constant_time;
      node.link = entry.link;
      nodes_.emplace_hint(nodes_.end(), path, std::move(node));
    } else {
      add_file(path, entry, {directory, entry.name}, path);
    }
  }

  static bool holds_taken(const WalkedDirectory& directory) {
    return std::any_of(
        directory.entries.begin(), directory.entries.end(), [](const Walked& entry) {
          return entry.taken || (entry.directory && holds_taken(*entry.directory));
        });
  }

  void add_directory(const std::string& path, std::uint32_t mode) {
    Node node;
    node.type = FileType::directory;
    node.attributes.mode = request_.keep_modes ? mode & 0777 : 0755;
    node.attributes.mtime = k_constant_time;
    nodes_.emplace_hint(nodes_.end(), path, std::move(node));
  }

  void add_file(const std::string& path, const Walked& entry, LocalPath full,
                const std::string& below_root) {
    Node node;
    const std::uint32_t fixed = (entry.mode & 0100) != 0 ? 0755 : 0644;
    node.attributes.mode = request_.keep_modes ? entry.mode & 0777 : fixed;
    node.attributes.mtime = k_constant_time;
    const bool lookup = settled(entry.stamp) && entry.stamp.size > 0;
    const auto known =
        lookup ? known_.next(below_root, entry.stamp) : std::optional<oci::Digest>();
    node.content =
        LocalFile{std::move(full), entry.stamp.size, known.value_or(k_nothing)};
    const auto placed = nodes_.emplace_hint(nodes_.end(), path, std::move(node));
    auto& file = std::get<LocalFile>(*placed->second.content);
    if (file.size == 0) return;
    // The key of a map stays where it is.
    const auto name = std::string_view(placed->first).substr(0, below_root.size());
    if (!known) unread_.push_back({name, entry.stamp, &file.digest});
    if (settled(entry.stamp)) seen_.push_back({name, entry.stamp, &file.digest});
  }

  bool settled(const FileStamp& stamp) const {
    const std::int64_t limit = request_.now_ns - k_settled_ns;
    return stamp.mtime_ns < limit && stamp.ctime_ns < limit;
  }

  void read_unread() {
    std::uint64_t total = 0;
    for (const Unread& file : unread_)
      total += file.stamp.size;
    std::vector<std::future<std::uint64_t>> batches;
    for (std::size_t begin = 0; begin < unread_.size();) {
      std::size_t end = begin;
      std::uint64_t bytes = 0;
      while (end < unread_.size() && end - begin < k_batch_files && bytes < k_batch_bytes)
        bytes += unread_[end++].stamp.size;
      batches.push_back(
          tools_.workers.submit([this, begin, end] { return read_batch(begin, end); }));
      begin = end;
    }
    collect(batches, total);
  }

  // Waits for every batch, whatever happens in one: they use this object. The first to
  // fail in order is the one told.
  void collect(std::vector<std::future<std::uint64_t>>& batches, std::uint64_t total) {
    std::exception_ptr failure;
    std::uint64_t done = 0;
    for (auto& batch : batches) {
      try {
        done += batch.get();
        tools_.activity.advance(done, total);
      } catch (...) {
        if (!failure) failure = std::current_exception();
      }
    }
    if (failure) std::rethrow_exception(failure);
  }

  std::uint64_t read_batch(std::size_t begin, std::size_t end) {
    std::uint64_t bytes = 0;
    for (std::size_t i = begin; i < end; ++i) {
      const Unread& file = unread_[i];
      if (file.path.empty()) {
        *file.digest = digest_of(root_, file.stamp, request_.path, tools_.stop);
      } else {
        const std::string name = request_.path + '/' + std::string(file.path);
        const oci::Fd fd = open_walked(root_, file.path, O_RDONLY | O_NONBLOCK, name);
        *file.digest = digest_of(fd, file.stamp, name, tools_.stop);
      }
      bytes += file.stamp.size;
    }
    return bytes;
  }

  void remember() {
    if (known_.says_it_all()) return;
    known_ = StatRecord();
    std::size_t path_bytes = 0;
    for (const Unread& file : seen_)
      path_bytes += file.path.size();
    StatRecord record;
    record.reserve(seen_.size(), path_bytes);
    for (const Unread& file : seen_)
      record.add(file.path, file.stamp, *file.digest);
    tools_.stats.save(key_, request_.path, record);
  }

  inline static const oci::Digest k_nothing = oci::Digest::of("");

  const CaptureRequest& request_;
  const CaptureTools& tools_;
  const oci::Digest key_;
  StatRecord known_;
  oci::Fd root_;
  Tree::Nodes nodes_;
  std::vector<Unread> unread_;
  std::vector<Unread> seen_;  // what may be remembered, in byte order
};

}  // namespace

Tree capture(const CaptureRequest& request, const CaptureTools& tools) {
  return Capture(request, tools).run();
}

}  // namespace lithify
