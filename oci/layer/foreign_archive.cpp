#include "oci/layer/foreign_archive.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <locale.h>

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/layer/archive_handle.h"
#include "oci/layer/member_rules.h"

namespace oci {

namespace {

// Times in a zip are in the zone of whoever packed it, which it does not name.
constexpr std::int64_t k_zip_time = 315'532'800;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

// libarchive turns UTF-8 names of a zip into the thread's character set. In C.UTF-8 they
// stay what they are, whatever locale the process has.
class Utf8Names {
 public:
  Utf8Names() : before_(locale() != nullptr ? ::uselocale(locale()) : nullptr) {}
  ~Utf8Names() {
    if (before_ != nullptr) ::uselocale(before_);
  }
  Utf8Names(const Utf8Names&) = delete;
  Utf8Names& operator=(const Utf8Names&) = delete;

 private:
  static locale_t locale() {
    static const locale_t utf8 = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    return utf8;
  }
  locale_t before_;
};

bool is_zip(std::string_view first) {
  return first.substr(0, 4) == "PK\3\4";
}
// An end without a beginning: nothing in it, and nothing that libarchive would take.
bool is_empty_zip(std::string_view first) {
  return first.substr(0, 4) == "PK\5\6";
}

FileType type_of(archive_entry* member) {
  if (archive_entry_hardlink(member) != nullptr) return FileType::hardlink;
  switch (archive_entry_filetype(member)) {
    case AE_IFDIR:
      return FileType::directory;
    case AE_IFLNK:
      return FileType::symlink;
    case AE_IFCHR:
      return FileType::char_device;
    case AE_IFBLK:
      return FileType::block_device;
    case AE_IFIFO:
      return FileType::fifo;
    default:
      return FileType::regular;
  }
}

class ForeignArchiveReader final : public ArchiveReader, private Source {
 public:
  ForeignArchiveReader(std::unique_ptr<Source> from, std::string_view first,
                       std::string name, const ArchiveLimits& limits)
      : zip_(is_zip(first)),
        empty_(is_empty_zip(first)),
        limits_(limits),
        input_(std::move(from), name),
        rules_(MemberRules::Of::archive, std::move(name), limits),
        handle_(new_archive()) {
    if (zip_) {
      archive_read_support_format_zip_seekable(handle_.get());
    } else {
      archive_read_support_format_ar(handle_.get());
    }
  }

  std::optional<Entry> next() override {
    return during([&] { return "reading " + input_.name(); }, [&] { return member(); });
  }
  Source& content() override { return *this; }

 private:
  std::optional<Entry> member() {
    if (ended_) return std::nullopt;
    if (empty_) return end();
    const Utf8Names names;
    if (!opened_) open();
    std::array<std::byte, 16 * 1024> ignored{};
    while (read(ignored) != 0) {
    }
    archive_entry* found = nullptr;
    const int status = archive_read_next_header(handle_.get(), &found);
    if (status == ARCHIVE_EOF) return end();
    input_.check(handle_.get(), status);
    Entry entry = rules_.admit(entry_of(found));
    left_ = entry.size;
    return entry;
  }

  std::optional<Entry> end() {
    ended_ = true;
    input_.drain();
    return std::nullopt;
  }

  void open() {
    opened_ = true;
    if (!zip_) return input_.open(handle_.get());
    file_.reset(std::tmpfile());
    if (!file_) throw errno_error(errno, "making a temporary file for " + input_.name());
    const int fd = ::fileno(file_.get());
    input_.copy_to(fd);
    input_.check(handle_.get(), archive_read_open_fd(handle_.get(), fd, 64U << 10));
  }

  Entry entry_of(archive_entry* found) const {
    Entry entry;
    entry.type = type_of(found);
    entry.path = text(archive_entry_pathname(found));
    if (entry.type == FileType::symlink) entry.link = text(archive_entry_symlink(found));
    if (entry.type == FileType::hardlink)
      entry.link = text(archive_entry_hardlink(found));
    if (archive_entry_size_is_set(found) != 0) {
      if (archive_entry_size(found) < 0) refuse("has a member with a size below zero");
      entry.size = static_cast<std::uint64_t>(archive_entry_size(found));
    }
    if (entry.type != FileType::regular && entry.type != FileType::symlink &&
        entry.size != 0) {
      refuse("has content behind `" + entry.path + "`, which is no regular file");
    }
    if (entry.type == FileType::symlink)
      entry.size = 0;  // a zip's is the target's length
    Attributes& attributes = entry.attributes;
    attributes.mode = archive_entry_perm(found) & 07777U;
    attributes.uid = static_cast<std::uint32_t>(archive_entry_uid(found));
    attributes.gid = static_cast<std::uint32_t>(archive_entry_gid(found));
    attributes.mtime = zip_ ? k_zip_time : archive_entry_mtime(found);
    if (entry.type == FileType::char_device || entry.type == FileType::block_device) {
      entry.device_major = static_cast<std::uint32_t>(archive_entry_rdevmajor(found));
      entry.device_minor = static_cast<std::uint32_t>(archive_entry_rdevminor(found));
    }
    return entry;
  }

  std::string text(const char* words) const {
    if (words == nullptr) refuse("has a name that is not text");
    return words;
  }

  std::size_t read(std::span<std::byte> into) override {
    const auto want =
        static_cast<std::size_t>(std::min<std::uint64_t>(left_, into.size()));
    if (want == 0) return 0;
    const std::size_t got = input_.read(handle_.get(), into.first(want));
    if (got == 0) refuse(fmt::format("ends {} bytes before a member does", left_));
    left_ -= got;
    produced_ += got;
    // Only at the end does libarchive compare a zip's check sums.
    std::array<std::byte, 1> extra{};
    if (left_ == 0 && input_.read(handle_.get(), extra) != 0) {
      refuse("has a member with more content than it says");
    }
    if (produced_ > limits_.harmless &&
        produced_ / std::max<std::uint64_t>(1, input_.bytes_read()) >= limits_.ratio) {
      refuse(fmt::format("unpacks to more than {} times its size, the limit",
                         limits_.ratio));
    }
    return got;
  }

  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(Errc::bad_input, input_.name() + " " + what);
  }

  bool zip_;
  bool empty_;
  ArchiveLimits limits_;
  std::uint64_t left_ = 0;
  std::uint64_t produced_ = 0;
  bool opened_ = false;
  bool ended_ = false;
  ArchiveInput input_;
  File file_;
  MemberRules rules_;
  ArchiveHandle handle_;  // last: it goes before its input
};

}  // namespace

bool is_foreign_archive(std::string_view first) {
  if (first.size() > 262 && first.substr(257, 5) == "ustar") return false;
  return is_zip(first) || is_empty_zip(first) || first.substr(0, 8) == "!<arch>\n";
}

std::unique_ptr<ArchiveReader> read_foreign_archive(std::unique_ptr<Source> from,
                                                    std::string_view first,
                                                    std::string name,
                                                    const ArchiveLimits& limits) {
  return std::make_unique<ForeignArchiveReader>(std::move(from), first, std::move(name),
                                                limits);
}

}  // namespace oci
