// Referrers: the list that a registry keeps, or the tag that stands in for it; of servers
// that err, lie, or keep what they have.
#include <nlohmann/json.hpp>

#include "oci/image/manifest_graph.h"

#include "tests/support/catch.h"
#include "tests/support/registry_bench.h"
#include "tests/support/small_image.h"

using namespace oci;

namespace {

const std::string k_manifest(media_type::k_manifest);

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

  Descriptor image(const std::string& name) { return put_small_image(client(), name); }
  // A signature of `subject`: a manifest with a subject.
  Descriptor sign(const Descriptor& subject, const std::string& type = "test/signature") {
    put(client(), "{}");
    const nlohmann::json manifest = {{"schemaVersion", 2},
                                     {"mediaType", k_manifest},
                                     {"artifactType", type},
                                     {"config",
                                      {{"mediaType", "application/vnd.oci.empty.v1+json"},
                                       {"digest", Digest::of("{}").str()},
                                       {"size", 2}}},
                                     {"layers", nlohmann::json::array()},
                                     {"subject",
                                      {{"mediaType", k_manifest},
                                       {"digest", subject.digest.str()},
                                       {"size", subject.size}}}};
    const std::string text = manifest.dump();
    Descriptor which = describe(text, k_manifest);
    which.artifact_type = type;
    client().put_referrer(which, as_bytes(text), subject);
    return which;
  }
};

std::vector<std::string> digests(const std::vector<Descriptor>& list) {
  std::vector<std::string> all;
  for (const Descriptor& one : list)
    all.push_back(one.digest.str());
  return all;
}

}  // namespace

TEST_CASE("referrers are listed by the registry, page by page, filtered by us") {
  World world;
  const Descriptor image = world.image("one");
  const Descriptor a = world.sign(image);
  const Descriptor b = world.sign(image, "test/sbom");
  CHECK(digests(world.client().referrers(image.digest, "test/sbom")) ==
        Lines{b.digest.str()});
  // Two pages, not filtered.
  Index first;
  first.manifests = {a};
  Index second;
  second.manifests = {b};
  const std::string next = "/v2/a/b/referrers/" + image.digest.str() + "?page=2";
  world.server.add(always(answers("GET", "page=2", 200, second.str())));
  world.server.add(answers("GET", "/referrers/", 200, first.str(),
                           {{"Link", "<" + next + ">; rel=\"next\""}}));
  CHECK(digests(world.client().referrers(image.digest, "test/sbom")) ==
        Lines{b.digest.str()});
  CHECK(world.client().referrers(Digest::of("nobody"), "").empty());
}

TEST_CASE("a registry without referrers keeps them under a tag") {
  World world({.referrers = false});
  const Descriptor image = world.image("one");
  const int status = GENERATE(404, 400, 405, 406);
  world.server.add(always(answers("GET", "/referrers/", status)));
  CHECK(world.client().referrers(image.digest, "").empty());
  const Descriptor a = world.sign(image);
  const Descriptor b = world.sign(image, "test/sbom");
  world.sign(image);  // again: nothing is doubled
  CHECK(digests(world.client().referrers(image.digest, "")) ==
        Lines{a.digest.str(), b.digest.str()});
  CHECK(digests(world.client().referrers(image.digest, "test/sbom")) ==
        Lines{b.digest.str()});
  CHECK(world.server.content().tags("a/b") == Lines{"sha256-" + image.digest.hex()});
}

TEST_CASE(
    "pitfall 22: a registry that only says that it lists referrers has a tag, too") {
  World world;
  const Descriptor image = world.image("one");
  world.server.add(always(answers("GET", "/referrers/", GENERATE(404, 405))));
  const Descriptor a = world.sign(image);
  const Descriptor b = world.sign(image, "test/sbom");
  CHECK(digests(world.client().referrers(image.digest, "")) ==
        Lines{a.digest.str(), b.digest.str()});
}

TEST_CASE("a registry that lists referrers has no tag for them, and is asked once") {
  World world;
  const Descriptor image = world.image("one");
  world.sign(image);
  world.sign(image, "test/sbom");
  CHECK(world.server.content().tags("a/b").empty());
  CHECK(world.server.log("GET /v2/a/b/referrers/").size() == 1);
}

TEST_CASE("pitfall 20: a registry that keeps its tags stops who would add to one") {
  World world({.referrers = false});
  const Descriptor image = world.image("one");
  world.sign(image);
  const std::string tag = "sha256-" + image.digest.hex();
  const int status = GENERATE(400, 403, 409, 412);
  world.server.add(always(
      answers("PUT", "/manifests/" + tag, status,
              R"({"errors":[{"code":"TAG_INVALID","message":"tag is immutable"}]})")));
  const Failure failure = failure_in([&] { world.sign(image, "test/sbom"); });
  CHECK(failure.code == Errc::refused);
  CHECK(has(failure.text, "keeps the tag `" + tag + "` as it is"));
  CHECK(has(failure.text, "let the registry change tags that begin with `sha256-`"));
  CHECK(world.server.log("PUT /v2/a/b/manifests/" + tag).size() == 2);
}

TEST_CASE("a fallback tag that another writes at the same time loses no entry") {
  World world({.referrers = false});
  const Descriptor image = world.image("one");
  const Descriptor a = world.sign(image);
  const std::string tag = "sha256-" + image.digest.hex();
  SECTION("412: somebody was faster") {
    world.server.add(answers("PUT", "/manifests/" + tag, 412));
  }
  SECTION("201, but it is gone when it is read back") {
    world.server.add(answers("PUT", "/manifests/" + tag, 201));
  }
  const Descriptor b = world.sign(image, "test/sbom");
  CHECK(digests(world.client().referrers(image.digest, "")) ==
        Lines{a.digest.str(), b.digest.str()});
}

TEST_CASE("what is written while a change is being made is not lost") {
  World world({.referrers = false});
  const Descriptor image = world.image("one");
  const Descriptor a = world.sign(image);
  const std::string tag = "sha256-" + image.digest.hex();
  const Descriptor b = world.image("two");
  std::optional<Descriptor> neighbours;
  world.client().change_tag(tag, media_type::k_index,
                            [&](const std::optional<std::string>& old) {
                              Index index = Index::parse(old.value(), "it");
                              if (!neighbours)
                                neighbours = world.sign(image, "test/sbom");
                              for (const Descriptor& one : index.manifests) {
                                if (one.digest == b.digest)
                                  return std::optional<std::string>();
                              }
                              index.manifests.push_back(b);
                              return std::optional(index.str());
                            });
  CHECK(digests(world.client().referrers(image.digest, "")) ==
        Lines{a.digest.str(), neighbours->digest.str(), b.digest.str()});
}

TEST_CASE("a fallback tag forgets what the registry's garbage collection deleted") {
  World world({.referrers = false});
  const Descriptor image = world.image("one");
  const Descriptor gone = world.sign(image);
  const Descriptor kept = world.sign(image, "test/sbom");
  const std::string tag = "sha256-" + image.digest.hex();
  Rule refuses = answers(
      "PUT", "/manifests/" + tag, 400,
      R"({"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown"}]})");
  refuses.times = 3;  // as often as one write is tried
  world.server.add(refuses);
  SECTION("404 for one of the list") {
    world.server.add(always(answers("GET", "/manifests/" + gone.digest.str(), 404)));
    const Descriptor fresh = world.sign(image, "test/signature-2");
    CHECK(digests(world.client().referrers(image.digest, "")) ==
          Lines{kept.digest.str(), fresh.digest.str()});
  }
  SECTION("403 for one of the list: it may be there") {
    world.server.add(always(answers("GET", "/manifests/" + gone.digest.str(), 403)));
    CHECK(failure_in([&] { world.sign(image, "test/signature-2"); }).code ==
          Errc::denied);
    CHECK(digests(world.client().referrers(image.digest, "")) ==
          Lines{gone.digest.str(), kept.digest.str()});
  }
  SECTION("another reason: told as it is") {
    world.server.add(always(answers("PUT", "/manifests/" + tag, 400)));
    CHECK(failure_in([&] { world.sign(image, "test/signature-2"); }).code ==
          Errc::bad_input);
    CHECK(digests(world.client().referrers(image.digest, "")) ==
          Lines{gone.digest.str(), kept.digest.str()});
  }
}

TEST_CASE("a fallback tag that always changes is given up") {
  World world({.referrers = false});
  const Descriptor image = world.image("one");
  const std::string tag = "sha256-" + image.digest.hex();
  world.server.add(always(answers("PUT", "/manifests/" + tag, 412)));
  CHECK(failure_in([&] { world.sign(image); }).code == Errc::unavailable);
  CHECK(world.server.log("PUT /v2/a/b/manifests/" + tag).size() == 60);
}
