// zstd_stream: what goes in comes out, and nothing else does.
#include "oci/layer/zstd_stream.h"

#include "oci/base/error.h"
#include "oci/layer/layer_writer.h"

#include "tests/support/catch.h"

namespace {

std::unique_ptr<oci::Source> source(std::string text) {
  return std::make_unique<oci::StringSource>(std::move(text));
}

std::string compressed(std::string text) {
  const auto from = oci::zstd_compressed(source(std::move(text)));
  return oci::read_all(*from, 64 << 20, "frames");
}

std::string decompressed(std::string frames) {
  const auto from = oci::zstd_decompressed(source(std::move(frames)), "the blob");
  return oci::read_all(*from, 64 << 20, "content");
}

// Like the contents of files, neither all the same nor all different.
std::string words(std::size_t size) {
  std::string text;
  std::uint32_t state = 7;
  while (text.size() < size) {
    state = state * 1664525 + 1013904223;
    text += std::to_string(state >> 20) + " ";
  }
  text.resize(size);
  return text;
}

std::string failure_of(const std::string& frames) {
  try {
    decompressed(frames);
  } catch (const oci::Error& error) {
    CHECK(error.code() == oci::Errc::bad_input);
    return error.what();
  }
  return "no failure";
}

}  // namespace

TEST_CASE("what was compressed comes back") {
  constexpr std::size_t k_piece = 4 << 20;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, k_piece - 1, k_piece,
                                 k_piece + 1, std::size_t{9} << 20}) {
    const std::string text = words(size);
    CHECK(decompressed(compressed(text)) == text);
  }
}

TEST_CASE("a sink makes equal frames, however it is written to") {
  constexpr std::size_t k_piece = 4 << 20;
  const auto made = [](const std::string& text, unsigned threads, std::size_t part) {
    oci::WorkerPool workers(threads);
    oci::StringSink frames;
    oci::ZstdSink sink(frames, workers);
    for (std::size_t at = 0; at < text.size(); at += part)
      sink.write(oci::as_bytes(std::string_view(text).substr(at, part)));
    sink.finish();
    return std::move(frames.text);
  };
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, k_piece, 5 * k_piece, 5 * k_piece + 1}) {
    const std::string text = words(size);
    const std::string frames = made(text, 1, k_piece);
    CHECK(made(text, 3, 3'000'001) == frames);
    CHECK(decompressed(frames) == text);
  }
}

TEST_CASE("a flipped bit in a sink's frames is told, or changes nothing") {
  oci::WorkerPool workers(1);
  oci::StringSink frames;
  oci::ZstdSink sink(frames, workers);
  sink.write(oci::as_bytes(words(2000)));
  sink.finish();
  for (std::size_t at = 0; at < frames.text.size(); ++at) {
    std::string damaged = frames.text;
    damaged[at] = static_cast<char>(damaged[at] ^ 4);
    INFO("at " << at);
    // Not every bit of a frame has a meaning.
    if (failure_of(damaged) == "no failure") CHECK(decompressed(damaged) == words(2000));
  }
}

TEST_CASE("a sink that cannot be written to fails the writing") {
  struct Full final : oci::Sink {
    void write(oci::Bytes) override {
      throw oci::Error(oci::Errc::machine, "no space left");
    }
  } full;
  oci::WorkerPool workers(2);
  oci::ZstdSink sink(full, workers);
  sink.write(oci::as_bytes("a little"));
  CHECK_THROWS_AS(sink.finish(), oci::Error);
}

TEST_CASE("a large content that is one byte again and again comes back") {
  const std::string text(20 << 20, 'x');
  const std::string frames = compressed(text);
  CHECK(frames.size() < 10'000);
  CHECK(decompressed(frames) == text);
}

TEST_CASE("content that looks compressed is content") {
  const std::string gzip = "\x1f\x8b\x08 and so on";
  CHECK(decompressed(compressed(gzip)) == gzip);
  const std::string twice = compressed(compressed("text"));
  CHECK(decompressed(twice) == compressed("text"));
}

TEST_CASE("small reads get the same bytes as large ones") {
  const std::string text = words(5 << 20);
  const auto from =
      oci::zstd_decompressed(oci::zstd_compressed(source(text)), "the blob");
  std::string all;
  std::array<std::byte, 777> buffer;
  while (const std::size_t got = from->read(buffer))
    all.append(reinterpret_cast<const char*>(buffer.data()), got);
  CHECK(all == text);
}

TEST_CASE("what is no zstd, or ends too soon, is refused") {
  const std::string frames = compressed(words(100'000));
  CHECK(failure_of("") == "the blob ends inside a zstd frame");
  CHECK(failure_of(frames.substr(0, frames.size() / 2)) ==
        "the blob ends inside a zstd frame");
  CHECK(failure_of("no frame at all") == "the blob: Unknown frame descriptor");
  CHECK(failure_of(frames + "rest of it").find("the blob") == 0);
}

TEST_CASE("frames of a known encoder are known bytes") {
  if (oci::encoder_identity(oci::Compression::zstd) != "zstd-1.5.4") return;
  CHECK(oci::Digest::of(compressed(words(9 << 20))).hex() ==
        "c0af0b2ffcfedf7ebcd8f28fd58f774b55a275aaadbde1d9656a030b73d246bb");
}
