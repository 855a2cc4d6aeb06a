#include "oci/layer/compress.h"

#include <array>
#include <cstring>
#include <libdeflate.h>
#include <memory>
#include <new>
#include <vector>

#include <fmt/format.h>
#include <zstd.h>

#include "oci/base/error.h"

namespace oci {

namespace {

constexpr int k_zstd_level = 3;
constexpr int k_deflate_level = 6;

// RFC 1952: deflate, no flags, no time, no level, system unknown.
constexpr std::array<unsigned char, 10> k_gzip_header{0x1f, 0x8b, 8, 0, 0,
                                                      0,    0,    0, 0, 255};
constexpr std::size_t k_gzip_trailer = 8;

struct FreeZstd {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};
struct FreeDeflate {
  void operator()(libdeflate_compressor* compressor) const {
    libdeflate_free_compressor(compressor);
  }
};

std::size_t zstd_frame(Bytes frame, std::span<std::byte> into, bool summed) {
  // A context of its own: what an earlier frame left in a shared one must not matter.
  const std::unique_ptr<ZSTD_CCtx, FreeZstd> context(ZSTD_createCCtx());
  if (!context) throw std::bad_alloc();
  for (const auto& [parameter, value] : {std::pair{ZSTD_c_compressionLevel, k_zstd_level},
                                         {ZSTD_c_contentSizeFlag, 1},
                                         {ZSTD_c_checksumFlag, summed ? 1 : 0}}) {
    if (ZSTD_isError(ZSTD_CCtx_setParameter(context.get(), parameter, value)) != 0) {
      throw Error(Errc::internal, "zstd refuses a parameter of format 1");
    }
  }
  const std::size_t size =
      ZSTD_compress2(context.get(), into.data(), into.size(), frame.data(), frame.size());
  if (ZSTD_isError(size) != 0) {
    throw Error(Errc::machine, fmt::format("compressing a frame of a layer: {}",
                                           ZSTD_getErrorName(size)));
  }
  return size;
}

void put_little_endian(std::byte* to, std::uint32_t value) {
  for (int i = 0; i < 4; ++i)
    to[i] = static_cast<std::byte>(value >> (8 * i));
}

std::size_t gzip_member(Bytes frame, std::span<std::byte> into) {
  const std::unique_ptr<libdeflate_compressor, FreeDeflate> compressor(
      libdeflate_alloc_compressor(k_deflate_level));
  if (!compressor) throw std::bad_alloc();
  std::memcpy(into.data(), k_gzip_header.data(), k_gzip_header.size());
  const std::span<std::byte> body = into.subspan(
      k_gzip_header.size(), into.size() - k_gzip_header.size() - k_gzip_trailer);
  const std::size_t size = libdeflate_deflate_compress(
      compressor.get(), frame.data(), frame.size(), body.data(), body.size());
  if (size == 0) throw Error(Errc::internal, "a gzip member outgrew its bound");
  std::byte* const trailer = body.data() + size;
  put_little_endian(trailer, libdeflate_crc32(0, frame.data(), frame.size()));
  put_little_endian(trailer + 4, static_cast<std::uint32_t>(frame.size()));
  return k_gzip_header.size() + size + k_gzip_trailer;
}

// What the encoder's name is established from: words of one alphabet in a fixed order, so
// that there are matches of many lengths and distances, with noise between them.
std::vector<std::byte> probe_text(std::size_t size) {
  std::vector<std::byte> text;
  text.reserve(size + 64);
  std::uint32_t state = 1;
  const auto next = [&state] { return (state = state * 1664525 + 1013904223) >> 8; };
  while (text.size() < size) {
    const std::uint32_t choice = next();
    std::uint32_t word = choice % 16 == 0 ? next() : choice % 1000 * 2654435761U;
    for (std::uint32_t i = 0; i < 4 + choice / 1000 % 12; ++i) {
      word = word * 1664525 + 1013904223;
      text.push_back(static_cast<std::byte>('a' + (word >> 27)));
    }
    text.push_back(static_cast<std::byte>(' '));
  }
  text.resize(size);
  return text;
}

// zstd chooses its tables by the size of the input: one probe for each choice.
Digest probe(Compression compression) {
  Hasher hasher;
  const std::vector<std::byte> text = probe_text(300'000);
  for (const std::size_t size : {1000U, 10'000U, 100'000U, 140'000U, 300'000U}) {
    std::vector<std::byte> out(compress_bound(compression, size));
    hasher.update(
        Bytes(out).first(compress_frame(compression, Bytes(text).first(size), out)));
  }
  return std::move(hasher).finish();
}

// The probe's digest by release of the library.
struct KnownEncoder {
  std::string_view probe;
  std::string_view identity;
};
constexpr std::array<KnownEncoder, 3> k_known{{
    {"c2b938c0d2dd38e1f7cd2a132359560f25cf82f4c2721389a336dafe7777612f", "zstd-1.5.4"},
    {"a39f6229ec75a00665660ca184eb9256f49de8984dffc3c972da535b0099e98e", "zstd-1.5.7"},
    {"0c4034493c1616fad6ddfb18a4341a1b3e68fb4693a7375a9128b34328e9ad04",
     "libdeflate-1.14"},
}};

std::string identify(Compression compression) {
  const std::string hex = probe(compression).hex();
  for (const KnownEncoder& known : k_known) {
    if (known.probe == hex) return std::string(known.identity);
  }
  return fmt::format("{}-{}", compression == Compression::zstd ? "zstd" : "libdeflate",
                     hex.substr(0, 12));
}

}  // namespace

std::string_view layer_media_type(Compression compression) {
  switch (compression) {
    case Compression::none:
      return media_type::k_layer;
    case Compression::gzip:
      return media_type::k_layer_gzip;
    case Compression::zstd:
      return media_type::k_layer_zstd;
  }
  throw Error(Errc::internal, "no such compression");
}

std::size_t compress_bound(Compression compression, std::size_t size) {
  switch (compression) {
    case Compression::none:
      return size;
    case Compression::gzip:
      return k_gzip_header.size() + libdeflate_deflate_compress_bound(nullptr, size) +
             k_gzip_trailer;
    case Compression::zstd:
      return ZSTD_compressBound(size);
  }
  throw Error(Errc::internal, "no such compression");
}

std::size_t compress_frame(Compression compression, Bytes frame,
                           std::span<std::byte> into) {
  switch (compression) {
    case Compression::none:
      std::memcpy(into.data(), frame.data(), frame.size());
      return frame.size();
    case Compression::gzip:
      return gzip_member(frame, into);
    case Compression::zstd:
      return zstd_frame(frame, into, false);
  }
  throw Error(Errc::internal, "no such compression");
}

std::size_t compress_summed_frame(Bytes frame, std::span<std::byte> into) {
  return zstd_frame(frame, into, true);
}

std::string encoder_identity(Compression compression) {
  if (compression == Compression::none) return "none";
  // Established once: it costs some milliseconds.
  if (compression == Compression::zstd) {
    static const std::string zstd = identify(Compression::zstd);
    return zstd;
  }
  static const std::string gzip = identify(Compression::gzip);
  return gzip;
}

}  // namespace oci
