// stream: bytes travel whole, get their names, and are checked on the way back in.
#include "oci/base/stream.h"

#include <memory>

#include "oci/base/error.h"

#include "tests/support/catch.h"

using namespace oci;

namespace {

std::string drain(Source& source) {
  return read_all(source, 1 << 20, "test");
}

std::unique_ptr<Source> text(std::string content) {
  return std::make_unique<StringSource>(std::move(content));
}

Errc code_of(std::unique_ptr<Source> source) {
  try {
    drain(*source);
  } catch (const Error& error) {
    return error.code();
  }
  return Errc::internal;
}

// Gives one byte at a time, as a slow connection may.
class OneByOne final : public Source {
 public:
  explicit OneByOne(std::string content) : source_(std::move(content)) {}
  std::size_t read(std::span<std::byte> into) override {
    return source_.read(into.first(std::min<std::size_t>(1, into.size())));
  }

 private:
  StringSource source_;
};

}  // namespace

TEST_CASE("a hashing sink names what passes") {
  StringSink kept;
  HashingSink sink(kept);
  StringSource source("abc");
  CHECK(copy(source, sink) == 3);
  CHECK(sink.size() == 3);
  CHECK(kept.text == "abc");
  CHECK(std::move(sink).finish() == Digest::of("abc"));
}

TEST_CASE("a text of any size is read to its end, and not past its limit") {
  for (const std::size_t size : {0U, 1U, 4095U, 4096U, 4097U, 100'000U}) {
    const std::string whole(size, 'x');
    for (const std::size_t expected : {std::size_t{0}, size, size + 5000}) {
      StringSource at_once(whole);
      CHECK(read_all(at_once, size, "it", expected) == whole);
      OneByOne slowly(whole);
      CHECK(read_all(slowly, size, "it", expected) == whole);
      StringSource more(whole + "y");
      CHECK_THROWS_AS(read_all(more, size, "it", expected), Error);
    }
  }
}

TEST_CASE("a verified source gives exactly the bytes of its name") {
  CHECK(drain(*verified(text("abc"), Digest::of("abc"), 3)) == "abc");
  CHECK(drain(*verified(std::make_unique<OneByOne>("abc"), Digest::of("abc"), 3)) ==
        "abc");
  CHECK(drain(*verified(text(""), Digest::of(""), 0)).empty());
}

TEST_CASE("a verified source refuses other, missing and further bytes") {
  CHECK(code_of(verified(text("abd"), Digest::of("abc"), 3)) == Errc::mismatch);
  CHECK(code_of(verified(text("ab"), Digest::of("abc"), 3)) == Errc::mismatch);
  CHECK(code_of(verified(text("abcd"), Digest::of("abc"), 3)) == Errc::mismatch);
  CHECK_THROWS_AS(verified(text("x"), Digest::of(""), 0), Error);
}

TEST_CASE("reading into memory has a limit") {
  StringSource source("abcdef");
  CHECK_THROWS_AS(read_all(source, 5, "six bytes"), Error);
}
