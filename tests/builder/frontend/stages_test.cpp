// stages: rooms to build in, and what takes files from them.
#include <fmt/format.h>

#include "tests/builder/frontend/reading.h"

using namespace lithify;

namespace {

const std::string k_head =
    "lithify: 1\n"
    "sources:\n"
    "  src: {local: .}\n"
    "  go: {image: 'docker.io/library/golang:1.25', platform: build}\n"
    "  base: {image: 'docker.io/library/debian:12'}\n"
    "  deb: {apt: {suites: [s]}}\n";

// Platforms of which one is not the builder's.
const oci::Platform k_host = oci::Platform::host();
const oci::Platform k_other = {"linux",
                               k_host.architecture == "arm64" ? "amd64" : "arm64", ""};

FrontendOptions for_both() {
  FrontendOptions options;
  options.platforms = {k_host, k_other};
  return options;
}

const StageRecipe& stage_of(const Recipe& recipe, const std::string& name) {
  for (const StageRecipe& stage : recipe.stages) {
    if (stage.name == name) return stage;
  }
  FAIL("no stage " << name);
  return recipe.stages.at(0);
}

const StageVariant& variant_of(const Recipe& recipe, const std::string& name,
                               const oci::Platform& platform) {
  for (const StageVariant& variant : stage_of(recipe, name).variants) {
    if (variant.platform == platform) return variant;
  }
  FAIL("stage " << name << " has no " << platform.str());
  return stage_of(recipe, name).variants.at(0);
}

}  // namespace

TEST_CASE("copies, mounts and images stand on stages") {
  const Recipe recipe =
      recipe_of(k_head +
                "stages:\n"
                "  tools: {from: scratch, steps: [{packages: [make], from: deb}]}\n"
                "  build:\n"
                "    from: tools\n"
                "    steps:\n"
                "      - {run: make, mounts: [{from: src, at: /src}, {from: other, path: "
                "out, at: /o}],"
                " outputs: [/out]}\n"
                "  other: {from: base, steps: [{dir: /out}]}\n"
                "image:\n"
                "  from: tools\n"
                "  steps:\n"
                "    - {copy: /out/x, from: build, to: /usr/bin/x}\n");
  REQUIRE(recipe.stages.size() == 3);
  CHECK(recipe.stages[0].name == "tools");
  CHECK(recipe.stages[0].lock_name == "stage:tools");
  CHECK(recipe.stages[0].packages_steps == 1);
  CHECK(recipe.stages[1].run_steps == 1);
  const ImageVariant& image = recipe.images[0].variants.at(0);
  CHECK(image.from.kind == From::Kind::stage);
  CHECK(image.from.name == "tools");
  const auto& copy = std::get<CopyStep>(image.steps.at(0).verb);
  CHECK(copy.source == "build");
  CHECK(copy.of_stage);
  CHECK(copy.paths == std::vector<std::string>{"out/x"});
  const StageVariant& build = variant_of(recipe, "build", image.platform);
  CHECK(build.from.kind == From::Kind::stage);
  CHECK(build.runs_on == image.platform);
  const auto& run = std::get<RunStep>(build.steps.at(0).verb);
  CHECK_FALSE(run.mounts[0].of_stage);
  CHECK(run.mounts[1].of_stage);
  CHECK(run.mounts[1].from == "other");
  CHECK(variant_of(recipe, "other", image.platform).from.kind == From::Kind::source);
}

TEST_CASE("a stage runs on the builder's platform if it, or what it stands on, says so") {
  const Recipe recipe = recipe_of(
      k_head +
          "stages:\n"
          "  cross: {from: go, steps: [{run: x, env: {GOARCH: $(platform.arch)}}]}\n"
          "  same: {from: go, steps: [{run: x}]}\n"
          "  declared: {from: scratch, platform: build, steps: [{packages: "
          "['gcc-$(platform.arch)'], from: deb}]}\n"
          "  above: {from: declared, steps: [{dir: /x}]}\n"
          "  target: {from: base, steps: [{run: x}]}\n"
          "  lifted: {from: target, platform: build, steps: [{run: y}]}\n"
          "image:\n"
          "  from: scratch\n"
          "  steps:\n"
          "    - {copy: ., from: cross, to: /a}\n"
          "    - {copy: ., from: same, to: /b}\n"
          "    - {copy: ., from: above, to: /c}\n"
          "    - {copy: ., from: target, to: /d}\n"
          "    - {copy: ., from: lifted, to: /e}\n",
      for_both());
  for (const char* name : {"cross", "same", "declared", "above", "lifted"}) {
    INFO(name);
    CHECK(variant_of(recipe, name, k_host).runs_on == k_host);
    CHECK(variant_of(recipe, name, k_other).runs_on == k_host);
  }
  CHECK(variant_of(recipe, "target", k_other).runs_on == k_other);
  const auto& run =
      std::get<RunStep>(variant_of(recipe, "cross", k_other).steps.at(0).verb);
  CHECK(run.env.at("GOARCH") == k_other.architecture);
  // What differs between the images' platforms has a name for each in the lock.
  const std::string mark = "@linux-" + k_other.architecture;
  CHECK(variant_of(recipe, "cross", k_host).lock_name == "stage:cross");
  CHECK(variant_of(recipe, "cross", k_other).lock_name == "stage:cross" + mark);
  CHECK(variant_of(recipe, "above", k_other).lock_name == "stage:above" + mark);
  CHECK(variant_of(recipe, "same", k_other).lock_name == "stage:same");
  CHECK(variant_of(recipe, "target", k_other).lock_name == "stage:target");
}

TEST_CASE("an image stands on no stage for another platform") {
  FrontendOptions options;
  options.platforms = {k_other};
  const std::string text = k_head +
                           "stages: {s: {from: go, steps: [{run: x}]}}\n"
                           "image: {from: s}\n";
  CHECK(
      errors_in(text, options) ==
      "L0109 8:15+1 stage `s` is for the builder's platform, whatever the image is built "
      "for\n");
  options.platforms = {k_host};
  CHECK(errors_in(text, options).empty());
}

TEST_CASE("stages and images that need each other are refused with the chain") {
  const auto chain = [](const std::string& rooms) {
    std::string found;
    for (const Problem& problem : read_text(k_head + rooms).problems) {
      if (problem.severity == Problem::Severity::error)
        found += std::string(problem.error.id()) + " " + problem.error.label() + "\n";
    }
    return found;
  };
  CHECK(chain("stages:\n  a: {from: b}\n  b: {from: a}\nimage: {from: a}\n") ==
        "L0103 a → b → a\n");
  CHECK(chain("stages:\n  a: {from: scratch, steps: [{copy: ., from: a, to: /}]}\n"
              "image: {from: a}\n") == "L0103 a → a\n");
  CHECK(chain("stages:\n"
              "  a: {from: scratch, steps: [{run: x, mounts: [{from: b, at: /b}]}]}\n"
              "  b: {from: 'image:i'}\n"
              "images:\n  i: {from: scratch, steps: [{copy: ., from: a, to: /}]}\n") ==
        "L0103 image:i → a → b → image:i\n");
}

TEST_CASE("names mean one thing") {
  const std::string image = "image: {from: scratch}\n";
  CHECK(errors_in(k_head + "stages: {src: {from: scratch}}\n" + image) ==
        "L0013 7:10+3 `src` is the name of a source and of a stage\n");
  CHECK(errors_in(k_head + "stages: {scratch: {from: scratch}}\n" + image) ==
        "L0024 7:10+7 a stage cannot be called `scratch`\n");
  CHECK(errors_in(k_head + "stages: {s: {from: scratch}}\nimages: {s: {from: s}}\n") ==
        "L0013 8:10+1 `s` is the name of a stage and of an image\n");
  CHECK(errors_in(k_head +
                  "stages: {build: {from: scratch}}\n"
                  "image: {from: scratch, steps: [{copy: ., from: biuld, to: /}]}\n") ==
        "L0101 8:48+5 there is no source or stage `biuld`\n");
  CHECK(errors_in(k_head + "stages: {s: {from: scratch}}\nimage: {from: scratch, steps: "
                           "[{packages: [bash], from: s}]}\n") ==
        "L0105 8:57+1 `s` is a stage; packages come from an apt source\n");
  CHECK(errors_in(k_head + "stages: {s: {from: src}}\nimage: {from: s}\n") ==
        "L0105 7:20+3 `src` is a local source and no base for a stage\n");
  CHECK(errors_in(k_head +
                  "stages: {s: {steps: []}}\nimage: {from: s, platform: build}\n") ==
        "L0022 7:14+9 `s` needs `from`\nL0026 8:18+8 `platform` has no place here\n");
}

TEST_CASE("a stage that nothing uses is read all the same, and told") {
  const Reading reading = read_text(
      "lithify: 1\nstages:\n  s: {from: scratch, steps: [{dir: /a}]}\n"
      "image: {from: scratch}\n");
  REQUIRE(reading.problems.size() == 1);
  CHECK(reading.problems[0].error.id() == "L0155");
  CHECK(
      errors_in("lithify: 1\nstages:\n  s: {from: nothing}\nimage: {from: scratch}\n") ==
      "L0101 3:13+7 there is no source or stage `nothing`\n");
  CHECK(read_text("lithify: 1\nargs: {a: {default: x}}\nstages:\n"
                  "  s: {from: scratch, steps: [{dir: /a}]}\n"
                  "image: {from: scratch, steps: [{copy: ., from: s, to: /, when: {arg: "
                  "{a: y}}}]}\n")
            .problems.empty());
}

TEST_CASE("what a command would mount if its condition held is used") {
  CHECK(
      read_text("lithify: 1\nargs: {a: {default: x}}\nsources: {src: {local: .}}\n"
                "stages:\n  s: {from: scratch}\n  t: {from: scratch}\n"
                "image:\n  from: scratch\n"
                "  defaults: {mounts: [{from: s, at: /s}, {from: src, at: /src}]}\n"
                "  steps: [{run: x, mounts: [{from: t, at: /t}], when: {arg: {a: y}}}]\n")
          .problems.empty());
}

TEST_CASE("accounts of a stage are known to what stands on it") {
  const std::string stage =
      k_head + "stages:\n  s: {from: scratch, steps: [{users: [{name: app, uid: 7}]}]}\n";
  const Recipe recipe =
      recipe_of(stage + "image: {from: s, steps: [{run: x, user: app}]}\n");
  CHECK(std::get<RunStep>(recipe.images[0].variants[0].steps[0].verb).user == "7:7");
  CHECK(errors_in(stage + "image: {from: scratch, steps: [{run: x, user: app}]}\n") ==
        "L0104 9:47+3 no earlier step declares user `app`\n");
}

TEST_CASE("deep chains of stages end") {
  std::string text = "lithify: 1\nstages:\n  s0: {from: scratch}\n";
  for (int i = 1; i < 256; ++i)
    text += fmt::format("  s{}: {{from: s{}}}\n", i, i - 1);
  CHECK(errors_in(text + "image: {from: s255}\n").empty());
  text += "  s256: {from: s255}\n";
  CHECK(errors_in(text + "image: {from: s255}\n") ==
        "L0003 259:3+4 more than 256 stages\n");
}

TEST_CASE("what a build is held to is the image's own, or the file's") {
  const Recipe recipe = recipe_of(
      "lithify: 1\npolicy: {rebuild-check: on-push}\nimages:\n  a: {from: scratch}\n"
      "  b: {from: scratch, policy: {rebuild-check: always}}\n");
  CHECK(recipe.images[0].rebuild_check == RebuildCheck::on_push);
  CHECK(recipe.images[1].rebuild_check == RebuildCheck::always);
}
