// download: mirrors, faults and liars.
#include "oci/registry/download.h"

#include <fstream>

#include "oci/base/error.h"
#include "oci/store/memory_store.h"

#include "tests/support/catch.h"
#include "tests/support/scripted_http.h"
#include "tests/support/temporary_directory.h"

using namespace oci;
using namespace std::chrono_literals;

namespace {

const std::string k_text = "the quick brown fox jumps over the lazy dog";

struct World {
  ScriptedHttp http;
  MemoryStore store;
  TemporaryDirectory directory;
  SilentReporter reporter;
  Activity activity{reporter, "test"};
  Downloader downloader{http, store, directory.path() / "partial", {3, 1ms, 2ms}};
  DownloadRequest request{{"http://a/f", "http://b/f"},
                          {Digest::of(k_text), k_text.size()},
                          "the fox",
                          "try lithify lock"};

  BlobRef fetch() { return downloader.fetch(request, activity, {}); }
  Errc failure() {
    try {
      fetch();
    } catch (const Error& e) {
      return e.code();
    }
    return Errc::internal;
  }
  bool nothing_left() const {
    return std::filesystem::is_empty(directory.path() / "partial");
  }
};

}  // namespace

TEST_CASE("a file comes from the first mirror that has it") {
  World world;
  world.http.pages["http://b/f"] = k_text;
  CHECK(world.fetch() == world.request.blob);
  CHECK(world.store.has(world.request.blob.digest));
  CHECK(world.nothing_left());
  SECTION("and is not asked for again") {
    const std::size_t before = world.http.asked.size();
    world.fetch();
    CHECK(world.http.asked.size() == before);
  }
}

TEST_CASE("a broken connection is resumed where it broke") {
  World world;
  world.http.pages["http://a/f"] = world.http.pages["http://b/f"] = k_text;
  world.http.faults["http://a/f"] = {{0, 10, {}}};
  world.fetch();
  REQUIRE(world.http.asked.size() == 2);
  CHECK(world.http.asked[1].offset == 10);
}

TEST_CASE("a mirror that drips is given up") {
  World world;
  world.request.urls = {"http://a/f"};
  world.http.pages["http://a/f"] = k_text;
  world.http.faults["http://a/f"] = std::deque<ScriptedHttp::Fault>(9, {0, 1, {}});
  CHECK(world.failure() == Errc::unavailable);
  CHECK(world.http.asked.size() == 3);
}

TEST_CASE("a download left by an earlier process is resumed") {
  World world;
  world.http.pages["http://a/f"] = k_text;
  std::filesystem::create_directories(world.directory.path() / "partial");
  std::ofstream(world.directory.path() / "partial" / world.request.blob.digest.hex())
      << k_text.substr(0, 7);
  world.fetch();
  CHECK(world.http.asked.at(0).offset == 7);
}

TEST_CASE("an earlier download with wrong bytes is thrown away") {
  World world;
  world.http.pages["http://a/f"] = k_text;
  std::filesystem::create_directories(world.directory.path() / "partial");
  std::ofstream(world.directory.path() / "partial" / world.request.blob.digest.hex())
      << GENERATE("XXXX",
                  "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX");
  world.fetch();
  CHECK(world.http.asked.back().offset == 0);
  CHECK(world.store.has(world.request.blob.digest));
}

TEST_CASE("a busy server is asked again, but not for ever") {
  World world;
  world.http.pages["http://a/f"] = world.http.pages["http://b/f"] = k_text;
  SECTION("twice") {
    world.http.faults["http://a/f"] = {{503, 0, {}}};
    world.http.faults["http://b/f"] = {{429, 0, 1s}};
    world.fetch();
    CHECK(world.http.asked.size() == 3);
  }
  SECTION("always") {
    world.http.faults["http://a/f"] = std::deque<ScriptedHttp::Fault>(9, {500, 0, {}});
    world.http.faults["http://b/f"] = std::deque<ScriptedHttp::Fault>(9, {500, 0, {}});
    CHECK(world.failure() == Errc::unavailable);
    CHECK(world.http.asked.size() == 3);
  }
}

TEST_CASE("other bytes than promised are never stored") {
  World world;
  const std::string wrong =
      GENERATE(std::string("short"), std::string(k_text.size(), 'x'), k_text + "!");
  world.http.pages["http://a/f"] = wrong;
  SECTION("when every mirror lies") {
    world.http.pages["http://b/f"] = wrong;
    CHECK(world.failure() == Errc::mismatch);
    CHECK_FALSE(world.store.has(world.request.blob.digest));
  }
  SECTION("and the next mirror may be honest") {
    world.http.pages["http://b/f"] = k_text;
    world.fetch();
    CHECK(world.store.has(world.request.blob.digest));
  }
}

TEST_CASE("mirrors that lie do not keep the one that is honest from being asked") {
  World world;
  const std::string wrong =
      GENERATE(std::string("short"), std::string(k_text.size(), 'x'), k_text + "!");
  for (const char* name : {"a", "b", "c", "d"})
    world.http.pages["http://" + std::string(name) + "/f"] = wrong;
  world.request.urls = {"http://a/f", "http://b/f", "http://c/f", "http://d/f"};
  world.http.pages["http://d/f"] = k_text;
  world.fetch();
  CHECK(world.store.has(world.request.blob.digest));
  REQUIRE(world.http.asked.size() == 4);
  for (std::size_t i = 0; i < 4; ++i)
    CHECK(world.http.asked[i].url == world.request.urls[i]);
}

TEST_CASE("a file that is nowhere names the mirrors that were asked") {
  World world;
  try {
    world.fetch();
    FAIL("it is nowhere");
  } catch (const Error& e) {
    CHECK(e.code() == Errc::unavailable);
    CHECK(std::string(e.what()) == "the fox is on none of its mirrors");
    CHECK(e.notes() ==
          std::vector<std::string>{"http://a/f answers 404", "http://b/f answers 404"});
    CHECK(e.hint() == "try lithify lock");
  }
}

TEST_CASE("a small file has a limit and may be missing") {
  ScriptedHttp http;
  http.pages["http://a/x"] = "12345";
  CHECK(fetch_small(http, {"http://a/x", 5}, {}) == "12345");
  CHECK_FALSE(fetch_small(http, {"http://a/y", 5}, {}).has_value());
  CHECK_THROWS_AS(fetch_small(http, {"http://a/x", 4}, {}), Error);
  http.faults["http://a/x"] = {{503, 0, {}}, {502, 0, {}}};
  CHECK(fetch_small(http, {"http://a/x", 5, {3, 1ms, 1ms}}, {}) == "12345");
}

TEST_CASE("a file whose name is not known is named by what came in the last try") {
  ScriptedHttp http;
  http.pages["http://a/x"] = "12345";
  http.faults["http://a/x"] = {{0, 2, {}}, {503, 0, {}}};
  MemoryStore store;
  const auto blob = fetch_unnamed(http, {"http://a/x", 5, {3, 1ms, 1ms}}, store, {});
  REQUIRE(blob.has_value());
  CHECK(blob->digest == Digest::of("12345"));
  CHECK(store.has(blob->digest));
  CHECK_FALSE(fetch_unnamed(http, {"http://a/y", 5}, store, {}).has_value());
  CHECK_THROWS_AS(fetch_unnamed(http, {"http://a/x", 4}, store, {}), Error);
  http.faults["http://a/x"] = {{403, 0, {}}};
  CHECK_THROWS_AS(fetch_unnamed(http, {"http://a/x", 5}, store, {}), Error);
  CHECK(http.asked.size() == 6);
}

TEST_CASE("a request to stop is obeyed between tries") {
  World world;
  std::stop_source stop;
  stop.request_stop();
  CHECK_THROWS_AS(world.downloader.fetch(world.request, world.activity, stop.get_token()),
                  Cancelled);
}
