#include "oci/layer/layer_reader.h"

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/layer/decompress.h"
#include "oci/layer/foreign_archive.h"
#include "oci/layer/member_rules.h"
#include "oci/layer/tar_reader.h"

namespace oci {

namespace {

// A tar's members under the rules of a layer or of any archive.
class TarArchiveReader final : public ArchiveReader, private Source {
 public:
  TarArchiveReader(std::unique_ptr<Source> from, MemberRules::Of what, std::string name,
                   const ArchiveLimits& limits)
      : name_(name),
        from_(std::move(from)),
        tar_(*from_, name, limits),
        rules_(what, std::move(name), limits) {}

  std::optional<Entry> next() override {
    return during([&] { return "reading " + name_; }, [&] { return admitted_next(); });
  }
  Source& content() override { return *this; }

 private:
  std::optional<Entry> admitted_next() {
    std::optional<Entry> member = tar_.next();
    if (!member) return std::nullopt;
    return rules_.admit(std::move(*member));
  }
  std::size_t read(std::span<std::byte> into) override { return tar_.read(into); }

  std::string name_;
  std::unique_ptr<Source> from_;
  TarReader tar_;
  MemberRules rules_;
};

// Gives back the bytes that were looked at, then the rest.
class PeekedSource final : public Source {
 public:
  PeekedSource(std::string first, std::unique_ptr<Source> rest)
      : first_(std::move(first)), rest_(std::move(rest)) {}
  std::size_t read(std::span<std::byte> into) override {
    const std::size_t got = first_.read(into);
    return got > 0 ? got : rest_->read(into);
  }

 private:
  StringSource first_;
  std::unique_ptr<Source> rest_;
};

std::string first_bytes(Source& from, std::size_t count) {
  std::string first(count, '\0');
  std::size_t have = 0;
  while (have < count) {
    const std::size_t got =
        from.read(std::as_writable_bytes(std::span(first)).subspan(have));
    if (got == 0) break;
    have += got;
  }
  first.resize(have);
  return first;
}

}  // namespace

std::unique_ptr<ArchiveReader> read_layer(std::unique_ptr<Source> from, std::string name,
                                          const ArchiveLimits& limits) {
  auto tar = decompressed(std::move(from), Filters::layer, name, limits);
  return std::make_unique<TarArchiveReader>(std::move(tar), MemberRules::Of::layer,
                                            std::move(name), limits);
}

std::unique_ptr<ArchiveReader> read_archive(std::unique_ptr<Source> from,
                                            std::string name,
                                            const ArchiveLimits& limits) {
  auto plain = decompressed(std::move(from), Filters::all, name, limits);
  std::string first = first_bytes(*plain, 512);
  auto whole = std::make_unique<PeekedSource>(first, std::move(plain));
  if (is_foreign_archive(first)) {
    return read_foreign_archive(std::move(whole), first, std::move(name), limits);
  }
  if (!begins_as_tar(first)) {
    throw Error(Errc::bad_input,
                name + " is no archive that lithify reads (tar, zip, ar)");
  }
  return std::make_unique<TarArchiveReader>(std::move(whole), MemberRules::Of::archive,
                                            std::move(name), limits);
}

}  // namespace oci
