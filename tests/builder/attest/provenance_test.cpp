// provenance: equal builds, equal bytes; nothing secret; what is read is believed only as
// far as it can be.
#include "builder/attest/provenance.h"

#include <functional>

#include <nlohmann/json.hpp>

#include "oci/base/base64.h"
#include "oci/base/error.h"

#include "builder/attest/redact.h"
#include "builder/attest/reproduced.h"

#include "tests/support/catch.h"
#include "tests/support/golden.h"

using lithify::Provenance;
using nlohmann::json;

namespace {

const std::string k_hex_a(64, 'a');

oci::Digest named(char digit) {
  return *oci::Digest::parse_hex(std::string(64, digit));
}

std::string lock_text(const std::string& url = "https://example.org/app-1.0.tar.gz") {
  lithify::Lock lock;
  lock.encoders["zstd"] = "zstd-1.5.4";
  lock.packages.push_back({"tzdata", "debian", "all", "2026a-0+deb12u1",
                           "pool/main/t/tzdata/tzdata_2026a-0+deb12u1_all.deb", 100,
                           named('a')});
  lock.packages.push_back(
      {"unused", "debian", "all", "1", "pool/u/unused_1_all.deb", 100, named('c')});
  lock.urls.push_back({url, 7, named('b')});
  lock.images.push_back({"docker.io/library/debian:12",
                         {"linux", "amd64", ""},
                         named('d'),
                         500,
                         named('e')});
  lock.normalise();
  return lock.str();
}

Provenance example() {
  Provenance from;
  from.image = "web";
  from.platforms = {{"linux", "amd64", ""}, {"linux", "arm64", ""}};
  from.arguments = {{"version", "1.2"}};
  from.project = "shop";
  from.epoch = 315532800;
  from.git = {{"commit", std::string(40, '1')}};
  from.sandbox = "L2";
  from.emulated = {"linux/arm64"};
  from.caches = {"apt", "go-build"};
  from.build_file_text = "lithify: 1\n";
  from.lock_text = lock_text();
  from.trees = {{"site", named('f')}};
  from.checkout = Provenance::Checkout{"https://example.org/shop.git",
                                       std::string(40, '1'), "images"};
  from.used = {named('a'), named('b'), named('d')};
  from.version = "0.1.0";
  return from;
}

// The error of reading the example's predicate after a change to it.
std::string refusal(const std::function<void(json&)>& change) {
  json document = json::parse(example().str());
  change(document);
  try {
    Provenance::parse(document.dump(), "provenance");
  } catch (const oci::Error& e) {
    return e.what();
  }
  return "accepted";
}

json& dependency(json& document, std::size_t number) {
  return document["buildDefinition"]["resolvedDependencies"][number];
}

}  // namespace

TEST_CASE("provenance is these bytes") {
  check_golden("attest/provenance.json", json::parse(example().str()).dump(2) + "\n");
}

TEST_CASE("provenance does not depend on the order in which things were found") {
  Provenance one = example();
  one.trees.push_back({"app", named('1')});
  one.arguments.push_back({"a", "b"});
  Provenance other = example();
  other.trees.insert(other.trees.begin(), {"app", named('1')});
  other.arguments.insert(other.arguments.begin(), {"a", "b"});
  CHECK(one.str() == other.str());
}

TEST_CASE("what was written is read back") {
  Provenance expected = example();
  const Provenance read = Provenance::parse(expected.str(), "provenance");
  expected.used.clear();
  CHECK(read == expected);
  Provenance bare = example();
  bare.checkout.reset();
  bare.sandbox.reset();
  bare.git.clear();
  bare.trees.clear();
  bare.arguments.clear();
  bare.mode = Provenance::Mode::ci;
  const Provenance again = Provenance::parse(bare.str(), "provenance");
  bare.used.clear();
  CHECK(again == bare);
}

TEST_CASE("the provenance names the mode and the version of the builder") {
  Provenance from = example();
  CHECK(from.str().find("https://lithify.dev/builder/local/0.1.0") != std::string::npos);
  from.mode = Provenance::Mode::ci;
  CHECK(from.str().find("https://lithify.dev/builder/ci/0.1.0") != std::string::npos);
}

TEST_CASE("no password of a URL gets into provenance, in whatever part") {
  const std::string url = "https://me:hunter2@example.org/app-1.0.tar.gz";
  Provenance from = example();
  from.lock_text = lock_text(url);
  from.build_file_text = "lithify: 1\nsources: {app: {archive: \"" + url + "\"}}\n";
  from.arguments = {{"where", url}};
  from.checkout->remote = "https://token:hunter2@example.org/shop.git";
  const std::string text = from.str();
  CHECK(text.find("hunter2") == std::string::npos);
  const Provenance read = Provenance::parse(text, "provenance");
  CHECK(read.redacted);
  for (const std::string& part : {read.lock_text, read.build_file_text,
                                  read.arguments[0].value, read.checkout->remote}) {
    CHECK(part.find("hunter2") == std::string::npos);
    CHECK(part.find("https://example.org/") != std::string::npos);
  }
}

TEST_CASE("the value of a secret argument is nowhere, its name is") {
  Provenance from = example();
  from.arguments = {{"token", "hunter2", true}};
  from.lock_text = lock_text("https://example.org/app.tar.gz?key=hunter2");
  const std::string text = from.str();
  CHECK(text.find("hunter2") == std::string::npos);
  const Provenance read = Provenance::parse(text, "provenance");
  CHECK(read.lock_text.find("hunter2") == std::string::npos);
  CHECK(read.lock_text.find("key=$(args.token)") != std::string::npos);
  REQUIRE(read.arguments.size() == 1);
  CHECK(read.arguments[0] == Provenance::Given{"token", "", true});
}

TEST_CASE("credentials are taken out of URLs and out of nothing else") {
  using lithify::without_credentials;
  CHECK(without_credentials("see https://a:b@h/x?y=c@d.") == "see https://h/x?y=c@d.");
  CHECK(without_credentials("http://a@h http://b:p@ss@i") == "http://h http://i");
  CHECK(without_credentials("ssh://git@h/r, git@h:r, a@b") ==
        "ssh://git@h/r, git@h:r, a@b");
  CHECK(without_credentials("ssh://git:word@h/r") == "ssh://h/r");
  CHECK(without_credentials("://") == "://");
  CHECK(without_credentials("a://b\nc@d") == "a://b\nc@d");
}

TEST_CASE("provenance that could mean something else is refused") {
  CHECK(refusal([](json&) {}) == "accepted");
  const auto definition = [](json& d) -> json& { return d["buildDefinition"]; };
  const auto external = [&](json& d) -> json& {
    return definition(d)["externalParameters"];
  };
  struct Row {
    std::function<void(json&)> change;
    std::string says;
  };
  const Row rows[] = {
      {[&](json& d) { definition(d)["buildType"] = "https://other.example/v1"; },
       "was not lithify's"},
      {[&](json& d) { external(d)["shell"] = "x"; }, "not known"},
      {[&](json& d) { external(d)["buildFile"] = "../x"; }, "no name of a file"},
      {[&](json& d) { external(d)["buildFile"] = ".."; }, "no name of a file"},
      {[&](json& d) { external(d)["platforms"] = json::array(); }, "without a platform"},
      {[&](json& d) { external(d)["platforms"][0] = "nonsense"; }, "no platform"},
      {[&](json& d) { external(d)["arguments"]["a"] = 1; }, "a text was expected"},
      {[&](json& d) { external(d)["arguments"]["a"] = "x\ny"; }, "no such text"},
      {[&](json& d) { external(d).erase("image"); }, "has no `image`"},
      {[&](json& d) { definition(d)["internalParameters"]["epoch"] = -1; }, "time"},
      {[&](json& d) { definition(d)["internalParameters"]["epoch"] = 1.5; }, "number"},
      {[&](json& d) { dependency(d, 0)["content"] = oci::base64_encode("other"); },
       "not what its digest says"},
      {[&](json& d) { dependency(d, 0)["content"] = "?"; }, "not base64"},
      {[&](json& d) {
         dependency(d, 1)["annotations"]["dev.lithify.role"] = "build-file";
       },
       "a second build file"},
      {[&](json& d) { dependency(d, 0)["annotations"].clear(); }, "are not in it"},
      {[&](json& d) { d["runDetails"]["builder"]["id"] = "https://other.example"; },
       "no builder"},
      {[&](json& d) { d.erase("runDetails"); }, "has no `runDetails`"},
      {[&](json& d) { d = json::array(); }, "an object was expected"},
  };
  for (const Row& row : rows) {
    INFO(row.says);
    CHECK(refusal(row.change).find(row.says) != std::string::npos);
  }
}

TEST_CASE("a checkout is at one place, of one commit") {
  const auto with = [](const std::function<void(json&)>& change) {
    return refusal([&](json& document) {
      for (json& one : document["buildDefinition"]["resolvedDependencies"]) {
        if (one["name"] == "checkout") change(one);
      }
    });
  };
  CHECK(with([](json&) {}) == "accepted");
  for (const char* directory : {"../x", "a/../..", "/etc", "a//b", "."}) {
    CHECK(with([&](json& one) {
            one["annotations"]["dev.lithify.directory"] = directory;
          }).find("leads somewhere else") != std::string::npos);
  }
  CHECK(with([](json& one) {
          one["digest"]["gitCommit"] = "--upload-pack=x";
        }).find("no commit") != std::string::npos);
  CHECK(with([](json& one) {
          one["uri"] = "https://example.org/x";
        }).find("no address of git's") != std::string::npos);
}

TEST_CASE("that somebody built the same bytes again is these bytes") {
  const lithify::Reproduced claim{named('a'), example().builder_id(), true, "0.1.0"};
  CHECK(claim.str() ==
        R"({"compared":["index","manifests","configurations","layers"],"provenance":)"
        R"({"builder":{"id":"https://lithify.dev/builder/local/0.1.0"},"digest":)"
        R"({"sha256":")" +
            k_hex_a +
            R"("}},"rebuilder":{"version":{"lithify":"0.1.0"}},"result":"equal",)"
            R"("sources":"given"})");
}

TEST_CASE("who verified a base while it was locked is in the provenance") {
  Provenance from = example();
  lithify::Lock lock = lithify::Lock::parse(from.lock_text, "lithify.lock");
  lock.images.front().asked = named('1');
  lock.images.front().verdicts = {{"signature", "bundle", named('2'), named('d')}};
  from.lock_text = lock.str();
  const json document = json::parse(from.str());
  bool found = false;
  for (const json& one : document["buildDefinition"]["resolvedDependencies"]) {
    if (one["name"] != "docker.io/library/debian:12") continue;
    found = one["annotations"].value("dev.lithify.verified-by.sha256-" + named('2').hex(),
                                     "") == "signature bundle " + named('d').str();
  }
  CHECK(found);
}
