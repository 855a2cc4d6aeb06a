// policy: whose signatures are demanded, in a file of its own and beside a base.
#include "builder/frontend/read_policy.h"

#include "tests/builder/frontend/reading.h"

using namespace lithify;

namespace {

const std::string k_head = "lithify-policy: 1\nkeys: {a: a.pub, b: env://B, c: c.pub}\n";

VerifyPolicy policy_of(const std::string& text) {
  PolicyReading reading = read_policy("policy.yaml", text);
  for (const Problem& problem : reading.problems)
    UNSCOPED_INFO(problem.error.what());
  REQUIRE(reading.policy.has_value());
  return std::move(*reading.policy);
}

std::string refusal_of(const std::string& text) {
  const PolicyReading reading = read_policy("policy.yaml", text);
  CHECK_FALSE(reading.policy.has_value());
  REQUIRE_FALSE(reading.problems.empty());
  const oci::Error& error = reading.problems.front().error;
  return std::to_string(error.place().line) + ": " + error.what();
}

std::string rule(const std::string& demand) {
  return k_head + "rules:\n  - repositories: [x.example/**]\n    require: [" + demand +
         "]\n";
}

std::string base(const std::string& verify) {
  return "lithify: 1\nsources:\n  b: {image: 'a:1', verify: " + verify +
         "}\nimage: {from: b}\n";
}

const ImageVerification& verification_of(const Recipe& recipe) {
  return *std::get<ImageSource>(recipe.sources.begin()->second.kind).verify;
}

}  // namespace

TEST_CASE("a policy names keys, and for repositories what they must have signed") {
  const VerifyPolicy policy =
      policy_of(k_head +
                "rules:\n"
                "  - repositories: [registry.example/shop/*]\n"
                "    identity: registry.example/shop/web\n"
                "    require:\n"
                "      - {all-of: [a, b], annotations: {stage: release}}\n"
                "      - {type: provenance, some-of: [a, b, c], threshold: 2}\n"
                "  - {repositories: '**', identity: any, require: [{any-of: c}]}\n");
  REQUIRE(policy.rules.size() == 2);
  const PolicyRule& first = policy.rules[0];
  CHECK(first.identity == "registry.example/shop/web");
  REQUIRE(first.demands.size() == 2);
  CHECK(first.demands[0].type == "signature");
  CHECK(first.demands[0].needed == 2);
  CHECK(first.demands[0].keys[1].reference == "env://B");
  CHECK(first.demands[0].annotations.at("stage") == "release");
  CHECK(first.demands[1].needed == 2);
  CHECK(first.demands[1].keys.size() == 3);
  CHECK(policy.find("registry.example/shop/web") == &policy.rules[0]);
  CHECK(policy.find("registry.example/shop/web/x") == &policy.rules[1]);
}

TEST_CASE("a policy is JSON as well") {
  const VerifyPolicy policy = policy_of(
      R"({"lithify-policy": 1, "keys": {"a": "a.pub"}, "rules": [{"repositories":
          ["x.example/y"], "require": [{"any-of": ["a"]}]}]})");
  CHECK(policy.rules.size() == 1);
}

TEST_CASE("pitfall 39: a pattern matches whole names") {
  const VerifyPolicy policy =
      policy_of(k_head +
                "rules: [{repositories: registry.example/shop/web, require: "
                "[{any-of: a}]}]\n");
  CHECK(policy.find("registry.example/shop/web") != nullptr);
  for (const char* other :
       {"registry.example/shop/website", "evil.example/registry.example/shop/web",
        "registry.example/shop/web/x", "registry-example/shop/web", "shop/web", ""}) {
    INFO(other);
    CHECK(policy.find(other) == nullptr);
  }
  CHECK(refusal_of(k_head + "rules: [{repositories: web, require: [{any-of: a}]}]\n") ==
        "3: `web` matches no repository");
}

TEST_CASE("a policy that would demand less than it seems to is refused") {
  CHECK(refusal_of(rule("{any-of: d}")) == "5: there is no key `d`");
  CHECK(refusal_of(rule("{all-of: [a, a]}")) == "5: the key `a` is named twice");
  CHECK(refusal_of(rule("{some-of: [a], threshold: 2}")) ==
        "5: 2 keys cannot sign where 1 are named");
  for (const char* demand :
       {"{any-of: []}", "{type: spdx}", "{any-of: a, all-of: b}", "{any-of: a, x: 1}",
        "{some-of: [a, b]}", "{any-of: a, threshold: 1}", "{some-of: a, threshold: 0}"}) {
    INFO(demand);
    refusal_of(rule(demand));
  }
  refusal_of("");
  refusal_of("[]");
  refusal_of(k_head);
  refusal_of(k_head + "rules: []\n");
  refusal_of(k_head + "rules: [{repositories: '**', require: []}]\n");
  refusal_of("lithify-policy: 2\nkeys: {a: b}\nrules: []\n");
  refusal_of(k_head +
             "rules: [{repositories: '**', identity: 'a b', require: "
             "[{any-of: a}]}]\n");
  refusal_of(
      "lithify-policy: 1\nkeys: {a: x, a: y}\nrules: [{repositories: '**', "
      "require: [{any-of: a}]}]\n");
}

TEST_CASE("a policy has bounds") {
  std::string keys = "lithify-policy: 1\nkeys:\n";
  for (int i = 0; i < 65; ++i)
    keys += "  k" + std::to_string(i) + ": f\n";
  CHECK(refusal_of(keys + "rules: [{repositories: '**', require: [{any-of: k1}]}]\n")
            .ends_with("a policy has at most 64 keys"));
}

TEST_CASE("a base says who must have signed it") {
  const Recipe recipe =
      recipe_of(base("{key: [a.pub, b.pub], threshold: 2, annotations: {x: y}}"));
  const ImageVerification& how = verification_of(recipe);
  CHECK(how.policy.empty());
  CHECK(how.demand.type == "signature");
  CHECK(how.demand.keys.size() == 2);
  CHECK(how.demand.needed == 2);
  CHECK(how.demand.annotations.at("x") == "y");
  CHECK(how.place.line == 3);

  const Recipe other = recipe_of(base("{key: a.pub}"));
  CHECK(verification_of(other).demand.needed == 1);
  CHECK(verification_of(other).asked != how.asked);
  CHECK(verification_of(recipe_of(base("{policy: p.yaml}"))).policy == "p.yaml");
}

TEST_CASE("what demands nothing of a base is refused") {
  for (const char* verify : {"{}", "{key: []}", "{threshold: 1}", "{key: a, policy: b}",
                             "{key: ''}", "{policy: ''}", "x", "{key: a, threshold: 2}",
                             "{key: [a, a]}", "{policy: p, threshold: 1}"}) {
    INFO(verify);
    CHECK_FALSE(errors_in(base(verify)).empty());
  }
}
