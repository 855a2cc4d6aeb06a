// layer_reader_fuzz: any bytes as a layer and as an archive. Whatever comes out must be
// something that a layer may hold.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "oci/base/error.h"
#include "oci/layer/layer_reader.h"
#include "oci/layer/tar.h"

namespace {

constexpr oci::ArchiveLimits k_limits{.entries = 1000,
                                      .content = 1U << 20,
                                      .path = 1000,
                                      .xattrs = 10'000,
                                      .depth = 20,
                                      .names = 100'000,
                                      .ratio = 1100};

using Open = std::unique_ptr<oci::ArchiveReader> (*)(std::unique_ptr<oci::Source>,
                                                     std::string,
                                                     const oci::ArchiveLimits&);

void check(oci::ArchiveReader& reader, const oci::Entry& entry) {
  if (!oci::is_clean_path(entry.path)) std::abort();
  if (entry.type == oci::FileType::hardlink && !oci::is_clean_path(entry.link)) {
    std::abort();
  }
  oci::NullSink nowhere;
  if (oci::copy(reader.content(), nowhere) != entry.size) std::abort();
}

void read(Open open, const std::string& text) {
  try {
    const auto reader = open(std::make_unique<oci::StringSource>(text), "fuzz", k_limits);
    while (const auto entry = reader->next())
      check(*reader, *entry);
  } catch (const oci::Error& error) {
    if (error.code() != oci::Errc::bad_input) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  read(oci::read_layer, text);
  read(oci::read_archive, text);
  return 0;
}
