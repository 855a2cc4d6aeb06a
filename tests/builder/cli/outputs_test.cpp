#include "builder/cli/outputs.h"

#include "tests/support/catch.h"

namespace lithify {
namespace {

Output output(Output::Kind kind, const std::string& path) {
  return {kind, path, {}};
}

ImagePlan image(const std::string& name, std::vector<std::vector<Output>> outputs) {
  ImagePlan plan;
  plan.name = name;
  for (auto& of_variant : outputs) {
    VariantPlan variant;
    variant.outputs = std::move(of_variant);
    plan.variants.push_back(std::move(variant));
  }
  return plan;
}

TEST_CASE("an output flag names a kind and a path") {
  const Output parsed = parse_output("oci-archive=/a/b=c.tar");
  CHECK(parsed.kind == Output::Kind::oci_archive);
  CHECK(parsed.path == "/a/b=c.tar");
  CHECK(parse_output("sbom=/a/b.cdx.json").kind == Output::Kind::sbom);
  CHECK(parse_output("sbom=/a/b.spdx.json").path == "/a/b.spdx.json");
  CHECK_THROWS_AS(parse_output("sbom=/a/b.json"), oci::Error);
  CHECK_THROWS_AS(parse_output("oci"), oci::Error);
  CHECK_THROWS_AS(parse_output("oci="), oci::Error);
  CHECK_THROWS_AS(parse_output("ocii=x"), oci::Error);
}

TEST_CASE("an output that all platforms share is the whole image") {
  const auto shared = output(Output::Kind::oci, "out");
  const auto found = destinations(image("app", {{shared}, {shared}}), {}, "/project");
  REQUIRE(found.size() == 1);
  CHECK(found[0].whole);
  CHECK(found[0].path == "/project/out");
}

TEST_CASE("an output of one platform is that platform") {
  const auto found =
      destinations(image("app", {{output(Output::Kind::tar, "amd64.tar")},
                                 {output(Output::Kind::tar, "arm64.tar")}}),
                   {}, "/project");
  REQUIRE(found.size() == 2);
  CHECK(!found[1].whole);
  CHECK(found[1].variant == 1);
}

TEST_CASE("what holds one platform refuses two") {
  const auto shared = output(Output::Kind::docker_archive, "out.tar");
  CHECK_THROWS_AS(destinations(image("app", {{shared}, {shared}}), {}, "/p"), oci::Error);
  CHECK_THROWS_AS(destinations(image("app", {{}, {}}), {shared}, "/p"), oci::Error);
  CHECK(destinations(image("app", {{}}), {shared}, "/p").size() == 1);
}

TEST_CASE("images share layouts and nothing else") {
  const auto of = [](Output::Kind kind) {
    return destinations(image("app", {{}}), {output(kind, "/out")}, "/p");
  };
  const auto layout = of(Output::Kind::oci);
  const auto archive = of(Output::Kind::oci_archive);
  CHECK_NOTHROW(refuse_clashes({layout, layout}));
  CHECK_THROWS_AS(refuse_clashes({archive, archive}), oci::Error);
  CHECK_THROWS_AS(refuse_clashes({layout, archive}), oci::Error);
  CHECK_THROWS_AS(refuse_clashes({archive, layout}), oci::Error);
}

}  // namespace
}  // namespace lithify
