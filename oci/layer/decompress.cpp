#include "oci/layer/decompress.h"

#include <algorithm>

#include <archive.h>
#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/layer/archive_handle.h"
#include "oci/layer/gunzip.h"

namespace oci {

namespace {

using EnableFilter = int (*)(archive*);
// gzip is undone below libarchive; what is gzip above that is seen and refused.
constexpr EnableFilter k_layer_filters[] = {archive_read_support_filter_gzip,
                                            archive_read_support_filter_zstd};
constexpr EnableFilter k_more_filters[] = {
    archive_read_support_filter_bzip2, archive_read_support_filter_xz,
    archive_read_support_filter_lzma,  archive_read_support_filter_lzip,
    archive_read_support_filter_lz4,   archive_read_support_filter_compress};

class DecompressingSource final : public Source {
 public:
  DecompressingSource(std::unique_ptr<GunzipSource> from, Filters filters,
                      std::string name, const ArchiveLimits& limits)
      : gunzip_(*from),
        input_(std::move(from), std::move(name)),
        limits_(limits),
        handle_(new_archive()) {
    for (const EnableFilter enable : k_layer_filters)
      use(enable);
    if (filters == Filters::all) {
      for (const EnableFilter enable : k_more_filters)
        use(enable);
    }
    archive_read_support_format_raw(handle_.get());
    archive_read_support_format_empty(handle_.get());
  }

  std::size_t read(std::span<std::byte> into) override {
    if (into.empty()) return 0;
    if (!opened_) open();
    if (ended_) return 0;
    const std::size_t got = input_.read(handle_.get(), into);
    if (got == 0) end();
    count(got);
    return got;
  }

 private:
  // A warning would mean that libarchive runs a program found on PATH instead.
  void use(EnableFilter enable) {
    if (enable(handle_.get()) == ARCHIVE_OK) return;
    throw Error(Errc::machine, "this libarchive was built without a compression");
  }

  void open() {
    opened_ = true;
    input_.open(handle_.get());
    // The client itself counts as one filter.
    const int compressions =
        archive_filter_count(handle_.get()) - 1 + (gunzip_.is_gzip() ? 1 : 0);
    if (compressions > 1) {
      throw Error(Errc::bad_input,
                  fmt::format("{} is compressed more than once", input_.name()));
    }
    archive_entry* whole = nullptr;
    const int status = archive_read_next_header(handle_.get(), &whole);
    if (status == ARCHIVE_EOF) return end();
    input_.check(handle_.get(), status);
  }

  void end() {
    ended_ = true;
    input_.check(handle_.get(), ARCHIVE_OK);
    input_.drain();
  }

  void count(std::size_t got) {
    produced_ += got;
    if (produced_ <= limits_.harmless) return;
    if (produced_ / std::max<std::uint64_t>(1, gunzip_.bytes_read()) < limits_.ratio)
      return;
    throw Error(Errc::bad_input,
                fmt::format("{} unpacks to more than {} times its size, the limit",
                            input_.name(), limits_.ratio));
  }

  GunzipSource& gunzip_;  // inside input_
  ArchiveInput input_;
  ArchiveLimits limits_;
  std::uint64_t produced_ = 0;
  bool opened_ = false;
  bool ended_ = false;
  ArchiveHandle handle_;  // last: it goes before its input
};

}  // namespace

std::unique_ptr<Source> decompressed(std::unique_ptr<Source> from, Filters filters,
                                     std::string name, const ArchiveLimits& limits) {
  auto gunzip = std::make_unique<GunzipSource>(std::move(from), name);
  return std::make_unique<DecompressingSource>(std::move(gunzip), filters,
                                               std::move(name), limits);
}

}  // namespace oci
