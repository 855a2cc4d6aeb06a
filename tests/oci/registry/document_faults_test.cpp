// Manifests and tags of servers that err, lie, or keep what they have.
#include <nlohmann/json.hpp>

#include "oci/image/manifest_graph.h"
#include "oci/registry/document.h"

#include "tests/support/catch.h"
#include "tests/support/registry_bench.h"
#include "tests/support/small_image.h"

using namespace oci;

namespace {

const std::string k_manifest(media_type::k_manifest);
const std::string k_index(media_type::k_index);
const std::string k_blob = std::string("sha256:") + std::string(64, '0');

std::string manifest_text(const std::string& more = "") {
  return R"({"schemaVersion":2,"mediaType":")" + k_manifest +
         R"(","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")" +
         k_blob + R"(","size":2},"layers":[])" + more + "}";
}

Rule answers(const std::string& method, const std::string& part, int status,
             const std::string& body = "", WireHeaders headers = {}) {
  Rule rule{method, part};
  rule.action.status = status;
  rule.action.body = body;
  rule.action.headers = std::move(headers);
  return rule;
}

Rule always(Rule rule) {
  rule.times = 1000;
  return rule;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

struct World : RegistryBench {
  explicit World(RegistryOptions options = {}) : RegistryBench(std::move(options)) {}

  // What `resolve` makes of a tag that is answered so.
  Failure reading(const std::string& body, WireHeaders headers = {}) {
    server.add(always(answers("GET", "/manifests/t", 200, body, std::move(headers))));
    return failure_in([&] { client().resolve("t"); });
  }
  Descriptor image(const std::string& name) { return put_small_image(client(), name); }
};

}  // namespace

TEST_CASE("a document is what its Content-Type and its digest say") {
  World world;
  const std::string text = manifest_text();
  const std::string type = "Content-Type";
  SECTION("the same twice") {
    CHECK(world.reading(text, {{type, k_manifest + "; charset=utf-8"}}).text ==
          Failure().text);
  }
  SECTION("no type, or one that says nothing") {
    CHECK(world.reading(text, {{type, "text/plain"}}).text == Failure().text);
  }
  SECTION("two types") {
    CHECK(world.reading(text, {{type, k_index}}).code == Errc::bad_input);
  }
  SECTION("another digest") {
    const Failure failure =
        world.reading(text, {{"Docker-Content-Digest", Digest::of("x").str()}});
    CHECK(failure.code == Errc::mismatch);
  }
  SECTION("a digest that is not known here") {
    CHECK(
        world
            .reading(text, {{"Docker-Content-Digest", "sha512:" + std::string(128, '0')}})
            .text == Failure().text);
  }
}

TEST_CASE("documents that could be read in two ways, or not at all, are refused") {
  World world;
  CHECK(world.reading(manifest_text(R"(,"config":{})")).code == Errc::bad_input);
  World deep;
  CHECK(deep.reading(std::string(100'000, '[')).code == Errc::bad_input);
  World schema;
  const Failure old = schema.reading(R"({"schemaVersion":1,"fsLayers":[]})");
  CHECK(old.code == Errc::bad_input);
  CHECK(has(old.text, "push the image again"));
  World page;
  CHECK(page.reading("<html>log in</html>", {{"Content-Type", "text/html"}}).code ==
        Errc::bad_input);
  World list;
  CHECK(list.reading("[]").code == Errc::bad_input);
}

TEST_CASE("a document of more than 4 MiB is not read") {
  World world;
  const std::string large = manifest_text(std::string(5 << 20, ' '));
  CHECK(world.reading(large).code == Errc::bad_input);
  CHECK(world.server.events().size() == 1);
}

TEST_CASE("a document that is a manifest and an index is not an image") {
  World world;
  const std::string both = manifest_text(R"(,"manifests":[])");
  world.server.content().put_manifest("a/b", "t", both, k_manifest);
  const auto found = world.client().resolve("t");
  REQUIRE(found);
  CHECK(failure_in([&] { closure(world.client(), *found); }).code == Errc::bad_input);
}

TEST_CASE("an index that nests, or leads to itself, has an end") {
  World world;
  std::string child = manifest_text();
  std::string type = k_manifest;
  for (int i = 0; i < 8; ++i) {
    world.server.content().put_manifest("a/b", Digest::of(child).str(), child, type);
    Index index;
    index.manifests = {describe(child, type)};
    child = index.str();
    type = k_index;
  }
  const Descriptor root = describe(child, type);
  world.server.content().put_manifest("a/b", root.digest.str(), child, type);
  CHECK(failure_in([&] { closure(world.client(), root); }).code == Errc::bad_input);
}

TEST_CASE("a manifest that is answered with other bytes is refused") {
  World world;
  const std::string text = manifest_text();
  const Descriptor which = describe(text, k_manifest);
  world.server.add(always(answers("GET", "/manifests/", 200, manifest_text("  "))));
  CHECK(failure_in([&] { world.client().manifest(which); }).code == Errc::mismatch);
}

TEST_CASE("a manifest that breaks off is asked for again, from the start") {
  World world;
  const std::string text = manifest_text();
  world.server.content().put_manifest("a/b", "t", text, k_manifest);
  Rule broken{"GET", "/manifests/"};
  broken.times = 2;
  broken.action.cut_sent = 10;
  world.server.add(broken);
  CHECK(world.client().resolve("t")->digest == Digest::of(text));
}

TEST_CASE("a list of tags that breaks off is asked for again, from the start") {
  World world({.page = 2});
  for (const char* tag : {"a", "b", "c", "d", "e"})
    world.server.content().put_manifest("a/b", tag, manifest_text(), k_manifest);
  Rule broken{"GET", "/tags/"};
  broken.skip = 1;
  broken.action.cut_sent = 10;
  world.server.add(broken);
  CHECK(world.client().tags() == Lines{"a", "b", "c", "d", "e"});
  CHECK(world.server.events().size() == 4);
}

TEST_CASE("a next page on another server is not fetched") {
  World world;
  RegistryServer other;
  world.server.add(
      answers("GET", "/tags/", 200, R"({"tags":["a"]})",
              {{"Link", "<" + other.url("/v2/a/b/tags/list") + ">; rel=\"next\""}}));
  CHECK(world.client().tags() == Lines{"a"});
  CHECK(other.events().empty());
}

TEST_CASE("pages that lead in a circle have an end") {
  World world;
  world.server.add(always(answers("GET", "/tags/", 200, R"({"tags":["a"]})",
                                  {{"Link", "</v2/a/b/tags/list>; rel=\"next\""}})));
  CHECK(world.client().tags() == Lines{"a"});
  CHECK(world.server.events().size() <= 1000);
}

TEST_CASE("a manifest that the registry stores under another digest is told") {
  World world;
  const std::string text = manifest_text();
  world.server.add(answers("PUT", "/manifests/", 201, "",
                           {{"Docker-Content-Digest", Digest::of("x").str()}}));
  CHECK(failure_in([&] {
          world.client().put_manifest(describe(text, k_manifest), as_bytes(text));
        }).code == Errc::mismatch);
}

TEST_CASE("a manifest whose blobs are not there is refused in the registry's words") {
  World world;
  const std::string text = manifest_text();
  const Failure failure = failure_in(
      [&] { world.client().put_manifest(describe(text, k_manifest), as_bytes(text)); });
  CHECK(failure.code == Errc::bad_input);
  CHECK(has(failure.text, "MANIFEST_BLOB_UNKNOWN: blob unknown: " + k_blob));
}

TEST_CASE("a registry that keeps its tags says so in many ways") {
  struct Way {
    int status;
    std::string body;
  };
  const Way way = GENERATE(
      Way{400, R"({"errors":[{"code":"TAG_INVALID","message":"tag is immutable"}]})"},
      Way{409, ""}, Way{412, R"({"errors":[{"code":"PRECONDITION"}]})"},
      Way{403, R"({"errors":[{"code":"DENIED","message":"tag already exists"}]})"},
      Way{405, "cannot update tag"});
  World world;
  const Descriptor one = world.image("one");
  const Descriptor two = world.image("two");
  world.client().set_tag("v1", one);
  world.server.add(always(answers("PUT", "/manifests/v1", way.status, way.body)));
  SECTION("the same digest is fine") {
    world.client().set_tag_if("v1", one, {.absent = true});
  }
  SECTION("another is refused") {
    const Failure failure =
        failure_in([&] { world.client().set_tag_if("v1", two, {.absent = true}); });
    CHECK(failure.code == Errc::refused);
    CHECK(has(failure.text, "keeps the tag `v1`"));
  }
}

TEST_CASE("a tag that is not to be there is written with If-None-Match") {
  World world;
  const Descriptor one = world.image("one");
  world.server.clear_log();
  world.client().set_tag_if("v1", one, {.absent = true});
  CHECK(world.log() == Lines{"PUT manifest v1 201", "HEAD manifest v1 200"});
  CHECK(world.server.events()[0].header("if-none-match") == "*");
  world.server.clear_log();
  world.client().set_tag_if("v1", one, {.expected = one.digest});
  CHECK(world.server.events()[0].header("if-match") == "\"" + one.digest.str() + "\"");
}

TEST_CASE("a tag that somebody else wrote at the same time is told") {
  World world;
  const Descriptor one = world.image("one");
  const Descriptor two = world.image("two");
  world.client().set_tag("v1", two);
  world.server.add(answers("PUT", "/manifests/v1", 201));  // it lost
  const Failure failure =
      failure_in([&] { world.client().set_tag_if("v1", one, {.absent = true}); });
  CHECK(failure.code == Errc::refused);
  CHECK(has(failure.text, two.digest.str()));
}

TEST_CASE("a tag whose answer was lost was written by us") {
  World world;
  const Descriptor one = world.image("one");
  Rule lost{"PUT", "/manifests/v1"};
  lost.action.drop_answer = true;
  world.server.add(lost);
  world.server.add(answers("PUT", "/manifests/v1", 412));
  world.client().set_tag_if("v1", one, {.absent = true});
  CHECK(world.client().digest_of("v1") == one.digest);
}

TEST_CASE("a registry's warning is told once, and cannot move the cursor") {
  World world;
  Rule warns{"", "/v2/"};
  warns.times = 100;
  warns.action.headers = {{"Warning", "299 - \"goes away\x1b[2J soon\""},
                          {"Warning", "299 - \"" + std::string(5000, 'x') + "\""}};
  world.server.add(warns);
  world.image("one");
  REQUIRE(world.told.size() == 2);
  CHECK(has(world.told[0], "warns: 299 - \"goes away?[2J soon\""));
  CHECK(world.told[1].size() < 500);
}

TEST_CASE("refusals of any form are told in one line") {
  const std::string body =
      GENERATE(std::string(), std::string(1 << 20, 'x'),
               std::string("<html><title>Portal\x1b[31m</title></html>"));
  World world;
  world.server.add(always(answers("GET", "/manifests/", 403, body)));
  const Failure failure = failure_in([&] { world.client().resolve("t"); });
  CHECK(failure.code == Errc::denied);
  const std::string first = failure.text.substr(0, failure.text.find('\n'));
  CHECK(has(first, world.server.domain() + " answers 403"));
  CHECK(first.size() < 1000);
  CHECK_FALSE(has(failure.text, "\x1b"));
}

TEST_CASE("what a HEAD cannot say is asked with GET") {
  World world;
  world.server.add(answers("HEAD", "/blobs/", 403));
  world.server.add(answers("GET", "/blobs/", 403,
                           R"({"errors":[{"code":"DENIED","message":"quota"}]})"));
  const Failure failure = failure_in([&] { world.client().has(Digest::of("x")); });
  CHECK(has(failure.text, "DENIED: quota"));
  SECTION("and a server that does not know HEAD may have it") {
    world.server.content().put_blob("a/b", std::string(5 << 20, 'x'));
    world.server.add(answers("HEAD", "/blobs/", 405));
    CHECK(world.client().has(Digest::of(std::string(5 << 20, 'x'))));
  }
}

TEST_CASE("a registry that is not there is unavailable, and one that never works too") {
  World world;
  const int status = GENERATE(501, 505);
  world.server.add(always(answers("GET", "/manifests/", status)));
  CHECK(failure_in([&] { world.client().resolve("t"); }).code == Errc::unavailable);
  CHECK(world.server.events().size() == 1);  // asking again would not help
}

TEST_CASE("a wait for a manifest ends when it is to stop") {
  World world;
  world.settings.retry = {4, std::chrono::seconds(60), std::chrono::seconds(60),
                          std::chrono::seconds(60)};
  SECTION("while the server is silent") {
    Rule stalls{"GET", "/manifests/"};
    stalls.action.stall = true;
    world.server.add(stalls);
  }
  SECTION("between two tries") {
    world.server.add(answers("GET", "/manifests/", 500));
  }
  CHECK(is_cancelled_soon(world, [&] { world.client().resolve("t"); }));
}
