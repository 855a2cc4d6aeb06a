// lower and requests: what a recipe asks for, what a lock leaves open, what work follows.
#include "builder/resolve/lower.h"

#include "builder/resolve/locked_set.h"
#include "builder/resolve/requests.h"

#include "tests/support/catch.h"

using namespace lithify;

namespace {

const oci::Platform k_amd64{"linux", "amd64", ""};
const oci::Platform k_arm64{"linux", "arm64", ""};

RecipeStep step(Verb verb, std::string text, std::string layer = "") {
  return {
      std::move(verb), {"lithify.yaml", 9, 5, 8}, "", std::move(layer), std::move(text)};
}

PackagesStep packages(std::vector<std::string> names, std::size_t number = 0) {
  PackagesStep wanted;
  wanted.number = number;
  for (auto& name : names)
    wanted.packages.push_back({std::move(name), "", "", {}});
  wanted.source = "debian";
  return wanted;
}

CopyStep copy(std::string source, std::string to) {
  CopyStep wanted;
  wanted.paths = {"."};
  wanted.source = std::move(source);
  wanted.to = std::move(to);
  return wanted;
}

LockedPackage locked(const std::string& name, const std::string& architecture,
                     const std::string& version = "1") {
  return {name,
          "debian",
          architecture,
          version,
          "pool/" + name + "_" + version + "_" + architecture + ".deb",
          10,
          oci::Digest::of(name + version + architecture)};
}

Recipe recipe_of(std::vector<RecipeStep> steps,
                 std::vector<oci::Platform> platforms = {k_amd64}) {
  Recipe recipe;
  recipe.file = "lithify.yaml";
  recipe.directory = "/project";
  recipe.sources["debian"] = {"debian", {}, AptSource{"", {"bookworm"}, {"main"}, {}}};
  recipe.sources["site"] = {"site", {}, LocalSource{"site", {}, {}, {}}};
  recipe.sources["certs"] = {"certs", {}, UrlSource{"https://example.org/c.pem?x=1", {}}};
  ImageRecipe image;
  image.name = image.lock_name = "web";
  image.packages_steps = 2;
  for (const auto& platform : platforms) {
    image.variants.push_back({platform, {}, steps, {}, {}});
  }
  recipe.images.push_back(std::move(image));
  return recipe;
}

Lock lock_of(std::vector<LockedPackage> members, std::vector<std::string> names,
             const std::string& request = "debian: bash") {
  Lock lock;
  lock.encoders = {{"zstd", "zstd-1.5.4"}};
  lock.packages = std::move(members);
  lock.sets = {{"web/0/linux/amd64", request, std::move(names)}};
  return lock;
}

}  // namespace

TEST_CASE("a copy is an import and an edit that looks at nothing below") {
  const Recipe recipe = recipe_of({step(DirStep{"/tmp", {}, 01777}, "dir /tmp"),
                                   step(copy("site", "/srv"), "copy . to /srv")});
  const BuildPlan plan = lower(recipe, Lock{}, {}, {});
  const auto& variant = plan.images.at(0).variants.at(0);
  REQUIRE(variant.layers.size() == 2);
  const Step& edit = plan.graph.step(variant.layers[1].steps.at(0));
  CHECK(edit.below == 0);
  REQUIRE(edit.inputs.size() == 1);
  const auto& import = std::get<Import>(plan.graph.step(edit.inputs[0]).operation);
  CHECK(import.path == "/project/site");
}

TEST_CASE("packages whose scripts run become fetches, files for dpkg and one command") {
  PackagesStep wanted = packages({"bash"});
  wanted.run_scripts = true;
  wanted.drop = {"docs"};
  wanted.unnormalised = {"logs"};
  const Recipe recipe =
      recipe_of({step(DirStep{"/a", {}, 0755}, "dir /a"), step(wanted, "packages bash")});
  const Lock lock = lock_of({locked("bash", "amd64"), locked("libc6", "amd64")},
                            {"bash", "libc6"}, "debian: bash +essential");
  const BuildPlan plan = lower(recipe, lock, {}, {});
  const auto& steps = plan.images.at(0).variants.at(0).layers.at(1).steps;
  REQUIRE(steps.size() == 1);
  const Step& both = plan.graph.step(steps[0]);
  CHECK(both.below == 1);
  REQUIRE(both.inputs.size() == 3);
  const auto& drop =
      std::get<DropPackagedAction>(std::get<Edit>(both.operation).actions.at(0));
  CHECK(drop.count == 2);
  CHECK(drop.drop == wanted.drop);

  const Step& bootstrap = plan.graph.step(both.inputs[0]);
  const auto& first =
      std::get<BootstrapDebianAction>(std::get<Edit>(bootstrap.operation).actions.at(0));
  CHECK(first.set.packages.size() == 2);
  CHECK(bootstrap.inputs.size() == 3);
  CHECK(bootstrap.below == 1);

  const Step& command = plan.graph.step(both.inputs[1]);
  const Run& run = std::get<Run>(command.operation);
  CHECK(command.below == 2);
  CHECK(command.inputs.back() == both.inputs[0]);
  CHECK(run.maintainer_scripts);
  CHECK(run.what.unnormalised == std::vector<std::string>{"logs"});
  CHECK(run.what.env.at("DEBIAN_FRONTEND") == "noninteractive");
  const Step& archives = plan.graph.step(command.inputs.at(run.mount_inputs.at(0)));
  CHECK(std::holds_alternative<ArrangeDebianAction>(
      std::get<Edit>(archives.operation).actions.at(0)));
}

TEST_CASE("a set whose scripts run on nothing asks for what is essential") {
  PackagesStep wanted = packages({"bash"});
  wanted.run_scripts = true;
  const Recipe recipe = recipe_of({step(wanted, "packages bash")});
  const std::vector<LockedPackage> members = {locked("bash", "amd64")};
  CHECK(unmet(recipe, lock_of(members, {"bash"})).size() == 1);
  CHECK(unmet(recipe, lock_of(members, {"bash"}, "debian: bash +essential")).empty());
}

TEST_CASE("packages become fetches, unpacks and one install") {
  const Recipe recipe = recipe_of({step(packages({"bash"}), "packages bash")});
  const Lock lock =
      lock_of({locked("bash", "amd64"), locked("libc6", "amd64")}, {"bash", "libc6"});
  CHECK(unmet(recipe, lock).empty());
  const BuildPlan plan = lower(recipe, lock, {}, {});
  REQUIRE(plan.graph.steps().size() == 5);
  const Step& install = plan.graph.steps().back();
  const auto& action =
      std::get<InstallDebianAction>(std::get<Edit>(install.operation).actions.at(0));
  CHECK(action.packages == std::vector<std::string>{"bash:amd64=1", "libc6:amd64=1"});
  CHECK(install.inputs.size() == 2);
}

TEST_CASE("a package for all architectures is one work for all platforms") {
  const Recipe recipe =
      recipe_of({step(packages({"tzdata"}), "packages tzdata")}, {k_amd64, k_arm64});
  Lock lock = lock_of({locked("tzdata", "all")}, {"tzdata"}, "debian: tzdata");
  lock.sets.push_back({"web/0/linux/arm64", "debian: tzdata", {"tzdata"}});
  const BuildPlan plan = lower(recipe, lock, {}, {});
  CHECK(plan.graph.steps().size() == 4);  // fetch, unpack, two installs
}

TEST_CASE("steps that look below get the changes below") {
  const Recipe recipe =
      recipe_of({step(DirStep{"/a", {}, 0755}, "dir /a"),
                 step(RemoveStep{{"/a/*"}}, "remove /a/*"), step(UsersStep{}, "users")});
  const BuildPlan plan = lower(recipe, Lock{}, {}, {});
  CHECK(plan.graph.step(1).below == 1);
  CHECK(plan.graph.step(2).below == 2);
  CHECK(plan.graph.step(2).inputs == std::vector<StepIndex>{0, 1});
}

TEST_CASE("consecutive steps with one layer name share a layer") {
  const auto dir = [](const char* path, const char* layer) {
    return step(DirStep{path, {}, 0755}, std::string("dir ") + path, layer);
  };
  Recipe recipe = recipe_of(
      {dir("/a", "x"), dir("/b", "x"), dir("/c", ""), dir("/d", ""), dir("/e", "x")});
  const BuildPlan plan = lower(recipe, Lock{}, {}, {});
  const auto& layers = plan.images[0].variants[0].layers;
  REQUIRE(layers.size() == 4);
  CHECK(layers[0].history == "dir /a; dir /b");
  recipe.images[0].layering.strategy = Layering::Strategy::single;
  CHECK(lower(recipe, Lock{}, {}, {}).images[0].variants[0].layers.size() == 1);
}

TEST_CASE("an image upon an image has its layers and then its own") {
  Recipe recipe = recipe_of({step(packages({"bash"}), "packages bash")});
  ImageRecipe upper;
  upper.name = upper.lock_name = "upper";
  upper.variants.push_back({k_amd64,
                            {From::Kind::image, "web", {}},
                            {step(packages({"dash"}), "packages dash"),
                             step(DirStep{"/x", {}, 0755}, "dir /x")},
                            {},
                            {}});
  recipe.images.insert(recipe.images.begin(),
                       upper);  // the order written does not matter
  const Requests requests = requests_of(recipe);
  REQUIRE(requests.sets.size() == 2);
  CHECK(requests.sets[0].key == "web/0/linux/amd64");
  CHECK(requests.sets[1].below == std::vector<std::string>{"web/0/linux/amd64"});

  Lock lock = lock_of({locked("bash", "amd64"), locked("dash", "amd64")}, {"bash"});
  lock.sets.push_back({"upper/0/linux/amd64", "debian: dash", {"dash"}});
  const BuildPlan plan = lower(recipe, lock, {}, {{"upper"}, 0});
  REQUIRE(plan.images.size() == 1);
  CHECK(plan.images[0].variants[0].layers.size() == 3);
  CHECK(plan.images[0].variants[0].config.size() == 2);
}

TEST_CASE("what a lock leaves open is named with its place") {
  const Recipe recipe = recipe_of({step(packages({"bash", "tzdata"}), "packages"),
                                   step(copy("certs", "/c"), "copy . to /c")});
  const auto missing = unmet(recipe, lock_of({locked("bash", "amd64")}, {"bash"}));
  REQUIRE(missing.size() == 2);
  CHECK(missing[0].code() == oci::Errc::stale);
  CHECK(missing[0].id() == "L0210");
  CHECK(missing[0].place().line == 9);
  CHECK(missing[0].label() == "set `web/0/linux/amd64` was locked without this: tzdata");
  CHECK(missing[1].label() == "not in the lock");
  const auto empty = unmet(recipe, Lock{});
  CHECK(empty.size() == 3);  // the encoder too
}

TEST_CASE("a set that names packages the lock lacks is stale") {
  const Recipe recipe = recipe_of({step(packages({"bash"}), "packages bash")});
  const auto missing = unmet(recipe, lock_of({}, {"bash"}));
  REQUIRE(missing.size() == 1);
  CHECK_THROWS_AS(lower(recipe, lock_of({}, {"bash"}), {}, {}), oci::Error);
}

TEST_CASE("what nobody could ask for any more is named") {
  // The second packages step is switched off, and arm64 is not built today.
  const Recipe recipe = recipe_of({step(packages({"bash"}), "packages bash")});
  Lock lock = lock_of({locked("bash", "amd64")}, {"bash"});
  lock.sets.push_back({"web/1/linux/arm64", "debian: bash", {"bash"}});
  lock.urls = {{"https://example.org/c.pem?x=1", 3, oci::Digest::of("abc"), {}}};
  CHECK(unused(recipe, lock).empty());
  lock.sets.push_back({"web/2/linux/amd64", "debian: bash", {"bash"}});
  lock.sets.push_back({"other/0/linux/amd64", "debian: bash", {"bash"}});
  lock.urls.push_back({"https://example.org/gone", 3, oci::Digest::of("abc"), {}});
  lock.images = {{"layout:gone", k_amd64, oci::Digest::of("m"), 1}};
  CHECK(unused(recipe, lock) ==
        std::vector<std::string>{"set web/2/linux/amd64", "set other/0/linux/amd64",
                                 "url https://example.org/gone",
                                 "image layout:gone linux/amd64"});
}

TEST_CASE("a set is known by its packages step's number, whatever stands between") {
  const Recipe recipe = recipe_of({step(DirStep{"/z", {}, 0755}, "dir /z"),
                                   step(packages({"bash"}, 0), "packages bash"),
                                   step(DirStep{"/a", {}, 0755}, "dir /a"),
                                   step(packages({"dash"}, 1), "packages dash")});
  Lock lock = lock_of({locked("bash", "amd64"), locked("dash", "amd64")}, {"bash"});
  lock.sets.push_back({"web/1/linux/amd64", "debian: dash", {"dash"}});
  CHECK(unmet(recipe, lock).empty());
}

TEST_CASE("one url that is copied and unpacked is one request with a tree") {
  const std::string url = "https://example.org/a.tar";
  Recipe recipe =
      recipe_of({step(copy("file", "/f"), "copy"), step(copy("tar", "/t"), "copy")});
  recipe.sources["file"] = {"file", {"lithify.yaml", 3}, UrlSource{url, {}}};
  recipe.sources["tar"] = {
      "tar", {"lithify.yaml", 4}, ArchiveSource{url, 0, "", oci::Digest::of("x")}};
  const Requests requests = requests_of(recipe);
  REQUIRE(requests.urls.size() == 1);
  CHECK(requests.urls[0].archive);
  CHECK(requests.urls[0].declared == oci::Digest::of("x"));
  CHECK(requests.urls[0].sources == std::set<std::string>{"file", "tar"});
  Lock lock = lock_of({}, {});
  lock.urls = {{url, 1, oci::Digest::of("x"), {}}};
  CHECK(unmet(recipe, lock).size() == 1);  // the tree
  lock.urls[0].tree = oci::Digest::of("t");
  CHECK(unmet(recipe, lock).empty());
  CHECK(Lock::parse(lock.str(), "lithify.lock").urls == lock.urls);

  SECTION("what was unpacked must be the tree of the lock") {
    const BuildPlan plan = lower(recipe, lock, {}, {});
    const Step& last = plan.graph.steps().back();
    const auto& unpack = std::get<Edit>(plan.graph.step(last.inputs.at(0)).operation);
    CHECK(std::get<UnpackAction>(unpack.actions.at(0)).tree == oci::Digest::of("t"));
  }
  SECTION("two sources that declare different sha256 contradict each other") {
    std::get<UrlSource>(recipe.sources["file"].kind).sha256 = oci::Digest::of("y");
    try {
      requests_of(recipe);
      FAIL("nothing was thrown");
    } catch (const oci::Error& error) {
      CHECK(error.code() == oci::Errc::bad_input);
      CHECK(error.place().line == 4);
    }
  }
}

TEST_CASE("a local archive is held to the sha256 that is declared for it") {
  Recipe recipe = recipe_of({step(copy("tar", "/t"), "copy")});
  recipe.sources["tar"] = {
      "tar", {}, ArchiveSource{"a.tar", 0, "", oci::Digest::of("x")}};
  const BuildPlan plan = lower(recipe, Lock{}, {}, {});
  const auto& unpack = std::get<Edit>(plan.graph.step(1).operation);
  CHECK(std::get<UnpackAction>(unpack.actions.at(0)).sha256 == oci::Digest::of("x"));
}

TEST_CASE("members of a set are named as shortly as the lock allows") {
  Lock lock;
  lock.packages = {locked("a", "amd64", "1"), locked("a", "amd64", "2"),
                   locked("b", "all"), locked("c", "i386"), locked("c", "amd64")};
  const std::vector<LockedPackage> chosen{lock.packages[1], lock.packages[2],
                                          lock.packages[3], lock.packages[4]};
  const auto names = member_names(chosen, lock, "amd64");
  CHECK(names == std::vector<std::string>{"a=2", "b", "c", "c:i386"});
  const LockedSet set{"k", "r", names};
  CHECK(members(set, lock, "debian", "amd64").size() == 4);
  CHECK(members(set, lock, "debian", "amd64")[0].version == "2");
  const LockedSet vague{"k", "r", {"a"}};
  CHECK_THROWS_AS(members(vague, lock, "debian", "amd64"), oci::Error);
}

TEST_CASE("an image that the file does not have is refused with those it has") {
  try {
    lower(recipe_of({}), Lock{}, {}, {{"wbe"}, 0});
    FAIL("nothing was thrown");
  } catch (const oci::Error& error) {
    CHECK(error.hint() == "the images are: web");
  }
}

TEST_CASE("the whole of a url source is its one file") {
  const Recipe recipe = recipe_of({step(copy("certs", "/c"), "copy . to /c")});
  Lock lock;
  lock.urls = {{"https://example.org/c.pem?x=1", 3, oci::Digest::of("abc"), {}}};
  const BuildPlan plan = lower(recipe, lock, {}, {});
  const auto& edit = std::get<Edit>(plan.graph.step(1).operation);
  CHECK(std::get<CopyAction>(edit.actions[0]).what.paths ==
        std::vector<std::string>{"c.pem"});
}
