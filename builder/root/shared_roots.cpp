#include "builder/root/shared_roots.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/store/temporary_file.h"

#include "builder/root/root_stamp.h"
#include "builder/root/work_directory.h"
#include "builder/tree/overlay_layer.h"

namespace lithify {

using oci::Errc;
using oci::Error;

namespace fs = std::filesystem;

namespace {

constexpr const char* k_lock_ending = ".lock";
constexpr const char* k_part_ending = ".part";
constexpr auto k_wait = std::chrono::milliseconds(5);
constexpr std::uint64_t k_max_stamp = 64 << 10;
constexpr int k_most_tries = 20;

bool is_linked(const oci::Fd& file) {
  struct stat info {};
  return ::fstat(file.get(), &info) == 0 && info.st_nlink > 0;
}

// The lock of an entry; one without a name any more belongs to an entry that was removed.
// Invalid if `in_vain` says so while it waits.
oci::Fd lock_entry(const fs::path& entry, int how, const std::stop_token& stop,
                   const std::function<bool()>& in_vain = {}) {
  const fs::path path = entry.string() + k_lock_ending;
  oci::Fd fd = oci::open_file(path, O_RDWR | O_CREAT, 0600);
  while (::flock(fd.get(), how | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      throw oci::errno_error(errno, "locking " + path.string());
    if (stop.stop_requested()) throw oci::Cancelled();
    if (in_vain && in_vain()) return {};
    std::this_thread::sleep_for(k_wait);
  }
  ::futimens(fd.get(), nullptr);  // when it was used last
  return fd;
}

// What was not synced is only there until the machine stops.
std::string this_boot() {
  const char* path = "/proc/sys/kernel/random/boot_id";
  const oci::Fd fd(::open(path, O_RDONLY | O_CLOEXEC));
  char text[64] = {};
  const ssize_t size = fd.valid() ? ::read(fd.get(), text, sizeof text) : 0;
  const std::string_view read(text, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  return std::string(read.substr(0, read.find('\n')));
}

// The text of an entry's file `stamp`: boot, stamp, and the names of the entries that it
// lies on, topmost first; a line each.
std::string stamp_text(const std::string& stamp, const std::vector<std::string>& below) {
  return fmt::format("{}\n{}\n{}", this_boot(), stamp, fmt::join(below, "\n"));
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

bool is_name(std::string_view text) {
  return text.size() == 32 &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string owner_text(const RootTools& tools) {
  const OwnerMap& owners = tools.sandbox.owners;
  return fmt::format("{} {} {} {} {} {} {}\n", owners.uid.zero, owners.uid.rest,
                     owners.uid.count, owners.gid.zero, owners.gid.rest, owners.gid.count,
                     tools.sandbox.owners_need_entering);
}

std::string name_of_text(const std::string& text) {
  return oci::Digest::of(text).hex().substr(0, 32);
}

// The first changes that have most of all files: what changes seldom comes first.
std::size_t bulk_of(std::span<const Tree> changes) {
  std::size_t all = 0;
  for (const Tree& change : changes)
    all += change.nodes().size();
  std::size_t seen = 0;
  std::size_t count = 0;
  while (count < changes.size() && seen * 4 < all * 3)
    seen += changes[count++].nodes().size();
  return count;
}

std::uint64_t bytes_below(const fs::path& directory) {
  std::uint64_t bytes = 0;
  std::error_code problem;
  const auto past_closed = fs::directory_options::skip_permission_denied;
  for (fs::recursive_directory_iterator at(directory, past_closed, problem), end;
       !problem && at != end; at.increment(problem)) {
    std::error_code gone;
    if (at->is_regular_file(gone) && !at->is_symlink(gone)) bytes += at->file_size(gone);
  }
  return bytes;
}

}  // namespace

struct SharedRoots::Entry {
  std::vector<std::string> names;  // its own, and of what it lies on, topmost first
  HeldRoot held;
};

std::optional<SharedRoots::Known> SharedRoots::identify(const fs::path& entry) {
  struct stat info {};
  if (::lstat((entry / "stamp").c_str(), &info) != 0) return std::nullopt;
  return Known{
      info.st_ino, info.st_ctim.tv_sec * 1'000'000'000LL + info.st_ctim.tv_nsec, {}};
}

void SharedRoots::know(const std::string& name, std::vector<std::string> below) {
  std::optional<Known> now = identify(directory_ / name);
  if (!now) return;
  now->below = std::move(below);
  const std::lock_guard lock(mutex_);
  known_[name] = std::move(*now);
}

std::optional<std::vector<std::string>> SharedRoots::look(const std::string& name,
                                                          std::stop_token stop) {
  const fs::path entry = directory_ / name;
  const std::optional<Known> now = identify(entry);
  if (!now) return std::nullopt;
  {
    const std::lock_guard lock(mutex_);
    const auto known = known_.find(name);
    if (known != known_.end() && known->second.inode == now->inode &&
        known->second.changed_ns == now->changed_ns)
      return known->second.below;
  }
  const std::string text = oci::read_file(entry / "stamp", k_max_stamp);
  const std::vector<std::string> lines = lines_of(text);
  if (lines.size() < 2 || lines.size() > 2 + k_most_layers) return std::nullopt;
  std::vector<std::string> below(lines.begin() + 2, lines.end());
  if (!std::all_of(below.begin(), below.end(), is_name)) return std::nullopt;
  const oci::Fd root(
      ::open((entry / "root").c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!root.valid() || stamp_text(root_stamp(root, std::move(stop)), below) != text)
    return std::nullopt;
  know(name, below);
  return below;
}

std::optional<SharedRoots::Entry> SharedRoots::find(const std::string& name,
                                                    std::stop_token stop) {
  if (::access((directory_ / name / "stamp").c_str(), F_OK) != 0) return std::nullopt;
  Entry entry;
  const auto add = [&](const std::string& one) {
    oci::Fd lock = lock_entry(directory_ / one, LOCK_SH, stop);
    auto below = is_linked(lock) ? look(one, stop) : std::nullopt;
    if (!below) return below;
    entry.names.push_back(one);
    entry.held.directories.push_back(directory_ / one / "root");
    entry.held.locks.push_back(std::move(lock));
    return below;
  };
  const auto below = add(name);
  if (!below) return std::nullopt;
  for (const std::string& one : *below) {
    if (!add(one)) return std::nullopt;
  }
  return entry;
}

void SharedRoots::make_entry(const std::string& name, const RootTools& tools,
                             const Make& make, std::stop_token stop) {
  const fs::path entry = directory_ / name;
  const fs::path part = entry.string() + k_part_ending;
  // Somebody else may make it, and then use it for long.
  const std::optional<Known> before = identify(entry);
  const oci::Fd lock = lock_entry(entry, LOCK_EX, stop, [&] {
    const std::optional<Known> now = identify(entry);
    return now && (!before || now->inode != before->inode ||
                   now->changed_ns != before->changed_ns);
  });
  // It was removed meanwhile, or is there now.
  if (!lock.valid() || !is_linked(lock) || find_unlocked(name, stop)) return;
  for (const fs::path& old : {entry, part}) {
    if (!remove_laid_out(old, tools.sandbox, tools.program))
      throw Error(Errc::machine, old.string() + " cannot be removed");
  }
  if (::mkdir(part.c_str(), 0700) != 0)
    throw oci::write_error(errno, "making " + part.string());
  try {
    const std::vector<std::string> below = make(part / "root");
    const oci::Fd root = oci::open_file(part / "root", O_RDONLY | O_DIRECTORY);
    // No need to sync it: it is good for this boot of the machine alone.
    const oci::Fd stamp =
        oci::open_file(part / "stamp", O_WRONLY | O_CREAT | O_EXCL, 0600);
    oci::write_all(stamp.get(),
                   oci::as_bytes(stamp_text(root_stamp(root, std::move(stop)), below)),
                   (part / "stamp").string());
    if (::rename(part.c_str(), entry.c_str()) != 0)
      throw oci::write_error(errno, "renaming " + part.string());
    know(name, below);
  } catch (...) {
    remove_laid_out(part, tools.sandbox, tools.program);
    throw;
  }
}

// Whether the entry and all that it lies on are as they should be.
bool SharedRoots::find_unlocked(const std::string& name, const std::stop_token& stop) {
  const auto below = look(name, stop);
  return below && std::all_of(below->begin(), below->end(), [&](const std::string& one) {
           return look(one, stop).has_value();
         });
}

SharedRoots::Entry SharedRoots::take(const std::string& name, const RootTools& tools,
                                     const Make& make, std::stop_token stop) {
  for (int tries = 0; tries < k_most_tries; ++tries) {
    if (auto entry = find(name, stop)) return std::move(*entry);
    oci::make_directories(directory_);
    // Setuid programs in it would be ours, for everybody on this machine.
    if (::chmod(directory_.c_str(), 0700) != 0)
      throw oci::write_error(errno, "making " + directory_.string());
    make_entry(name, tools, make, stop);
  }
  throw Error(Errc::machine,
              fmt::format("{} is changed by somebody else while it is used",
                          (directory_ / name).string()))
      .add_hint("let nothing else write to the store");
}

HeldRoot SharedRoots::tree(const Tree& tree, const RootTools& tools,
                           oci::Activity& activity, std::stop_token stop) {
  const std::string name =
      name_of_text("tree 1\n" + owner_text(tools) + tree.digest().str());
  const auto make = [&](const fs::path& root) {
    lay_out(tree, root, tools, activity, stop);
    return std::vector<std::string>();
  };
  return std::move(take(name, tools, make, stop).held);
}

// One question: where the tree of some changes is, and what has to be made for it.
class SharedRoots::Chain {
 public:
  Chain(SharedRoots& roots, const RootTrees& trees, const RootTools& tools,
        oci::Activity& activity, std::stop_token stop)
      : roots_(roots),
        whole_(trees.whole),
        changes_(worth_a_layer(trees)),
        on_base_(trees.on_base),
        tools_(tools),
        activity_(activity),
        stop_(std::move(stop)) {
    std::string text = "root 1\n" + owner_text(tools) + (on_base_ ? "base\n" : "");
    names_.push_back(name_of_text(text));
    for (const Tree& change : changes_) {
      text += change.digest().str() + '\n';
      names_.push_back(name_of_text(text));
    }
  }

  HeldRoot run() {
    if (auto entry = roots_.find(names_.back(), stop_)) return std::move(entry->held);
    std::optional<Entry> base = nearest();
    const auto make = [&](const fs::path& root) { return make_on(base, root); };
    return std::move(roots_.take(names_.back(), tools_, make, stop_).held);
  }

 private:
  // Many commands change nothing that lasts.
  static std::vector<Tree> worth_a_layer(const RootTrees& trees) {
    std::vector<Tree> changes;
    for (const Tree& change : trees.changes) {
      const bool is_base = trees.on_base && changes.empty();
      if (is_base || !change.nodes().empty()) changes.push_back(change);
    }
    return changes;
  }

  // What some first changes make, which is there or worth having by itself.
  std::optional<Entry> nearest() {
    for (std::size_t count = changes_.size(); count-- > 1;) {
      if (auto entry = roots_.find(names_[count], stop_)) return entry;
    }
    const std::size_t bulk = bulk_of(changes_);
    if (bulk == 0 || bulk == changes_.size()) return std::nullopt;
    const auto make = [&](const fs::path& root) {
      lay_out_given(of_first(bulk), root);
      return std::vector<std::string>();
    };
    return roots_.take(names_[bulk], tools_, make, stop_);
  }

  std::vector<std::string> make_on(const std::optional<Entry>& base,
                                   const fs::path& root) {
    if (base) {
      std::vector<std::string> below = base->names;
      if (below.size() >= k_most_layers) below.erase(below.begin(), below.end() - 1);
      const auto at = std::find(names_.begin(), names_.end(), below.front());
      const Tree layer =
          overlay_layer(of_first(static_cast<std::size_t>(at - names_.begin())), whole_);
      if (layer.nodes().size() * 2 <= whole_.nodes().size()) {
        lay_out_given(layer, root);
        return below;
      }
    }
    lay_out_given(whole_, root);
    return {};
  }

  void lay_out_given(const Tree& tree, const fs::path& root) {
    lay_out(tree, root, tools_, activity_, stop_);
    give_away(tree, root, tools_);
  }

  Tree of_first(std::size_t count) const {
    return merge_below(std::span(changes_).first(count), on_base_);
  }

  SharedRoots& roots_;
  const Tree& whole_;
  const std::vector<Tree> changes_;
  const bool on_base_;
  const RootTools& tools_;
  oci::Activity& activity_;
  const std::stop_token stop_;
  std::vector<std::string> names_;  // of what the first 0, 1, 2, … changes make
};

HeldRoot SharedRoots::root_of(const RootTrees& trees, const RootTools& tools,
                              oci::Activity& activity, std::stop_token stop) {
  return Chain(*this, trees, tools, activity, std::move(stop)).run();
}

std::uint64_t prune_roots(const fs::path& directory,
                          const std::function<bool(std::int64_t)>& is_old,
                          const std::string& program) {
  std::error_code problem;
  if (!fs::is_directory(directory, problem)) return 0;
  std::uint64_t freed = 0;
  for (const fs::path& lock : oci::files_in(directory)) {
    if (lock.extension() != k_lock_ending) continue;
    const oci::Fd fd(::open(lock.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    struct stat info {};
    if (!fd.valid() || ::fstat(fd.get(), &info) != 0 || !is_old(info.st_mtime)) continue;
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) continue;
    fs::path entry = lock;
    entry.replace_extension();
    const fs::path part = entry.string() + k_part_ending;
    bool gone = true;
    for (const fs::path& one : {entry, part}) {
      const std::uint64_t bytes = bytes_below(one);
      const bool removed =
          remove_all_of(one) || remove_laid_out(one, probe_sandbox(), program);
      if (removed) freed += bytes;
      gone = gone && removed;
    }
    if (gone) ::unlink(lock.c_str());
  }
  return freed;
}

}  // namespace lithify
