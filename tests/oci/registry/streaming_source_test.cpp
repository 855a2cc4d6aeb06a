// streaming_source: a body that is pushed, read at the reader's pace.
#include "oci/registry/streaming_source.h"

#include <atomic>

#include "oci/base/error.h"

#include "tests/support/catch.h"

using namespace oci;

namespace {

std::string read_whole(Source& source) {
  return read_all(source, 64 << 20, "stream");
}

}  // namespace

TEST_CASE("what is pushed is read, in any pieces") {
  StreamingSource source([](Sink& to, std::stop_token) {
    to.write(as_bytes("one "));
    to.write(as_bytes(""));
    to.write(as_bytes("two"));
  });
  std::string text;
  std::byte byte{};
  while (source.read({&byte, 1}) == 1)
    text += static_cast<char>(byte);
  CHECK(text == "one two");
  CHECK(source.read({&byte, 1}) == 0);
}

TEST_CASE("nothing pushed is an empty body") {
  StreamingSource source([](Sink&, std::stop_token) {});
  CHECK(read_whole(source).empty());
}

TEST_CASE("a failure comes after the bytes before it, as often as is asked") {
  StreamingSource source([](Sink& to, std::stop_token) {
    to.write(as_bytes("some"));
    throw Error(Errc::mismatch, "broke");
  });
  std::byte bytes[100];
  CHECK(source.read(bytes) == 4);
  CHECK_THROWS_AS(source.read(bytes), Error);
  CHECK_THROWS_AS(source.read(bytes), Error);
}

TEST_CASE("what is pushed waits for the reader") {
  std::atomic<std::size_t> pushed = 0;
  const std::string piece(1 << 20, 'x');
  StreamingSource source([&](Sink& to, std::stop_token) {
    for (int i = 0; i < 16; ++i) {
      to.write(as_bytes(piece));
      pushed += piece.size();
    }
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(pushed <= 4 * piece.size());
  CHECK(read_whole(source).size() == 16 * piece.size());
}

TEST_CASE("a reader that goes away stops what is pushed") {
  std::atomic<bool> cancelled = false;
  {
    StreamingSource source([&](Sink& to, std::stop_token stop) {
      try {
        while (true)
          to.write(as_bytes(std::string(1 << 20, 'x')));
      } catch (const Cancelled&) {
        cancelled = stop.stop_requested();
      }
    });
    std::byte byte{};
    CHECK(source.read({&byte, 1}) == 1);
  }
  CHECK(cancelled);
}
