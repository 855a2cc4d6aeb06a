// import: local sources with the modes that the build file asks for.
#include "builder/run/import.h"

#include <fstream>
#include <sys/stat.h>

#include "oci/base/error.h"
#include "oci/store/memory_store.h"

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/trees.h"

using namespace lithify;

namespace {

struct Bench {
  TemporaryDirectory directory;
  std::filesystem::path root = directory.path() / "root";
  CacheDatabase database{directory.path() / "cache.sqlite"};
  oci::WorkerPool workers{1};
  oci::MemoryStore store;
  GitModes modes;
  std::string asked;  // the directory that git was asked about

  Bench() { std::filesystem::create_directories(root); }
  void write(const std::string& path, const std::string& text, unsigned mode) {
    std::ofstream(root / path) << text;
    ::chmod((root / path).c_str(), mode);
  }
  Tree import(LocalSource::Modes of, const std::string& path = "") {
    StatCache stats(database);
    oci::SilentReporter silent;
    oci::Activity activity(silent, "import");
    const GitIndex index = [this](const std::string& about) {
      asked = about;
      return modes;
    };
    const Import what{path.empty() ? root.string() : (root / path).string(), {}, {}, of};
    return perform_import(what, {{stats, workers, activity}, store, index, 0});
  }
};

}  // namespace

TEST_CASE("git's index says what is executable and what is a symlink") {
  Bench bench;
  bench.write("on", "x", 0644);
  bench.write("off", "x", 0755);
  bench.write("new", "x", 0755);
  bench.write("link", "on", 0644);
  bench.modes = {{"on", GitMode::executable},
                 {"off", GitMode::plain},
                 {"link", GitMode::symlink},
                 {"deleted", GitMode::plain}};
  const Tree tree = bench.import(LocalSource::Modes::git);
  CHECK(testing::shape_of(tree) == "d \nl link=on\nf new\nf off\nf on\n");
  CHECK(tree.find("on")->attributes.mode == 0755);
  CHECK(tree.find("off")->attributes.mode == 0644);
  CHECK(tree.find("new")->attributes.mode == 0755);
  CHECK(tree.find("link")->attributes.mode == 0777);
  CHECK(bench.asked == bench.root.string());
}

TEST_CASE("of a source that is one file git is asked about its directory") {
  Bench bench;
  bench.write("on", "x", 0644);
  bench.modes = {{"on", GitMode::executable}};
  CHECK(bench.import(LocalSource::Modes::git, "on").find("on")->attributes.mode == 0755);
  CHECK(bench.asked == bench.root.string());
}

TEST_CASE("git is asked only for its own modes") {
  Bench bench;
  bench.write("f", "x", 0640);
  bench.modes = {{"f", GitMode::executable}};
  CHECK(bench.import(LocalSource::Modes::fixed).find("f")->attributes.mode == 0644);
  CHECK(bench.import(LocalSource::Modes::keep).find("f")->attributes.mode == 0640);
  CHECK(bench.asked.empty());
}

TEST_CASE("a symlink for git that holds no target is refused") {
  Bench bench;
  bench.write("link", "", 0644);
  bench.modes = {{"link", GitMode::symlink}};
  CHECK_THROWS_AS(bench.import(LocalSource::Modes::git), oci::Error);
}
