// compress: frames that stand alone, and encoders with names.
#include "oci/layer/compress.h"

#include <vector>

#include "tests/oci/layer/layer_doubles.h"
#include "tests/support/catch.h"

using oci::Compression;

namespace {

std::string frame_of(Compression compression, const std::string& text) {
  std::vector<std::byte> out(oci::compress_bound(compression, text.size()));
  const std::size_t size = oci::compress_frame(compression, oci::as_bytes(text), out);
  return std::string(reinterpret_cast<const char*>(out.data()), size);
}

}  // namespace

TEST_CASE("a gzip member has a fixed header and a checked end") {
  const std::string member = frame_of(Compression::gzip, "abc");
  CHECK(member.substr(0, 10) == std::string("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10));
  CHECK(member.substr(member.size() - 8) ==
        std::string("\xc2\x41\x24\x35\x03\0\0\0", 8));  // CRC-32 and length of "abc"
}

TEST_CASE("a zstd frame tells its content's size and has no checksum") {
  const std::string frame = frame_of(Compression::zstd, std::string(1000, 'a'));
  CHECK(frame.substr(0, 4) == "\x28\xb5\x2f\xfd");
  // RFC 8878, 3.1.1.1.1: two bytes of content size, single segment, no checksum flag.
  CHECK(static_cast<unsigned char>(frame[4]) == 0x60);
  CHECK(frame.substr(5, 2) == std::string("\xe8\x02", 2));  // 1000 - 256
}

TEST_CASE("a frame that cannot be made smaller fits into its bound") {
  std::string noise;
  std::uint32_t state = 1;
  while (noise.size() < 200'000) {
    state = state * 1664525 + 1013904223;
    noise += static_cast<char>(state >> 24);
  }
  for (const auto c : {Compression::none, Compression::gzip, Compression::zstd}) {
    CHECK(frame_of(c, noise).size() <= oci::compress_bound(c, noise.size()));
  }
  CHECK(frame_of(Compression::none, noise) == noise);
}

TEST_CASE("an encoder has one name") {
  CHECK(oci::encoder_identity(Compression::none) == "none");
  CHECK(oci::encoder_identity(Compression::zstd).rfind("zstd-", 0) == 0);
  CHECK(oci::encoder_identity(Compression::gzip).rfind("libdeflate-", 0) == 0);
  CHECK(oci::encoder_identity(Compression::zstd) ==
        oci::encoder_identity(Compression::zstd));
}
