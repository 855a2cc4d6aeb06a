// Blobs from servers and mirrors that break off, lie, or send us away.
#include "tests/support/catch.h"
#include "tests/support/registry_bench.h"

using namespace oci;
using namespace std::chrono_literals;

namespace {

const std::string k_text = "0123456789";
const std::string k_path = "/v2/a/b/blobs/" + Digest::of(k_text).str();

Rule get(Action action, int times = 1) {
  Rule rule{"GET", "/blobs/"};
  rule.times = times;
  rule.action = std::move(action);
  return rule;
}

struct World : RegistryBench {
  World() { server.content().put_blob("a/b", k_text); }
};

// A registry, and one or two mirrors of it.
struct MirrorWorld : World {
  RegistryServer mirror;

  explicit MirrorWorld(const std::string& more = "") {
    conf = "[[registry]]\nprefix = \"" + server.domain() + "\"\nlocation = \"" +
           server.domain() + "\"\n[[registry.mirror]]\nlocation = \"" +
           mirror.domain("localhost") + "\"\n" + more;
    mirror.content().put_blob("a/b", k_text);
    registry = open("a/b", Access::pull);
  }
  std::string pull() {
    return read_all(*registry->open({Digest::of(k_text), k_text.size()}), 1000, "blob");
  }
  bool fetch() {
    registry->fetch({Digest::of(k_text), k_text.size()}, store, directory.path() / "p",
                    activity);
    return store.has(Digest::of(k_text));
  }
  std::unique_ptr<RegistryClient> registry;
};

}  // namespace

TEST_CASE("a download that breaks goes on where it broke") {
  World world;
  SECTION("at any byte") {
    const std::uint64_t after = GENERATE(0, 1, 4, 9);
    world.server.add(get({.cut_sent = after}));
    CHECK(world.pull(k_text) == k_text);
    CHECK(world.fetch(k_text));
  }
  SECTION("with a reset") {
    world.server.add(get({.cut_sent = 4, .reset = true}));
    CHECK(world.pull(k_text) == k_text);
  }
  SECTION("several times, when there is progress") {
    const std::string large(12 << 20, 'x');
    world.server.content().put_blob("a/b", large);
    world.server.add(get({.cut_sent = (1 << 20) + 1}, 8));
    CHECK(world.pull(large) == large);
    CHECK(world.server.log("GET").size() == 9);
  }
}

TEST_CASE("a download asks for the rest alone") {
  World world;
  world.server.add(get({.cut_sent = 4}));
  CHECK(world.pull(k_text) == k_text);
  CHECK(world.log() == Lines{"GET blob 200", "GET blob [bytes=4-] 206"});
}

TEST_CASE("a server that does not know ranges sends all of it again") {
  const bool spooled = GENERATE(true, false);
  World world;
  world.server.add(get({.cut_sent = 4}));
  SECTION("200: it does not mind them") {
    world.server.add(get({.status = 200, .body = k_text}));
  }
  SECTION("416: it does") {
    world.server.add(get({.status = 416}));
  }
  SECTION("206 of another range") {
    world.server.add(get(
        {.status = 206, .headers = {{"Content-Range", "bytes 0-9/10"}}, .body = k_text}));
  }
  SECTION("206 without a range") {
    world.server.add(get({.status = 206, .body = k_text}));
  }
  if (spooled) {
    CHECK(world.fetch(k_text));
  } else {
    CHECK(world.pull(k_text) == k_text);
  }
}

TEST_CASE("a blob of another size is refused before it comes") {
  World world;
  const BlobRef wrong{Digest::of(k_text), GENERATE(9U, 11U)};
  const auto read = [&] { read_all(*world.client().open(wrong), 1000, "blob"); };
  CHECK(failure_in(read).code == Errc::mismatch);
  CHECK(world.server.events().size() == 1);
}

TEST_CASE("a blob with other bytes is refused") {
  World world;
  const std::string lie = GENERATE("9876543210", "012345678", "01234567890");
  world.server.add(get({.status = 200, .body = lie}, 100));
  CHECK(failure_in([&] { world.pull(k_text); }).code == Errc::mismatch);
  const Failure failure = failure_in([&] { world.fetch(k_text); });
  CHECK(failure.code == Errc::mismatch);
  CHECK(failure.text.find("lithify doctor") != std::string::npos);
  CHECK_FALSE(world.store.has(Digest::of(k_text)));
  CHECK(std::filesystem::is_empty(world.directory.path() / "partial"));
}

TEST_CASE("a length that is not kept is a connection that broke") {
  World world;
  const bool longer = GENERATE(true, false);
  Action lie{.status = 200};
  lie.body = longer ? k_text : k_text.substr(0, 4);
  lie.content_length = k_text.size();
  world.server.add(get(lie));
  CHECK(world.pull(k_text) == k_text);
  CHECK(world.server.events().size() == (longer ? 1 : 2));
}

TEST_CASE("a blob in a content encoding is refused") {
  World world;
  world.server.add(get({.headers = {{"Content-Encoding", "gzip"}}}, 100));
  const Failure failure = failure_in([&] { world.pull(k_text); });
  CHECK(failure.code == Errc::unavailable);
  CHECK(failure.text.find("content encoding") != std::string::npos);
  CHECK(world.server.events()[0].header("accept-encoding") == "identity");
}

TEST_CASE("a blob that is not there is not found, and not asked for twice") {
  World world;
  CHECK(failure_in([&] { world.pull("absent"); }).code == Errc::not_found);
  CHECK(world.server.events().size() == 1);
  CHECK(failure_in([&] { world.fetch("absent"); }).code == Errc::unavailable);
}

TEST_CASE("a blob that is refused is told with the server's words and our login") {
  World world;
  world.server.add(get(
      {.status = 403, .body = R"({"errors":[{"code":"DENIED","message":"pay first"}]})"},
      100));
  const bool spooled = GENERATE(true, false);
  const Failure failure = failure_in([&] {
    if (spooled) {
      world.fetch(k_text);
    } else {
      world.pull(k_text);
    }
  });
  CHECK(failure.code == Errc::denied);
  for (const char* part :
       {"403 DENIED: pay first", "no credentials (looked in /a/config.json)", "lithify "})
    CHECK(failure.text.find(part) != std::string::npos);
}

TEST_CASE("a busy server's wait is kept, in seconds and as a date") {
  World world;
  const auto start = std::chrono::steady_clock::now();
  SECTION("a second") {
    world.server.add(get({.status = 429, .headers = {{"Retry-After", "1"}}}));
    CHECK(world.pull(k_text) == k_text);
    CHECK(std::chrono::steady_clock::now() - start >= 950ms);
    CHECK(world.told.empty());
  }
  SECTION("long past, negative, and nonsense") {
    const char* value = GENERATE("Sun, 06 Nov 1994 08:49:37 GMT", "-5", "soon", "");
    world.server.add(get({.status = 503, .headers = {{"Retry-After", value}}}));
    CHECK(world.pull(k_text) == k_text);
    CHECK(std::chrono::steady_clock::now() - start < 900ms);
  }
  SECTION("longer than anybody waits") {
    const char* value =
        GENERATE("3600", "99999999999999999999", "Fri, 31 Dec 2100 23:59:59 GMT");
    world.server.add(get({.status = 429, .headers = {{"Retry-After", value}}}));
    const Failure failure = failure_in([&] { world.pull(k_text); });
    CHECK(failure.code == Errc::unavailable);
    CHECK(failure.text.find("asks to wait") != std::string::npos);
    // Nor do the next ones have to wait for that.
    CHECK(world.pull(k_text) == k_text);
    CHECK(std::chrono::steady_clock::now() - start < 900ms);
  }
}

TEST_CASE("downloads spend the budget of the run too") {
  const bool spooled = GENERATE(true, false);
  World world;
  world.settings.retry_budget = 1;
  world.server.add(get({.status = 503}, 2));
  const Failure failure = failure_in([&] {
    if (spooled) {
      world.fetch(k_text);
    } else {
      world.pull(k_text);
    }
  });
  CHECK(failure.code == Errc::unavailable);
  CHECK(world.server.events().size() == 2);
}

TEST_CASE("a download that stalls, or waits, ends when it is to stop") {
  const bool spooled = GENERATE(true, false);
  World world;
  world.settings.retry = {4, 60s, 60s, 60s};
  SECTION("in the middle") {
    world.server.add(get({.cut_sent = 4, .stall = true}));
  }
  SECTION("before the answer") {
    world.server.add(get({.stall = true}));
  }
  SECTION("between two tries") {
    world.server.add(get({.status = 503}));
  }
  CHECK(is_cancelled_soon(world, [&] {
    if (spooled) {
      world.fetch(k_text);
    } else {
      world.pull(k_text);
    }
  }));
}

TEST_CASE("a server that falls silent is left, and asked for the rest") {
  World world;
  world.http.asked = [](HttpRequest& request) { request.stall_timeout = 1s; };
  world.server.add(get({.cut_sent = 4, .stall = true}));
  CHECK(world.pull(k_text) == k_text);
  CHECK(world.log() == Lines{"GET blob 200", "GET blob [bytes=4-] 206"});
}

TEST_CASE("an error of what takes the bytes comes out as it is") {
  World world;
  struct Full final : BlobStore {
    bool has(const Digest&) const override { return false; }
    std::unique_ptr<Source> open(const BlobRef&) const override { return nullptr; }
    std::unique_ptr<Source> open_range(const BlobRef&, std::uint64_t,
                                       std::uint64_t) const override {
      return nullptr;
    }
    std::unique_ptr<BlobWriter> create() override {
      throw Error(Errc::machine, "the disk is full");
    }
  } full;
  const Failure failure = failure_in([&] {
    world.client().fetch({Digest::of(k_text), k_text.size()}, full,
                         world.directory.path() / "partial", world.activity);
  });
  CHECK(failure.code == Errc::machine);
  CHECK(world.server.events().size() == 1);
}

TEST_CASE("a part of a blob is handed out after all of it was compared") {
  World world;
  const BlobRef blob{Digest::of(k_text), k_text.size()};
  CHECK(read_all(*world.client().open_range(blob, 3, 4), 100, "range") == "3456");
  world.server.add(get({.status = 200, .body = "0123456780"}));
  CHECK(failure_in([&] { world.client().open_range(blob, 3, 4); }).code ==
        Errc::mismatch);
}

TEST_CASE("a mirror is asked first, and alone if it has the blob") {
  MirrorWorld world;
  CHECK(world.pull() == k_text);
  CHECK(world.fetch());
  CHECK(world.server.events().empty());
  CHECK(world.mirror.events().size() == 2);
}

TEST_CASE("a mirror that fails is passed over") {
  MirrorWorld world;
  const int status = GENERATE(404, 403, 401, 500, 503, 400);
  world.mirror.add(get({.status = status}, 100));
  const bool spooled = GENERATE(true, false);
  if (spooled) {
    CHECK(world.fetch());
  } else {
    CHECK(world.pull() == k_text);
  }
  CHECK(world.server.events().size() == 1);
}

TEST_CASE("a mirror that breaks off is followed by the registry, for the rest") {
  MirrorWorld world;
  world.mirror.add(get({.cut_sent = 4}));
  CHECK(world.pull() == k_text);
  CHECK(world.log() == Lines{"GET blob [bytes=4-] 206"});
}

TEST_CASE("a mirror that lies is passed over, and told of where its bytes can be") {
  MirrorWorld world;
  SECTION("about a blob") {
    world.mirror.add(get({.status = 200, .body = "9876543210"}, 100));
    CHECK(world.fetch());
    CHECK(world.server.events().size() == 1);
  }
  SECTION("about its size") {
    world.mirror.add(get({.status = 200, .body = "987"}, 100));
    CHECK(world.pull() == k_text);
  }
  SECTION("about a manifest") {
    const std::string text = R"({"schemaVersion":2,"manifests":[]})";
    world.server.content().put_manifest("a/b", "t", text,
                                        std::string(media_type::k_index));
    Rule lies{"GET", "/manifests/"};
    lies.action.status = 200;
    lies.action.body = R"({"schemaVersion":2,"manifests":[ ]})";
    world.mirror.add(lies);
    CHECK(world.registry->manifest(describe(text, media_type::k_index)) == text);
    REQUIRE(world.told.size() == 1);
    CHECK(world.told[0].find("localhost") != std::string::npos);
  }
}

TEST_CASE("a mirror for tags alone is not asked for blobs") {
  MirrorWorld world("pull-from-mirror = \"tag-only\"\n");
  CHECK(world.pull() == k_text);
  CHECK(world.fetch());
  CHECK(world.mirror.events().empty());
}

TEST_CASE("a mirror never sees the login of the registry, nor is it pushed to") {
  MirrorWorld world;
  struct Own final : Keychain {
    std::string domain;
    std::optional<Credential> find(const std::string& asked, const std::string&, bool,
                                   std::stop_token) override {
      if (asked != domain) return std::nullopt;
      return RegistryBench::of("secret");
    }
    std::vector<std::string> places() const override { return {}; }
  } keys;
  keys.domain = world.server.domain();
  RegistryConfig config({.registries_conf = world.directory.path() / "registries.conf",
                         .system = {},
                         .certificates = {}});
  Registries registries(world.http, keys, config, world.settings);
  Rule asks{"", "/blobs/"};
  asks.action.status = 401;
  asks.action.headers = {{"WWW-Authenticate", "Basic realm=\"x\""}};
  world.server.add(asks);
  world.mirror.add(asks);
  const auto client = registries.open(world.server.domain() + "/a/b", Access::pull);
  const BlobRef blob{Digest::of(k_text), k_text.size()};
  CHECK(read_all(*client->open(blob), 100, "blob") == k_text);
  CHECK(world.mirror.events().size() == 1);
  CHECK_FALSE(saw_secrets(world.mirror));
  CHECK(world.server.events().back().has("authorization"));
  world.mirror.clear_log();
  registries.open(world.server.domain() + "/c", Access::push)
      ->take(world.store, world.keep("new"), world.activity, {});
  CHECK(world.mirror.events().empty());
}
