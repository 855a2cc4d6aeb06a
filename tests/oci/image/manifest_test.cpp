// manifest: documents in and out, and every refusal.
#include "oci/image/manifest.h"

#include <nlohmann/json.hpp>

#include "oci/base/error.h"

#include "tests/support/golden.h"
#include "tests/support/memory_repository.h"
#include "tests/support/small_image.h"

using nlohmann::json;
using oci::Digest;
using oci::ImageConfig;
using oci::Index;
using oci::Manifest;

namespace {

template <class Document>
std::string refusal(const json& document) {
  try {
    return "accepted: " + Document::parse(document.dump(), "doc").str();
  } catch (const oci::Error& e) {
    CHECK(e.code() == oci::Errc::bad_input);
    return e.what();
  }
}

json descriptor(const std::string& type, const std::string& of = "x") {
  return {{"mediaType", type}, {"digest", Digest::of(of).str()}, {"size", of.size()}};
}

json some_manifest() {
  return {{"schemaVersion", 2},
          {"mediaType", oci::media_type::k_manifest},
          {"config", descriptor("application/vnd.oci.image.config.v1+json")},
          {"layers", {descriptor("application/vnd.oci.image.layer.v1.tar+zstd", "l")}}};
}

json some_index() {
  return {{"schemaVersion", 2},
          {"manifests", {descriptor("application/vnd.oci.image.manifest.v1+json")}}};
}

json some_config() {
  return {{"architecture", "amd64"},
          {"os", "linux"},
          {"rootfs", {{"type", "layers"}, {"diff_ids", {Digest::of("l").str()}}}}};
}

// The document of the golden file: every member that can be there.
ImageConfig full_config() {
  ImageConfig full{{"linux", "arm", "v7"}, "2024-02-29T12:34:56Z", "Ada <ada@x.example>"};
  full.entrypoint = {{"/bin/app", "--"}};
  full.cmd = {{"serve"}};
  full.env = {{"PATH", "/usr/bin:/bin"}, {"EMPTY", ""}, {"A", "b=c"}};
  full.user = "1000:1000";
  full.working_dir = "/srv";
  full.exposed_ports = {"80/tcp", "53/udp"};
  full.volumes = {"/data"};
  full.labels = {{"b", "\u00e4\n\"\\"}, {"a", ""}};
  full.stop_signal = "SIGQUIT";
  full.healthcheck = oci::Healthcheck{{"CMD", "/bin/check"},
                                      30'000'000'000,
                                      5'000'000'000,
                                      1'000'000'000,
                                      3,
                                      500'000'000};
  full.diff_ids = {Digest::of("one"), Digest::of("two")};
  full.history = {{"2024-02-29T12:34:56Z", "copy"},
                  {"2024-02-29T12:34:56Z", "config", "c", true, "Ada"}};
  full.other_config = R"({"Shell":["/bin/bash","-c"],"StopTimeout":7})";
  full.other_document = R"({"docker_version":"20.10","moby.buildkit.x":{"y":[1,null]}})";
  return full;
}

}  // namespace

TEST_CASE("format 1's documents have these bytes") {
  check_golden("image/config.json", full_config().str());
  const std::string text = full_config().str();
  Manifest manifest{"", "", oci::describe(text, oci::media_type::k_config)};
  manifest.layers = {{std::string(oci::media_type::k_layer_zstd), Digest::of("z"), 1},
                     {std::string(oci::media_type::k_layer_gzip), Digest::of("gz"), 2}};
  manifest.annotations = {{"org.opencontainers.image.created", "1980-01-01T00:00:00Z"}};
  check_golden("image/manifest.json", manifest.str());
  Index index;
  index.manifests = {oci::describe(manifest.str(), oci::media_type::k_manifest)};
  index.manifests[0].platform = oci::Platform{"linux", "arm", "v7"};
  index.annotations = manifest.annotations;
  check_golden("image/index.json", index.str());
}

TEST_CASE("documents survive a round trip") {
  const ImageConfig config = full_config();
  CHECK(ImageConfig::parse(config.str(), "config") == config);
  CHECK(ImageConfig::parse(config.str(), "config").str() == config.str());

  Manifest manifest = Manifest::parse(some_manifest().dump(), "manifest");
  manifest.artifact_type = "application/x";
  manifest.subject = oci::describe("s", oci::media_type::k_manifest);
  manifest.annotations = {{"k", "v"}};
  manifest.layers[0].annotations = {{"k", "v"}};
  CHECK(Manifest::parse(manifest.str(), "manifest") == manifest);

  Index index = Index::parse(some_index().dump(), "index");
  CHECK(index.media_type == oci::media_type::k_index);
  index.manifests[0].platform = oci::Platform{"linux", "arm", "v7"};
  CHECK(Index::parse(index.str(), "index") == index);
}

TEST_CASE("docker's documents are read") {
  json docker = some_manifest();
  docker["mediaType"] = oci::media_type::k_docker_manifest;
  CHECK(Manifest::parse(docker.dump(), "m").media_type ==
        oci::media_type::k_docker_manifest);
  docker = some_index();
  docker["mediaType"] = oci::media_type::k_docker_index;
  CHECK(Index::parse(docker.dump(), "i").media_type == oci::media_type::k_docker_index);
}

TEST_CASE("docker's configurations are full of null") {
  json document = some_config();
  document["config"] = {{"Cmd", nullptr},        {"Env", nullptr},
                        {"Entrypoint", nullptr}, {"Labels", nullptr},
                        {"OnBuild", nullptr},    {"Tty", false},
                        {"Image", "sha256:0"}};
  document["history"] = nullptr;
  document["container"] = "abc";
  const ImageConfig config = ImageConfig::parse(document.dump(), "config");
  CHECK_FALSE(config.cmd.has_value());
  CHECK(config.other_config == R"({"Image":"sha256:0","OnBuild":null,"Tty":false})");
  CHECK(config.other_document == R"({"container":"abc"})");
}

TEST_CASE("the last value of an environment variable counts") {
  json document = some_config();
  document["config"]["Env"] = {"A=1", "B=x=y", "A=2", "C"};
  const ImageConfig config = ImageConfig::parse(document.dump(), "config");
  CHECK(config.env == std::vector<std::pair<std::string, std::string>>{
                          {"A", "2"}, {"B", "x=y"}, {"C", ""}});
}

TEST_CASE("platforms are spelled one way") {
  json document = some_config();
  document["architecture"] = "arm64";
  document["variant"] = "v8";
  const ImageConfig config = ImageConfig::parse(document.dump(), "config");
  CHECK(config.platform == oci::Platform{"linux", "arm64", ""});
}

TEST_CASE("a manifest that could be two things is refused") {
  json document = some_manifest();
  document["manifests"] = json::array();
  CHECK(refusal<Manifest>(document) ==
        "doc: `manifests` has no place in this kind of document");
  document = some_index();
  document["layers"] = nullptr;
  CHECK(refusal<Index>(document) ==
        "doc: `layers` has no place in this kind of document");
  document = some_manifest();
  document["mediaType"] = oci::media_type::k_index;
  CHECK(refusal<Manifest>(document) ==
        "doc: mediaType: `application/vnd.oci.image.manifest.v1+json` was expected, not "
        "`application/vnd.oci.image.index.v1+json`");
  document = some_index();
  document["mediaType"] = oci::media_type::k_manifest;
  CHECK(refusal<Index>(document).find("was expected, not") != std::string::npos);
}

TEST_CASE("what is no manifest is refused with its place") {
  json document = some_manifest();
  SECTION("schema 1") {
    document["schemaVersion"] = 1;
    CHECK(refusal<Manifest>(document) ==
          "doc: schemaVersion: only schema version 2 is supported");
  }
  SECTION("no config") {
    document.erase("config");
    CHECK(refusal<Manifest>(document) == "doc: `config` is missing");
  }
  SECTION("layers that are no list") {
    document["layers"] = json::object();
    CHECK(refusal<Manifest>(document) == "doc: layers: an array was expected");
  }
  SECTION("a short digest") {
    document["layers"][0]["digest"] = "sha256:1234";
    CHECK(refusal<Manifest>(document) ==
          "doc: layers[0].digest: sha256: and 64 lower-case hex digits were expected");
  }
  SECTION("a negative size") {
    document["layers"][0]["size"] = -1;
    CHECK(refusal<Manifest>(document) ==
          "doc: layers[0].size: a size cannot be negative");
  }
  SECTION("a fraction") {
    document["layers"][0]["size"] = 1.5;
    CHECK(refusal<Manifest>(document) ==
          "doc: layers[0].size: a whole number was expected");
  }
  SECTION("a size beyond 63 bits") {
    document["layers"][0]["size"] = UINT64_MAX;
    CHECK(refusal<Manifest>(document) ==
          "doc: layers[0].size: a whole number was expected");
  }
  SECTION("a media type with a space") {
    document["layers"][0]["mediaType"] = "text/x y";
    CHECK(refusal<Manifest>(document) ==
          "doc: layers[0].mediaType: a media type was expected");
  }
  SECTION("an annotation that is no text") {
    document["annotations"] = {{"a", 1}};
    CHECK(refusal<Manifest>(document) ==
          "doc: annotations[\"a\"]: a string was expected");
  }
  SECTION("a list") {
    CHECK(refusal<Manifest>(json::array()) == "doc: an object was expected");
  }
  SECTION("too many layers") {
    document["layers"] = json(16'385, descriptor("a/b"));
    CHECK(refusal<Manifest>(document) == "doc: layers: too many items");
  }
}

TEST_CASE("what is no configuration is refused with its place") {
  json document = some_config();
  SECTION("no architecture") {
    document.erase("architecture");
    CHECK(refusal<ImageConfig>(document) == "doc: `architecture` is missing");
  }
  SECTION("another kind of rootfs") {
    document["rootfs"]["type"] = "disk";
    CHECK(refusal<ImageConfig>(document) ==
          "doc: rootfs.type: only `layers` is supported");
  }
  SECTION("a nameless variable") {
    document["config"]["Env"] = {"A=1", "=x"};
    CHECK(refusal<ImageConfig>(document) ==
          "doc: config.Env[1]: NAME=value was expected");
  }
  SECTION("NUL") {
    document["config"]["User"] = std::string("a\0b", 3);
    CHECK(refusal<ImageConfig>(document) == "doc: config.User: a string with a NUL");
  }
  SECTION("a fraction among the unknown members") {
    document["x"] = {{"y", 0.5}};
    CHECK(refusal<ImageConfig>(document) ==
          "doc: a number with a fraction or an exponent");
  }
  SECTION("retries beyond an int") {
    document["config"]["Healthcheck"] = {{"Retries", 1LL << 40}};
    CHECK(refusal<ImageConfig>(document) ==
          "doc: config.Healthcheck.Retries: out of range");
  }
}

TEST_CASE("times are written as RFC 3339 and read back") {
  CHECK(oci::rfc3339(315532800) == "1980-01-01T00:00:00Z");
  CHECK(oci::rfc3339(0) == "1970-01-01T00:00:00Z");
  CHECK(oci::rfc3339(-1) == "1969-12-31T23:59:59Z");
  CHECK(oci::rfc3339(951782400) == "2000-02-29T00:00:00Z");
  CHECK(oci::rfc3339(253402300799) == "9999-12-31T23:59:59Z");
  CHECK(oci::rfc3339(-62167219200) == "0000-01-01T00:00:00Z");
  CHECK_THROWS_AS(oci::rfc3339(253402300800), oci::Error);
  CHECK_THROWS_AS(oci::rfc3339(INT64_MIN), oci::Error);
  for (const std::int64_t time : {0LL, -1LL, 315532800LL, 4102444799LL, -62167219200LL})
    CHECK(oci::parse_rfc3339(oci::rfc3339(time)) == time);
  for (const char* text :
       {"", "1980-01-01", "1980-01-01T00:00:00", "1980-02-30T00:00:00Z",
        "1980-01-01T24:00:00Z", "1980-01-01T00:00:60Z", "1980-01-01T00:00:00.5Z",
        "1980-01-01t00:00:00Z", "-980-01-01T00:00:00Z", "1980-13-01T00:00:00Z"}) {
    CHECK_FALSE(oci::parse_rfc3339(text).has_value());
  }
}
