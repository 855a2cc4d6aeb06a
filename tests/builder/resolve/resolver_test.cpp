// resolver: what an old lock answers stays, what is missing is found out.
#include "builder/resolve/resolver.h"

#include "oci/base/error.h"

#include "tests/support/catch.h"
#include "tests/support/signed_archive.h"

using namespace lithify;

namespace {

const ThrowawayKey& key() {
  static const ThrowawayKey k_key;
  return k_key;
}

std::string stanza(const std::string& name, const std::string& version,
                   const std::string& more = "") {
  return "Package: " + name + "\nVersion: " + version +
         "\nArchitecture: amd64\nFilename: pool/" + name + version +
         ".deb\nSize: 3\nSHA256: " + oci::Digest::of(name + version).hex() + "\n" + more +
         "\n";
}

// An image with packages steps, and an archive whose packages move on.
struct Bench {
  SignedArchive archive{key()};
  TemporaryDirectory directory;
  oci::DirectoryStore store{directory.path() / "store"};
  Recipe recipe;
  Lock lock;

  Bench() {
    recipe.directory = directory.path().string();
    recipe.sources["debian"] = {
        "debian", {}, AptSource{archive.base, {"stable"}, {"main"}, {key().keyring()}}};
    ImageRecipe image;
    image.name = "web";
    image.lock_name = "image";
    image.layering.compression = Layering::Compression::none;
    image.variants.push_back({{"linux", "amd64", ""}, {}, {}, {}, {}});
    recipe.images.push_back(std::move(image));
  }

  Bench& ask(std::vector<std::vector<std::string>> steps) {
    auto& image = recipe.images.at(0);
    image.variants[0].steps.clear();
    image.packages_steps = 0;
    for (const auto& names : steps) {
      PackagesStep wanted;
      wanted.number = image.packages_steps++;
      wanted.source = "debian";
      for (const auto& name : names)
        wanted.packages.push_back({name, "", "", {}});
      image.variants[0].steps.push_back({wanted, {}, "", "", "packages"});
    }
    return *this;
  }
  Bench& offer(const std::string& packages) {
    archive.packages = packages;
    archive.publish();
    return *this;
  }
  Bench& copy(const std::string& source, decltype(Source::kind) kind) {
    CopyStep step;
    step.paths = {"."};
    step.source = source;
    step.to = "/" + source;
    recipe.sources[source] = {source, {}, std::move(kind)};
    recipe.images[0].variants[0].steps.push_back({step, {}, "", "", "copy"});
    return *this;
  }

  const Lock& resolve(const Update& update = {}) {
    AptEnvironment apt;
    apt.now = 1764547200;  // 2025-12-01
    oci::SilentReporter silent;
    oci::Activity activity(silent, "resolve");
    lock =
        Resolver({&archive.http, store, apt}).resolve(recipe, lock, update, activity, {});
    lock.normalise();
    return lock;
  }
  // "a1 b2 image/0/linux/amd64:a,b=2"
  std::string told(const Update& update = {}) {
    std::string text;
    for (const LockedPackage& package : resolve(update).packages)
      text += package.name + package.version + " ";
    for (const LockedSet& set : lock.sets) {
      text += set.key + ":";
      for (const auto& name : set.packages)
        text += name + ",";
      text.back() = ' ';
    }
    text.pop_back();
    return text;
  }
};

const std::string k_old = stanza("a", "1") + stanza("b", "1") + stanza("c", "1");
const std::string k_new = stanza("a", "2") + stanza("b", "2") + stanza("c", "2");

}  // namespace

TEST_CASE("a set is kept as long as its request is, and then nothing is asked") {
  Bench bench;
  bench.offer(k_old).ask({{"a"}});
  CHECK(bench.told() == "a1 image/0/linux/amd64:a");
  bench.offer(k_new);
  const std::size_t asked = bench.archive.http.asked.size();
  CHECK(bench.told() == "a1 image/0/linux/amd64:a");
  CHECK(bench.archive.http.asked.size() == asked);
  CHECK(bench.told({true, {}}) == "a2 image/0/linux/amd64:a");
}

TEST_CASE("a set that is solved anew keeps the versions that are still offered") {
  Bench bench;
  bench.offer(k_old).ask({{"a", "b"}}).resolve();
  bench.offer(k_new + stanza("a", "1"));
  CHECK(bench.ask({{"a", "b", "c"}}).told() == "a1 b2 c2 image/0/linux/amd64:a,b,c");
}

TEST_CASE("a packages step put in front of others upgrades nothing") {
  Bench bench;
  bench.offer(k_old).ask({{"a"}, {"b"}}).resolve();
  bench.offer(k_new + k_old);
  CHECK(bench.ask({{"c"}, {"a"}, {"b"}}).told() ==
        "a1 b1 c2 image/0/linux/amd64:c image/1/linux/amd64:a image/2/linux/amd64:b");
}

TEST_CASE("sets that other arguments want stay until all is updated") {
  Bench bench;
  bench.offer(k_old).ask({{"a"}, {"b"}}).resolve();
  bench.ask({{"a"}});
  CHECK(bench.told() == "a1 b1 image/0/linux/amd64:a image/1/linux/amd64:b");
  bench.offer(k_new);
  // Both versions of what moved for one of them are named.
  CHECK(bench.told({false, {"a"}}) ==
        "a2 b1 image/0/linux/amd64:a image/1/linux/amd64:b");
  CHECK(bench.told({true, {}}) == "a2 image/0/linux/amd64:a");
}

TEST_CASE("what stands on a set that lost something is solved anew") {
  Bench bench;
  bench.offer(stanza("a", "1") + stanza("b", "1", "Depends: a (= 1)\n"));
  bench.ask({{"a"}, {"b"}}).resolve();
  bench.offer(stanza("a", "2") + stanza("b", "2", "Depends: a (= 2)\n"));
  CHECK(bench.told({false, {"a"}}) ==
        "a2 b2 image/0/linux/amd64:a image/1/linux/amd64:b");
}

TEST_CASE("an update knows sources, images, packages and urls by name") {
  Bench bench;
  bench.offer(k_old).ask({{"a"}});
  const std::string url = "https://example.org/u";
  bench.archive.http.pages[url] = "old";
  bench.copy("file", UrlSource{url, {}}).resolve();
  bench.archive.http.pages[url] = "new";
  for (const char* name : {"debian", "web", "a", "file", "https://example.org/u"}) {
    INFO(name);
    CHECK_NOTHROW(bench.resolve({false, {name}}));
  }
  CHECK(bench.lock.find_url(url)->sha256 == oci::Digest::of("new"));
  CHECK_THROWS_AS(bench.resolve({false, {"fiel"}}), oci::Error);
}
