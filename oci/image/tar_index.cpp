// tar_index: a table of contents for a tar.
#include "oci/image/tar_index.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/layer/tar_reader.h"

namespace oci {

namespace fs = std::filesystem;

namespace {

constexpr int k_max_links = 8;
// Images have a few hundred members.
constexpr std::uint64_t k_max_members = 100'000;

Fd duplicate(const Fd& fd) {
  Fd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy.valid()) throw errno_error(errno, "duplicating a descriptor");
  return copy;
}

// Reads the file, but gives zeros for the contents that the reader of headers will skip.
class HeaderSource final : public Source {
 public:
  HeaderSource(const Fd& fd, std::string name, std::uint64_t file_size)
      : fd_(fd), name_(std::move(name)), file_size_(file_size) {}

  std::uint64_t position() const { return position_; }
  void blank(std::uint64_t size) { blank_until_ = position_ + size; }

  std::size_t read(std::span<std::byte> into) override {
    std::size_t got = 0;
    if (position_ < blank_until_) {
      // A truncated file ends here too.
      const std::uint64_t end = std::min(blank_until_, file_size_);
      const std::uint64_t left = end > position_ ? end - position_ : 0;
      got = static_cast<std::size_t>(std::min<std::uint64_t>(left, into.size()));
      std::memset(into.data(), 0, got);
    } else {
      got = FileSource(duplicate(fd_), name_, position_).read(into);
    }
    position_ += got;
    return got;
  }

 private:
  const Fd& fd_;
  std::string name_;
  std::uint64_t file_size_;
  std::uint64_t position_ = 0;
  std::uint64_t blank_until_ = 0;
};

// "./a/" is "a".
std::string clean(std::string_view name) {
  while (name.substr(0, 2) == "./")
    name.remove_prefix(2);
  while (!name.empty() && name.back() == '/')
    name.remove_suffix(1);
  return std::string(name);
}

void refuse_compressed(const Fd& fd, const std::string& name) {
  std::array<std::byte, 4> start{};
  FileSource(duplicate(fd), name).read(start);
  const std::string_view magic(reinterpret_cast<const char*>(start.data()), start.size());
  if (magic.substr(0, 2) == "\x1f\x8b") {
    throw Error(Errc::bad_input, name +
                                     " is compressed with gzip, and cannot be read in "
                                     "place")
        .add_hint("gunzip --keep " + name);
  }
  if (magic == "\x28\xb5\x2f\xfd") {
    throw Error(Errc::bad_input, name +
                                     " is compressed with zstd, and cannot be read in "
                                     "place")
        .add_hint("unzstd " + name);
  }
}

}  // namespace

TarIndex::TarIndex(fs::path file)
    : name_(file.string()), fd_(open_file(file, O_RDONLY | O_NONBLOCK)) {
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    throw Error(Errc::bad_input, name_ + " is not a regular file");
  }
  refuse_compressed(fd_, name_);
  HeaderSource source(fd_, name_, static_cast<std::uint64_t>(status.st_size));
  ArchiveLimits limits;
  limits.entries = k_max_members;
  limits.content = UINT64_MAX;
  TarReader reader(source, name_, limits);
  for (std::uint64_t count = 0; auto entry = reader.next(); ++count) {
    if (count == k_max_members) {
      throw Error(Errc::bad_input,
                  fmt::format("{} has more than {} members", name_, k_max_members));
    }
    const std::string name = clean(entry->path);
    if (entry->type == FileType::symlink) links_[name] = entry->link;
    if (entry->type != FileType::regular) continue;
    if (!members_.emplace(name, Member{source.position(), entry->size}).second) {
      throw Error(Errc::bad_input, fmt::format("{} has `{}` twice", name_, name));
    }
    source.blank(entry->size);
  }
}

std::optional<TarIndex::Member> TarIndex::find(std::string_view name) const {
  std::string at = clean(name);
  for (int i = 0; i < k_max_links; ++i) {
    const auto member = members_.find(at);
    if (member != members_.end()) return member->second;
    const auto link = links_.find(at);
    if (link == links_.end()) return std::nullopt;
    at = (fs::path(at).parent_path() / link->second).lexically_normal().string();
  }
  return std::nullopt;
}

TarIndex::Member TarIndex::require(std::string_view name) const {
  const auto member = find(name);
  if (!member) throw Error(Errc::bad_input, fmt::format("{} has no `{}`", name_, name));
  return *member;
}

std::unique_ptr<Source> TarIndex::open(const Member& member, std::uint64_t offset,
                                       std::uint64_t size) const {
  return std::make_unique<FileSource>(duplicate(fd_), name_, member.offset + offset,
                                      size);
}

std::string TarIndex::text(std::string_view name, std::uint64_t limit) const {
  const Member member = require(name);
  return read_all(*open(member, 0, member.size), limit,
                  fmt::format("{} in {}", name, name_));
}

}  // namespace oci
