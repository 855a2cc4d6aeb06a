// sign and sbom: what a build file says of signatures and attestations.
#include <fmt/format.h>

#include "tests/builder/frontend/reading.h"

using namespace lithify;

namespace {

std::optional<SignRule> sign_of(const std::string& sign, FrontendOptions options = {}) {
  return recipe_of(
             "lithify: 1\nargs: {key: {default: release.key}}\n"
             "image: {from: scratch}\nsign: " +
                 sign + "\n",
             std::move(options))
      .images.at(0)
      .sign;
}

std::string errors(const std::string& sign) {
  return errors_in("lithify: 1\nimage: {from: scratch}\nsign: " + sign + "\n");
}

}  // namespace

TEST_CASE("a key is enough to sign with") {
  const auto rule = sign_of("{key: release.key}");
  REQUIRE(rule.has_value());
  CHECK(rule->keys == std::vector<std::string>{"release.key"});
  CHECK(rule->attest.empty());
  CHECK(rule->form == SignRule::Form::both);
  CHECK_FALSE(rule->mirror_att);
  CHECK_FALSE(rule->index_att);
  CHECK(rule->place.line == 4);
}

TEST_CASE("keys are written in several ways, and arguments may name them") {
  const auto rule = sign_of(
      "{key: ['env://COSIGN_KEY', 'file://keys/a.key', 'file:///etc/b.key', "
      "'awskms://x/y', '$(args.key)']}");
  CHECK(rule->keys == std::vector<std::string>{"env://COSIGN_KEY", "keys/a.key",
                                               "/etc/b.key", "awskms://x/y",
                                               "release.key"});
}

TEST_CASE("attestations stand in the order written") {
  const auto rule = sign_of(
      "{key: k, attest: [provenance, sbom-spdx, sbom-cyclonedx], format: bundle, "
      "mirror-att: true, index-att: true}");
  CHECK(rule->attest == std::vector<SignRule::Claim>{SignRule::Claim::provenance,
                                                     SignRule::Claim::sbom_spdx,
                                                     SignRule::Claim::sbom_cyclonedx});
  CHECK(rule->form == SignRule::Form::bundle);
  CHECK(rule->mirror_att);
  CHECK(rule->index_att);
  CHECK(sign_of("{key: k, format: classic}")->form == SignRule::Form::classic);
}

TEST_CASE("an image has its own signature, that of the file, or none") {
  const Recipe recipe = recipe_of(
      "lithify: 1\nsign: {key: file.key}\nimages:\n  a: {from: scratch}\n"
      "  b: {from: scratch, sign: {key: $(image.name).key}}\n"
      "  c: {from: scratch, sign: null}\n");
  CHECK(recipe.images[0].sign->keys.at(0) == "file.key");
  CHECK(recipe.images[1].sign->keys.at(0) == "b.key");
  CHECK_FALSE(recipe.images[2].sign.has_value());
}

TEST_CASE("what cannot be signed with is refused where it stands") {
  CHECK(errors("{attest: [provenance]}") == "L0022 3:8+20 `sign` needs `key`\n");
  CHECK(errors("{keyless: true}")
            .find("`keyless` is not built by this version of "
                  "lithify") != std::string::npos);
  CHECK(errors("{key: []}").starts_with("L0024 3:"));
  CHECK(errors("{key: ''}").starts_with("L0024 3:"));
  CHECK(errors("{key: 'file://'}") == "L0024 3:13+9 `file://` names no file\n");
  CHECK(errors("{key: [a, 'file://a']}") == "L0013 3:17+10 `file://a` stands twice\n");
  CHECK(errors("{key: a, attest: [sbom]}") == "L0024 3:25+4 `attest` cannot be `sbom`\n");
  CHECK(errors("{key: a, attest: [provenance, provenance]}") ==
        "L0013 3:37+10 `provenance` stands twice\n");
  CHECK(errors("{key: a, format: pgp}") == "L0024 3:24+3 `format` cannot be `pgp`\n");
  CHECK(errors("{key: $(platform.arch).key}") ==
        "L0031 3:13+16 `$(platform.arch)` has no value here\n");
  std::string many;
  for (int i = 0; i < 20; ++i)
    many += fmt::format("k{}, ", i);
  CHECK(errors("{key: [" + many + "]}").starts_with("L0003 3:"));
}

TEST_CASE("an SBOM's name says its form, and each platform has its own") {
  const auto outputs = [](const std::string& sbom) {
    return "lithify: 1\nplatforms: [linux/amd64, linux/arm64]\n"
           "image: {from: scratch}\noutputs: [{sbom: '" +
           sbom + "'}]\n";
  };
  const Recipe recipe = recipe_of(outputs("a-$(platform.arch).spdx.json"));
  const Output& output = recipe.images[0].variants[1].outputs.at(0);
  CHECK(output.kind == Output::Kind::sbom);
  CHECK(output.path == "a-arm64.spdx.json");
  CHECK(errors_in(outputs("a.json")).starts_with("L0024 4:18+8 "));
  CHECK(errors_in(outputs("a.cdx.json")) ==
        "L0108 4:18+12 two platforms would write `a.cdx.json`\n");
}
