// base_image: bases out of layouts and registries, locked and found again.
#include "builder/resolve/base_image.h"

#include <filesystem>

#include "oci/base/error.h"
#include "oci/image/layout.h"
#include "oci/image/manifest_graph.h"

#include "tests/support/borrowed_repository.h"
#include "tests/support/catch.h"
#include "tests/support/memory_repository.h"
#include "tests/support/small_image.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/warnings.h"

using namespace lithify;

namespace {

const oci::Platform k_amd64{"linux", "amd64", ""};
const oci::Platform k_arm64{"linux", "arm64", ""};
const std::string k_name = "x.example/a/b";
const std::string k_ref = k_name + ":1";

// A registry with one repository, a store, and a recipe of an image on `base`.
struct Bench {
  MemoryRepository registry;
  std::vector<std::string> asked;
  std::vector<std::string> opened;
  TemporaryDirectory directory;
  oci::DirectoryStore store{directory.path() / "store"};
  Recipe recipe;
  Lock lock;
  bool offline = false;
  bool unsigned_base = false;
  std::vector<oci::Digest> verified;
  testing::Warnings told;

  explicit Bench(const std::string& ref = k_ref) {
    recipe.directory = directory.path().string();
    recipe.sources["base"] = {"base", {"lithify.yaml", 3, 3, 4}, ImageSource{ref, false}};
    ImageRecipe image;
    image.name = image.lock_name = "web";
    image.layering.compression = Layering::Compression::none;
    recipe.images.push_back(std::move(image));
    build_for({k_amd64});
  }

  void build_for(const std::vector<oci::Platform>& platforms) {
    auto& variants = recipe.images[0].variants;
    variants.clear();
    for (const auto& platform : platforms) {
      const From from{From::Kind::source, "base", {"lithify.yaml", 5, 9, 4}};
      variants.push_back({platform, from, {}, {}, {}});
    }
  }
  World world() {
    OpenRegistry open = [this](const std::string& name) {
      opened.push_back(name);
      return std::make_unique<BorrowedRepository>(registry, &asked);
    };
    VerifyBase verify = [this](const BaseToVerify& base) {
      verified.push_back(base.root);
      if (unsigned_base) throw oci::Error(oci::Errc::untrusted, "nobody signed it");
      return std::vector<LockedVerdict>{
          {"signature", "bundle", oci::Digest::of("key"), base.root}};
    };
    return {nullptr,
            store,
            {},
            offline ? OpenRegistry() : open,
            offline ? VerifyBase() : verify};
  }
  // As `verify: {key: …}` of the source.
  void demand(const std::string& key) {
    ImageVerification how;
    how.demand.keys = {{key, key, {}}};
    how.asked = oci::Digest::of(key).str();
    how.place = {"lithify.yaml", 4, 5, 6};
    std::get<ImageSource>(recipe.sources.at("base").kind).verify = how;
  }
  const Lock& resolve(const Update& update = {}) {
    oci::Activity activity(told, "resolve");
    lock = Resolver(world()).resolve(recipe, lock, update, activity, {});
    lock.normalise();
    return lock;
  }
  BaseManifests manifests() { return base_manifests(recipe, lock, world()); }
  oci::Error refusal(const Update& update = {}) {
    try {
      resolve(update);
    } catch (const oci::Error& error) {
      return error;
    }
    FAIL("nothing was thrown");
    return {oci::Errc::internal, ""};
  }
  void drop(const oci::Digest& digest) {
    std::filesystem::remove(store.root() / "blobs/sha256" / digest.hex());
  }
};

oci::Descriptor put_index(oci::Repository& to, std::vector<oci::Descriptor> manifests) {
  return put_document(to, oci::Index{"", std::move(manifests)}.str(),
                      oci::media_type::k_index);
}

}  // namespace

TEST_CASE("an image of a registry is locked as its index and its manifest") {
  Bench bench;
  const auto index = put_small_index(bench.registry, "one");
  bench.registry.set_tag("1", index);
  bench.build_for({k_amd64, k_arm64});
  const Lock& lock = bench.resolve();
  CHECK(bench.opened.front() == k_name);
  REQUIRE(lock.images.size() == 2);
  CHECK(lock.images[0].ref == k_ref);
  CHECK(lock.images[0].index == index.digest);
  CHECK(lock.images[0].platform == k_amd64);
  CHECK(lock.images[1].platform == k_arm64);
  CHECK(lock.images[0].manifest != lock.images[1].manifest);
  CHECK(unmet(bench.recipe, lock).empty());
  CHECK(unused(bench.recipe, lock).empty());
  CHECK(Lock::parse(lock.str(), "f") == lock);

  SECTION("and later builds ask nobody") {
    CHECK(bench.store.has(index.digest));
    bench.offline = true;
    const auto manifests = bench.manifests();
    CHECK(manifests.size() == 2);
    CHECK(manifests.at(lock.images[0].manifest).blobs.size() == 1);
    CHECK(bench.resolve().images.size() == 2);
  }
  SECTION("no layer is fetched for it") {
    for (const auto& [manifest, layers] : bench.manifests()) {
      CHECK_FALSE(bench.store.has(layers.blobs[0].digest));
      CHECK(bench.registry.has(layers.blobs[0].digest));
    }
  }
}

TEST_CASE("documents that are gone from the store are fetched by their digest") {
  Bench bench;
  bench.registry.set_tag("1", put_small_index(bench.registry, "one"));
  const auto& locked = bench.resolve().images.at(0);
  const auto before = bench.manifests().at(locked.manifest);
  bench.registry.set_tag("1", put_small_image(bench.registry, "two"));
  bench.drop(locked.manifest);
  bench.asked.clear();
  CHECK(bench.manifests().at(locked.manifest).blobs == before.blobs);
  CHECK(bench.asked == std::vector<std::string>{"resolve " + locked.manifest.str(),
                                                "manifest " + locked.manifest.brief()});
  CHECK(bench.store.has(locked.manifest));
  bench.drop(locked.manifest);
  SECTION("not offline") {
    bench.offline = true;
    try {
      bench.manifests();
      FAIL("nothing was thrown");
    } catch (const oci::Error& error) {
      CHECK(error.code() == oci::Errc::unavailable);
      CHECK(error.id() == "L0207");
      CHECK(error.place().line == 5);
    }
  }
  SECTION("nor when the registry has them no more") {
    bench.lock.images[0].manifest = oci::Digest::of("gone");
    try {
      bench.manifests();
      FAIL("nothing was thrown");
    } catch (const oci::Error& error) {
      CHECK(error.id() == "L0208");
      CHECK(error.hint().find("lithify lock --update") != std::string::npos);
    }
  }
}

TEST_CASE("a tag that moves changes nothing until it is updated") {
  Bench bench;
  const auto first = put_small_index(bench.registry, "one");
  const auto second = put_small_index(bench.registry, "two");
  bench.registry.set_tag("1", first);
  const Lock before = bench.resolve();
  bench.registry.set_tag("1", second);
  bench.asked.clear();
  CHECK(bench.resolve() == before);
  CHECK(bench.asked.empty());
  SECTION("not even for another platform") {
    bench.build_for({k_amd64, k_arm64});
    const Lock& lock = bench.resolve();
    REQUIRE(lock.images.size() == 2);
    CHECK(lock.images[0] == before.images[0]);
    CHECK(lock.images[1].index == first.digest);
  }
  SECTION("by all the names it has") {
    for (const char* name : {"base", "x.example/a/b:1", "x.example/a/b"}) {
      bench.lock = before;
      CHECK(bench.resolve({false, {name}}).images.at(0).index == second.digest);
    }
    bench.lock = before;
    CHECK(bench.resolve({true, {}}).images.at(0).index == second.digest);
    CHECK_THROWS_AS(bench.resolve({false, {"bsae"}}), oci::Error);
  }
}

TEST_CASE("a digest selects, whatever tag stands beside it") {
  Bench first;
  const auto index = put_small_index(first.registry, "one");
  Bench bench(k_name + ":1@" + index.digest.str());
  CHECK(bench.refusal().what() ==
        "there is no image x.example/a/b:1@" + index.digest.str());
  put_small_index(bench.registry, "one");
  bench.registry.set_tag("1", put_small_index(bench.registry, "two"));
  CHECK(bench.resolve().images.at(0).index == index.digest);
  CHECK(bench.lock.images[0].ref == k_name + ":1@" + index.digest.str());
}

TEST_CASE("an image without an index must be for the platform") {
  Bench bench;
  const auto image = put_small_image(bench.registry, "one", "arm64");
  bench.registry.set_tag("1", image);
  const oci::Error error = bench.refusal();
  CHECK(error.id() == "L0209");
  CHECK(std::string(error.what()) == k_ref + " is not there for linux/amd64");
  CHECK(error.hint() == "it is there for: linux/arm64");
  CHECK(error.place().line == 5);
  bench.build_for({k_arm64});
  CHECK(bench.resolve().images.at(0).manifest == image.digest);
  CHECK_FALSE(bench.lock.images[0].index.has_value());
}

TEST_CASE("an index with one image for no platform is taken with a warning") {
  Bench bench;
  const auto of = [&](const std::string& architecture) {
    bench.registry.set_tag(
        "1", put_index(bench.registry,
                       {put_small_image(bench.registry, "one", architecture)}));
  };
  of("amd64");
  bench.resolve();
  CHECK(bench.told.all ==
        std::vector<std::string>{k_ref +
                                 " does not say for which platform its only image is"});
  bench.lock = {};
  of("s390x");
  CHECK(bench.refusal().hint() == "it is there for: linux/s390x");
}

TEST_CASE("an index tells what it has, attestations aside") {
  Bench bench;
  auto arm = put_small_image(bench.registry, "one", "arm");
  arm.platform = {"linux", "arm", "v6"};
  auto attestation = arm;
  attestation.platform = {"unknown", "unknown", ""};
  bench.registry.set_tag("1", put_index(bench.registry, {attestation, arm}));
  CHECK(bench.refusal().hint() == "it is there for: linux/arm/v6");
  bench.build_for({{"linux", "arm", "v7"}});
  CHECK(bench.resolve().images.at(0).platform.str() == "linux/arm/v7");
  CHECK(bench.lock.images[0].manifest == arm.digest);
}

TEST_CASE("what is not there or no image is refused with its place") {
  Bench bench;
  const oci::Error missing = bench.refusal();
  CHECK(missing.id() == "L0208");
  CHECK(std::string(missing.what()) == "there is no image " + k_ref);
  CHECK(missing.place().line == 5);
  SECTION("offline") {
    bench.offline = true;
    CHECK(bench.refusal().id() == "L0207");
  }
  SECTION("an index that the tag meant once and that is gone") {
    bench.registry.set_tag("1", put_small_index(bench.registry, "two"));
    bench.lock.images = {
        {k_ref, k_arm64, oci::Digest::of("m"), 1, oci::Digest::of("gone")}};
    CHECK(bench.refusal().hint() == "`lithify lock --update base`");
  }
  SECTION("layers and diff ids that do not agree") {
    const std::string config = oci::ImageConfig{k_amd64, "1980-01-01T00:00:00Z"}.str();
    oci::put(bench.registry, config);
    const oci::Manifest manifest{
        "",
        "",
        oci::describe(config, oci::media_type::k_config),
        {{std::string(oci::media_type::k_layer), oci::Digest::of("l"), 1}}};
    bench.registry.set_tag(
        "1", put_document(bench.registry, manifest.str(), oci::media_type::k_manifest));
    CHECK(bench.refusal().code() == oci::Errc::bad_input);
  }
}

TEST_CASE("docker's schema 2 is as good") {
  Bench bench;
  const auto image = put_small_image(bench.registry, "one");
  auto manifest = oci::Manifest::parse(bench.registry.manifest(image), "test");
  manifest.media_type = oci::media_type::k_docker_manifest;
  manifest.config.media_type = oci::media_type::k_docker_config;
  bench.registry.set_tag("1", put_document(bench.registry, manifest.str(),
                                           oci::media_type::k_docker_manifest));
  const auto& locked = bench.resolve().images.at(0);
  CHECK(bench.manifests().at(locked.manifest).blobs.size() == 1);
  bench.drop(locked.manifest);
  CHECK(bench.manifests().at(locked.manifest).blobs.size() == 1);
}

TEST_CASE("layouts choose as registries do") {
  Bench bench;
  bench.recipe.sources["base"].kind = LayoutSource{"layout", ""};
  auto layout = oci::create_layout(bench.directory.path() / "layout");
  auto arm = put_small_image(*layout, "one", "arm");
  arm.platform = {"linux", "arm", "v6"};
  layout->set_tag("x", put_index(*layout, {arm}));
  CHECK(bench.refusal().hint() == "it is there for: linux/arm/v6");
  bench.build_for({{"linux", "arm", "v7"}});
  CHECK(bench.resolve().images.at(0).manifest == arm.digest);
  CHECK_FALSE(bench.lock.images[0].index.has_value());
  CHECK_FALSE(bench.store.has(arm.digest));
  CHECK(bench.manifests().size() == 1);
}

TEST_CASE("a source for the builder's platform is locked for that alone") {
  Bench bench;
  auto image = put_small_image(bench.registry, "one", oci::Platform::host().architecture);
  image.platform = oci::Platform::host();
  bench.registry.set_tag("1", put_index(bench.registry, {image}));
  bench.recipe.sources["base"].kind = ImageSource{k_ref, true};
  auto& variant = bench.recipe.images[0].variants[0];
  variant.platform = {"linux", "mips64le", ""};
  variant.from = {};
  CopyStep copy;
  copy.paths = {"one"};
  copy.source = "base";
  copy.to = "/one";
  variant.steps.push_back({copy, {}, "", "", "copy"});
  CHECK(bench.resolve().images.at(0).platform == oci::Platform::host());
  const BuildPlan plan = lower(bench.recipe, bench.lock, bench.manifests(), {});
  REQUIRE(plan.graph.steps().size() == 3);
  const auto& fetch = std::get<Fetch>(plan.graph.step(0).operation);
  CHECK(fetch.location == "image:" + k_name);
  CHECK(plan.graph.step(0).platform == oci::Platform::host());
  CHECK(plan.graph.step(2).platform == variant.platform);
}

TEST_CASE("layers of a base are fetched for a step that reads it, and only then") {
  Bench bench;
  bench.registry.set_tag("1", put_small_index(bench.registry, "one"));
  auto& variant = bench.recipe.images[0].variants[0];
  variant.steps.push_back({DirStep{"/a", {}, 0755}, {}, "", "", "dir /a"});
  bench.resolve();
  const auto fetches = [&] {
    std::vector<std::string> locations;
    const BuildPlan plan = lower(bench.recipe, bench.lock, bench.manifests(), {});
    CHECK(plan.images[0].variants[0].base->location == "image:" + k_name);
    for (const Step& step : plan.graph.steps()) {
      if (const auto* fetch = std::get_if<Fetch>(&step.operation))
        locations.push_back(fetch->location);
    }
    return locations;
  };
  CHECK(fetches().empty());
  const auto reads =
      GENERATE(as<Verb>(), RemoveStep{{"/one"}}, AttrsStep{{"/one"}, {}, 0600, {}, {}},
               UsersStep{}, GroupsStep{});
  variant.steps.push_back({reads, {}, "", "", "reads"});
  CHECK(fetches() == std::vector<std::string>{"image:" + k_name});
}

TEST_CASE("what is pushed where comes through to the plan") {
  Recipe recipe = Bench().recipe;
  recipe.images[0].variants.clear();
  recipe.images[0].push = {{k_name, {{"1", true, {}}, {"latest", false, {}}}, {}}};
  const BuildPlan plan = lower(recipe, Lock{}, {}, {});
  REQUIRE(plan.images.at(0).push.size() == 1);
  CHECK(plan.images[0].push[0].repository == k_name);
  CHECK(plan.images[0].push[0].tags.at(0).once);
  CHECK_FALSE(plan.images[0].push[0].tags.at(1).once);
}

TEST_CASE("a base is verified while it is locked, and its verdict kept") {
  Bench bench;
  const auto index = put_small_index(bench.registry, "one");
  bench.registry.set_tag("1", index);
  bench.build_for({k_amd64, k_arm64});
  bench.demand("a.pub");
  const Lock lock = bench.resolve();
  CHECK(bench.verified == std::vector<oci::Digest>{index.digest});  // not once a platform
  for (const LockedImage& image : lock.images) {
    REQUIRE(image.verdicts.size() == 1);
    CHECK(image.verdicts[0].subject == index.digest);
  }
  CHECK(unmet(bench.recipe, lock).empty());
  CHECK(Lock::parse(lock.str(), "f") == lock);

  SECTION("and a locked one is believed without a network") {
    bench.offline = true;
    CHECK(bench.resolve() == lock);
    CHECK(bench.verified.size() == 1);
  }
  SECTION("another demand is another question, about the same image") {
    bench.demand("b.pub");
    CHECK(unmet(bench.recipe, lock).size() == 2);
    CHECK(unmet(bench.recipe, lock)[0].label() ==
          "locked for other signatures than these");
    bench.registry.set_tag("1", put_small_index(bench.registry, "two"));
    bench.resolve();
    CHECK(bench.verified.back() == index.digest);
    CHECK(unmet(bench.recipe, bench.lock).empty());
  }
  SECTION("a demand that is new is not answered by silence") {
    for (LockedImage& image : bench.lock.images) {
      image.asked.reset();
      image.verdicts.clear();
    }
    CHECK(unmet(bench.recipe, bench.lock)[0].label() ==
          "locked without looking at its signatures");
    bench.offline = true;
    const oci::Error error = bench.refusal();
    CHECK(error.code() == oci::Errc::unavailable);
    CHECK(error.place().line == 4);
  }
  SECTION("a base that moves is verified again") {
    const auto moved = put_small_index(bench.registry, "two");
    bench.registry.set_tag("1", moved);
    bench.unsigned_base = true;
    CHECK(bench.refusal({true, {}}).code() == oci::Errc::untrusted);
    bench.unsigned_base = false;
    bench.resolve({true, {}});
    CHECK(bench.verified.back() == moved.digest);
  }
}
