// upload: blobs that another repository of the registry has, and errors that are ours.
#include "oci/registry/upload.h"

#include "tests/support/catch.h"
#include "tests/support/registry_bench.h"

using namespace oci;
using namespace std::chrono_literals;

namespace {

const std::string k_text = "0123456789";

Rule rule(const std::string& method, const std::string& part, Action action) {
  Rule made{method, part};
  made.action = std::move(action);
  return made;
}

}  // namespace

TEST_CASE("a blob is mounted from where it was seen, or goes up") {
  RegistryBench bench;
  const BlobRef blob = bench.keep(k_text);
  bench.server.content().put_blob("base", k_text);
  bench.registries().seen(blob.digest, bench.server.domain() + "/base");
  SECTION("201: no byte is sent") {
    bench.push(k_text);
    CHECK(bench.log() == Lines{"HEAD blob 404", "POST session from base 201"});
  }
  for (const int status : {401, 400, 403, 404, 405}) {
    DYNAMIC_SECTION(status << ": an ordinary upload") {
      bench.fail("POST", "mount=", status);
      bench.push(k_text);
      const Lines log = bench.log();
      CHECK(Lines(log.end() - 2, log.end()) ==
            Lines{"POST session 202", "PUT upload 1 201"});
    }
  }
  CHECK(bench.arrived(k_text));
}

TEST_CASE("a server that falls over a mount gets an ordinary upload") {
  RegistryBench bench;
  const BlobRef blob = bench.keep(k_text);
  bench.registries().seen(blob.digest, bench.server.domain() + "/base");
  bench.fail("POST", "mount=", 500, 100);
  bench.push(k_text);
  CHECK(bench.arrived(k_text));
  CHECK(bench.server.log("mount=").size() == 4);
}

TEST_CASE("a server that does not mount gives a session, which is used") {
  RegistryBench bench({.mounts = false});
  const BlobRef blob = bench.keep(k_text);
  for (const char* from : {"one", "two", "three"})
    bench.registries().seen(blob.digest, bench.server.domain() + "/" + from);
  bench.push(k_text);
  CHECK(bench.log() ==
        Lines{"HEAD blob 404", "POST session from one 202", "PUT upload 1 201"});
  CHECK(bench.server.content().sessions() == 0);
}

TEST_CASE("a blob is never mounted from another registry, nor from itself") {
  RegistryBench bench;
  const BlobRef blob = bench.keep(k_text);
  bench.registries().seen(blob.digest, "other.example/base");
  bench.registries().seen(blob.digest, bench.server.domain() + "/a/b");
  bench.push(k_text);
  CHECK(bench.log() == Lines{"HEAD blob 404", "POST session 202", "PUT upload 1 201"});
}

TEST_CASE("at most three repositories are asked to mount from") {
  RegistryBench bench;
  const BlobRef blob = bench.keep(k_text);
  for (const char* from : {"one", "two", "three", "four"})
    bench.registries().seen(blob.digest, bench.server.domain() + "/" + from);
  bench.fail("POST", "mount=", 404, 100);
  bench.push(k_text);
  CHECK(bench.server.log("mount=").size() == 3);
}

TEST_CASE("what was pushed to one repository is mounted into the next") {
  RegistryBench bench;
  bench.push(k_text);
  bench.server.clear_log();
  bench.open("c")->take(bench.store, bench.keep(k_text), bench.activity, {});
  CHECK(bench.log() == Lines{"HEAD blob 404", "POST session from a/b 201"});
}

TEST_CASE("a blob that changed under us ends the push, and is not sent again") {
  RegistryBench bench;
  struct Lying final : BlobStore {
    bool has(const Digest&) const override { return true; }
    mutable int opened = 0;
    std::unique_ptr<Source> open(const BlobRef& blob) const override {
      ++opened;
      return verified(std::make_unique<StringSource>("9876543210"), blob.digest,
                      blob.size, "blob under test");
    }
    std::unique_ptr<Source> open_range(const BlobRef& blob, std::uint64_t,
                                       std::uint64_t) const override {
      return open(blob);
    }
    std::unique_ptr<BlobWriter> create() override { return nullptr; }
  } lying;
  const Failure failure = failure_in([&] {
    bench.client().take(lying, {Digest::of(k_text), k_text.size()}, bench.activity, {});
  });
  CHECK(failure.code == Errc::mismatch);
  CHECK(failure.text.find("blob under test") != std::string::npos);
  CHECK(lying.opened == 1);
  // None with a libcurl that reads a short body before it sends the headers.
  CHECK(bench.server.log("PUT").size() <= 1);
  CHECK_FALSE(bench.arrived(k_text));
}

TEST_CASE("an error of what is pushed comes out as it is, whatever its kind") {
  const Errc code = GENERATE(Errc::unavailable, Errc::machine, Errc::denied);
  const bool at_once = GENERATE(true, false);
  struct Broken final : Source {
    explicit Broken(Errc which) : code(which) {}
    std::size_t read(std::span<std::byte>) override {
      throw Error(code, "the other registry is gone");
    }
    Errc code;
  };
  struct From final : BlobStore {
    Errc code = Errc::internal;
    bool at_once = false;
    mutable int opened = 0;
    bool has(const Digest&) const override { return true; }
    std::unique_ptr<Source> open(const BlobRef&) const override {
      ++opened;
      if (at_once) throw Error(code, "the other registry is gone");
      return std::make_unique<Broken>(code);
    }
    std::unique_ptr<Source> open_range(const BlobRef& blob, std::uint64_t,
                                       std::uint64_t) const override {
      return open(blob);
    }
    std::unique_ptr<BlobWriter> create() override { return nullptr; }
  } from;
  from.code = code;
  from.at_once = at_once;
  RegistryBench bench;
  const Failure failure = failure_in([&] {
    bench.client().take(from, {Digest::of(k_text), k_text.size()}, bench.activity, {});
  });
  CHECK(failure.code == code);
  CHECK(failure.text.rfind("the other registry is gone\n", 0) == 0);
  CHECK(from.opened == 1);
}

TEST_CASE("a push that stalls, or waits, ends when it is to stop") {
  RegistryBench bench;
  bench.settings.retry = {4, 60s, 60s, 60s};
  SECTION("while a body is sent") {
    bench.server.add(rule("PUT", "/uploads/", {.stall = true}));
  }
  SECTION("while a session is asked for") {
    bench.server.add(rule("POST", "/uploads/", {.stall = true}));
  }
  SECTION("between two tries") {
    bench.fail("PUT", "/uploads/", 503);
  }
  SECTION("while the server wants to be left alone") {
    Rule busy = rule("PUT", "/uploads/", {.status = 429});
    busy.action.headers = {{"Retry-After", "50"}};
    bench.server.add(busy);
  }
  CHECK(is_cancelled_soon(bench, [&] { bench.push(k_text); }));
}
