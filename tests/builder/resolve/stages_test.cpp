// stages: commands and stages as steps of the graph, and what the lock knows of them.
#include "builder/resolve/lower.h"
#include "builder/resolve/requests.h"

#include "tests/support/catch.h"

using namespace lithify;

namespace {

const oci::Platform k_amd64{"linux", "amd64", ""};
const oci::Platform k_arm64{"linux", "arm64", ""};

RecipeStep step(Verb verb, std::string text) {
  return {std::move(verb), {"lithify.yaml", 9, 5, 8}, "", "", std::move(text)};
}

RunStep command(std::vector<std::string> argv, std::vector<RunMount> mounts = {}) {
  RunStep run;
  run.argv = std::move(argv);
  run.mounts = std::move(mounts);
  return run;
}

RunMount mount(std::string from, bool of_stage, std::string at) {
  RunMount made;
  made.from = std::move(from);
  made.of_stage = of_stage;
  made.at = std::move(at);
  return made;
}

CopyStep copy(std::string source, bool of_stage, std::string to) {
  CopyStep wanted;
  wanted.paths = {"."};
  wanted.source = std::move(source);
  wanted.of_stage = of_stage;
  wanted.to = std::move(to);
  return wanted;
}

PackagesStep packages(std::vector<std::string> names) {
  PackagesStep wanted;
  for (auto& name : names)
    wanted.packages.push_back({std::move(name), "", "", {}});
  wanted.source = "debian";
  return wanted;
}

struct StageText {
  std::string name;
  From from;
  std::vector<RecipeStep> steps;
};

// One image on amd64 with these steps, and stages for it that run on amd64 too.
Recipe recipe_of(std::vector<StageText> stages, std::vector<RecipeStep> steps,
                 From from = {}) {
  Recipe recipe;
  recipe.file = "lithify.yaml";
  recipe.directory = "/project";
  recipe.sources["debian"] = {"debian", {}, AptSource{"", {"bookworm"}, {"main"}, {}}};
  recipe.sources["src"] = {"src", {}, LocalSource{"src", {}, {}, {}}};
  recipe.sources["base"] = {"base", {}, LayoutSource{"base", "v1"}};
  recipe.sources["certs"] = {"certs", {}, UrlSource{"https://example.org/c.pem", {}}};
  for (StageText& text : stages) {
    StageRecipe stage{text.name, "stage:" + text.name, {}, false, {}, 1, 1};
    stage.variants.push_back({k_amd64, k_amd64, stage.lock_name, text.from, text.steps});
    recipe.stages.push_back(std::move(stage));
  }
  ImageRecipe image;
  image.name = image.lock_name = "web";
  image.run_steps = 1;
  image.variants.push_back({k_amd64, std::move(from), std::move(steps), {}, {}, {}});
  recipe.images.push_back(std::move(image));
  return recipe;
}

LockedPackage locked(const std::string& name) {
  return {
      name, "debian", "amd64", "1", "pool/" + name + ".deb", 10, oci::Digest::of(name)};
}

std::pair<Lock, BaseManifests> with_base() {
  Lock lock;
  lock.encoders = {{"zstd", "zstd-1.5.4"}};
  const auto manifest = oci::Digest::of("manifest");
  lock.images = {{"layout:base:v1", k_amd64, manifest, 7}};
  BaseLayers layers;
  layers.blobs = {{"application/vnd.oci.image.layer.v1.tar", oci::Digest::of("l"), 9}};
  layers.diff_ids = {oci::Digest::of("d")};
  layers.env = {{"PATH", "/usr/local/go/bin:/usr/bin"}, {"GOTOOLCHAIN", "local"}};
  return {lock, {{manifest, layers}}};
}

const Step& step_with(const BuildPlan& plan, const std::string& label) {
  for (const Step& found : plan.graph.steps()) {
    if (found.label == label) return found;
  }
  FAIL("no step " << label);
  return plan.graph.steps()[0];
}

const Run& run_with(const BuildPlan& plan, const std::string& label) {
  return std::get<Run>(step_with(plan, label).operation);
}

}  // namespace

TEST_CASE("a command stands on everything below it, its mounts are inputs before that") {
  const Recipe recipe = recipe_of(
      {},
      {step(DirStep{"/a", {}, 0755}, "dir /a"), step(DirStep{"/b", {}, 0755}, "dir /b"),
       step(command({"make"}, {mount("src", false, "/src"), mount("certs", false, "/c")}),
            "run make")});
  Lock lock;
  lock.urls = {{"https://example.org/c.pem", 3, oci::Digest::of("abc"), {}}};
  const BuildPlan plan = lower(recipe, lock, {}, {{}, 77});
  const Step& made = step_with(plan, "run make");
  CHECK(made.below == 2);
  REQUIRE(made.inputs.size() == 4);
  CHECK(std::holds_alternative<Import>(plan.graph.step(made.inputs[0]).operation));
  CHECK(plan.graph.step(made.inputs[3]).label == "dir /b");
  const Run& run = std::get<Run>(made.operation);
  CHECK(run.mount_inputs == std::vector<InputIndex>{0, 1});
  CHECK(run.what.mounts[0].path == ".");
  CHECK(run.what.mounts[1].path == "c.pem");
  CHECK(run.epoch == 77);
  CHECK(run.mtime == 315532800);
  CHECK(run.lock_key.empty());
  CHECK(plan.images[0].variants[0].layers.size() == 3);
}

TEST_CASE("a copy from a stage takes all that is below it, merged") {
  const Recipe recipe = recipe_of(
      {{"build",
        {},
        {step(DirStep{"/x", {}, 0755}, "dir /x"), step(command({"b"}), "run b")}},
       {"unused", {}, {step(DirStep{"/never", {}, 0755}, "dir /never")}}},
      {step(copy("build", true, "/out"), "copy one"),
       step(copy("build", true, "/too"), "two")});
  const BuildPlan plan = lower(recipe, Lock{}, {}, {});
  REQUIRE(plan.graph.steps().size() == 5);  // nothing of the unused stage
  const Step& merge = step_with(plan, "build: put together");
  CHECK(
      std::holds_alternative<MergeAction>(std::get<Edit>(merge.operation).actions.at(0)));
  CHECK(plan.stages.size() == 1);
  CHECK(plan.stages.at(0).name == "build");
  CHECK(merge.below == 2);
  CHECK(merge.inputs.size() == 2);
  for (const char* label : {"copy one", "two"}) {
    const Step& made = step_with(plan, label);
    REQUIRE(made.inputs.size() == 1);
    CHECK(plan.graph.step(made.inputs[0]).label == merge.label);
    CHECK(made.below == 0);
  }
  CHECK(plan.images[0].variants[0].layers.size() == 2);
}

TEST_CASE("an image upon a stage has its base and its steps as layers") {
  const auto [lock, bases] = with_base();
  const Recipe recipe = recipe_of(
      {{"tools", {From::Kind::source, "base", {}}, {step(command({"a"}), "run a")}},
       {"more", {From::Kind::stage, "tools", {}}, {step(command({"b"}), "run b")}}},
      {step(command({"c"}), "run c")}, {From::Kind::stage, "more", {}});
  const BuildPlan plan = lower(recipe, lock, bases, {});
  const VariantPlan& variant = plan.images[0].variants[0];
  REQUIRE(variant.base.has_value());
  REQUIRE(variant.layers.size() == 3);
  CHECK(variant.layers[0].history == "run a");
  CHECK(variant.config.size() == 1);
  const Step& last = step_with(plan, "run c");
  CHECK(last.below == 3);
  CHECK(last.on_base);
  CHECK(run_with(plan, "run c").what.env.at("GOTOOLCHAIN") == "local");
  CHECK(requests_of(recipe).bases.size() == 1);
}

TEST_CASE("a stage that is a base alone is its unpacked layers") {
  const auto [lock, bases] = with_base();
  const Recipe recipe = recipe_of({{"tools", {From::Kind::source, "base", {}}, {}}},
                                  {step(copy("tools", true, "/"), "copy")});
  const BuildPlan plan = lower(recipe, lock, bases, {});
  CHECK(plan.graph.step(step_with(plan, "copy").inputs.at(0)).label ==
        "unpack layout:/project/base");
}

TEST_CASE("a command has the environment of what it stands on, and its own") {
  const auto [lock, bases] = with_base();
  RunStep run = command({"x"});
  run.env = {{"PATH", "/bin"}, {"A", "b"}};
  Recipe recipe = recipe_of({}, {step(run, "run x")}, {From::Kind::source, "base", {}});
  using Env = std::map<std::string, std::string>;
  CHECK(run_with(lower(recipe, lock, bases, {}), "run x").what.env ==
        Env{{"PATH", "/bin"}, {"A", "b"}, {"GOTOOLCHAIN", "local"}});
  run.unset = {"GOTOOLCHAIN"};
  recipe = recipe_of({}, {step(run, "run x")}, {From::Kind::source, "base", {}});
  const BuildPlan plan = lower(recipe, lock, bases, {});
  CHECK(run_with(plan, "run x").what.env == Env{{"PATH", "/bin"}, {"A", "b"}});
  CHECK(run_with(plan, "run x").what.unset == run.unset);  // the sandbox may give it too

  SECTION("that an image below changed") {
    ImageRecipe upper;
    upper.name = upper.lock_name = "upper";
    upper.variants.push_back({k_amd64,
                              {From::Kind::image, "web", {}},
                              {step(command({"y"}), "run y")},
                              {},
                              {},
                              {}});
    recipe.images[0].variants[0].config.env = {{"PATH", std::nullopt}, {"E", "f"}};
    recipe.images.push_back(upper);
    CHECK(run_with(lower(recipe, lock, bases, {}), "run y").what.env ==
          Env{{"E", "f"}, {"GOTOOLCHAIN", "local"}});
    recipe.images[0].variants[0].config.inherit = false;
    CHECK(run_with(lower(recipe, lock, bases, {}), "run y").what.env == Env{{"E", "f"}});
  }
}

TEST_CASE("sets of stages have names of their own, those below come first") {
  const Recipe recipe =
      recipe_of({{"above",
                  {From::Kind::stage, "tools", {}},
                  {step(packages({"make"}), "packages make")}},
                 {"tools", {}, {step(packages({"gcc"}), "packages gcc")}}},
                {step(copy("above", true, "/a"), "copy")});
  const Requests requests = requests_of(recipe);
  REQUIRE(requests.sets.size() == 2);
  CHECK(requests.sets[0].key == "stage:tools/0/linux/amd64");
  CHECK(requests.sets[0].image == "tools");
  CHECK(requests.sets[1].key == "stage:above/0/linux/amd64");
  CHECK(requests.sets[1].below == std::vector<std::string>{"stage:tools/0/linux/amd64"});
  Lock lock;
  lock.encoders = {{"zstd", "zstd-1.5.4"}};
  lock.packages = {locked("gcc"), locked("make")};
  lock.sets = {{"stage:tools/0/linux/amd64", "debian: gcc", {"gcc"}},
               {"stage:above/0/linux/amd64", "debian: make", {"make"}}};
  CHECK(unmet(recipe, lock).empty());
  CHECK(unused(recipe, lock).empty());
  const BuildPlan plan = lower(recipe, lock, {}, {});
  CHECK(step_with(plan, "above: packages make").below == 1);
  lock.normalise();
  CHECK(Lock::parse(lock.str(), "lithify.lock") == lock);
  lock.sets.push_back({"stage:tools/1/linux/amd64", "debian: gcc", {"gcc"}});
  lock.sets.push_back({"stage:gone/0/linux/amd64", "debian: gcc", {"gcc"}});
  lock.sets.push_back({"stage:tools@linux-arm64/0/linux/amd64", "debian: gcc", {"gcc"}});
  CHECK(unused(recipe, lock).size() == 2);
}

TEST_CASE("a stage on the builder's platform is one work for all images") {
  Recipe recipe = recipe_of({}, {});
  recipe.images[0].variants.clear();
  StageRecipe cross{"cross", "stage:cross", {}, true, {}, 1, 1};
  StageRecipe tools{"tools", "stage:tools", {}, false, {}, 1, 1};
  for (const auto& platform : {k_amd64, k_arm64}) {
    recipe.images[0].variants.push_back(
        {platform,
         {},
         {step(copy("cross", true, "/x"), "copy " + platform.str())},
         {},
         {},
         {}});
    cross.variants.push_back({platform,
                              k_amd64,
                              "stage:cross",
                              {From::Kind::stage, "tools", {}},
                              {step(command({"same"}), "run same")}});
    tools.variants.push_back({platform,
                              platform,
                              "stage:tools",
                              {},
                              {step(packages({"gcc"}), "packages gcc")}});
  }
  recipe.stages = {cross, tools};
  const Requests requests = requests_of(recipe);
  REQUIRE(requests.sets.size() == 1);
  CHECK(requests.sets[0].platform == k_amd64);
  Lock lock;
  lock.packages = {locked("gcc")};
  lock.sets = {{"stage:tools/0/linux/amd64", "debian: gcc", {"gcc"}}};
  const BuildPlan plan = lower(recipe, lock, {}, {});
  CHECK(step_with(plan, "cross: run same").platform == k_amd64);
  CHECK(step_with(plan, "copy linux/arm64").platform == k_arm64);
  CHECK(step_with(plan, "copy linux/arm64").inputs ==
        step_with(plan, "copy linux/amd64").inputs);
  CHECK(plan.graph.steps().size() ==
        7);  // fetch, unpack, install, run, merge, two copies
}

TEST_CASE("what a command brought from the network is pinned by the lock") {
  RunStep run = command({"fetch"});
  run.network = Network::pinned;
  run.outputs = {"/out"};
  const Recipe recipe = recipe_of({{"deps", {}, {step(run, "run fetch")}}},
                                  {step(copy("deps", true, "/a"), "copy")});
  const Requests requests = requests_of(recipe);
  REQUIRE(requests.outputs.size() == 1);
  CHECK(requests.outputs[0].key == "stage:deps/0/linux/amd64");
  CHECK(requests.outputs[0].name == "deps");
  Lock lock;
  lock.encoders = {{"zstd", "zstd-1.5.4"}};
  CHECK(unmet(recipe, lock).empty());  // the build finds it out
  const auto missing = unpinned(recipe, lock);
  REQUIRE(missing.size() == 1);
  CHECK(missing[0].code() == oci::Errc::stale);
  CHECK(missing[0].place().line == 9);
  const BuildPlan first = lower(recipe, lock, {}, {});
  CHECK(run_with(first, "deps: run fetch").lock_key == "stage:deps/0/linux/amd64");
  CHECK_FALSE(run_with(first, "deps: run fetch").pinned.has_value());

  lock.set_output({"stage:deps/0/linux/amd64", oci::Digest::of("tree")});
  CHECK(unpinned(recipe, lock).empty());
  CHECK(run_with(lower(recipe, lock, {}, {}), "deps: run fetch").pinned ==
        oci::Digest::of("tree"));
  lock.set_output({"stage:deps/0/linux/amd64", oci::Digest::of("tree"),
                   asked_of(recipe, "stage:deps/0/linux/amd64")});
  CHECK(unpinned(recipe, lock).empty());
  CHECK(unused(recipe, lock).empty());
  lock.set_output({"stage:deps/1/linux/amd64", oci::Digest::of("tree")});
  CHECK(unused(recipe, lock) ==
        std::vector<std::string>{"outputs of stage:deps/1/linux/amd64"});
}

TEST_CASE("a pin is of the command that it was made for") {
  const auto recipe_with = [](RunStep run) {
    run.network = Network::pinned;
    return recipe_of({{"deps", {}, {step(run, "run fetch")}}},
                     {step(copy("deps", true, "/a"), "copy")});
  };
  RunStep run = command({"fetch", "1.0"});
  run.outputs = {"/out"};
  const char* const key = "stage:deps/0/linux/amd64";
  Lock lock;
  lock.encoders = {{"zstd", "zstd-1.5.4"}};
  lock.set_output({key, oci::Digest::of("tree"), asked_of(recipe_with(run), key)});

  run.limits.memory = 1 << 30;  // no part of what is asked
  CHECK(unpinned(recipe_with(run), lock).empty());

  run.argv = {"fetch", "1.1"};
  const Recipe other = recipe_with(run);
  CHECK_FALSE(run_with(lower(other, lock, {}, {}), "deps: run fetch").pinned);
  const auto missing = unpinned(other, lock);
  REQUIRE(missing.size() == 1);
  CHECK(missing[0].label() ==
        "the outputs of `" + std::string(key) + "` were locked for another command");
  CHECK_FALSE(asked_of(other, "stage:deps/1/linux/amd64"));
}
