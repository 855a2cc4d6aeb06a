// checkout: a commit is named only if it is what was read, and fetched only from where it
// is safe to.
#include "builder/cli/checkout.h"

#include <fstream>

#include "oci/base/error.h"

#include "builder/cli/program.h"

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

namespace lithify {
namespace {

namespace fs = std::filesystem;

void git(const fs::path& directory, std::vector<std::string> words) {
  words.insert(words.begin(), {"git", "-C", directory.string(), "-c", "user.name=x", "-c",
                               "user.email=x@example.org"});
  REQUIRE(run_program(words).exit == 0);
}

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

// A repository with a project in images/, cloned from a remote.
struct Project {
  TemporaryDirectory place;
  fs::path top = place.path() / "shop";
  Recipe recipe;

  Project() {
    write(top / "images/site/a", "a\n");
    write(top / "images/other", "b\n");
    write(top / ".gitignore", "*.tmp\n");
    git(place.path(), {"init", "-q", top.string()});
    git(top, {"add", "."});
    git(top, {"commit", "-qm", "all"});
    git(top, {"remote", "add", "origin", "https://example.org/shop.git"});
    recipe.directory = (top / "images").string();
    recipe.sources["site"] = {"site", {}, LocalSource{"site", {}, {"left-out"}}};
  }
};

}  // namespace

TEST_CASE("a checkout in which nothing that is read was changed is named") {
  Project project;
  const auto found = clean_checkout(project.recipe);
  REQUIRE(found);
  CHECK(found->remote == "https://example.org/shop.git");
  CHECK(found->commit.size() == 40);
  CHECK(found->directory == "images");
  // What no source takes may be as it likes.
  write(project.top / "images/other", "changed\n");
  write(project.top / "images/site/left-out", "new\n");
  CHECK(clean_checkout(project.recipe) == found);
}

TEST_CASE("a checkout with a changed, new, ignored or missing file is not named") {
  Project project;
  const fs::path site = project.top / "images/site";
  SECTION("changed") {
    write(site / "a", "other\n");
  }
  SECTION("new") {
    write(site / "new", "x\n");
  }
  SECTION("ignored") {
    write(site / "x.tmp", "x\n");
  }
  SECTION("missing") {
    fs::remove(site / "a");
  }
  SECTION("a source outside") {
    project.recipe.sources["out"] = {"out", {}, LocalSource{"../..", {}, {}}};
  }
  SECTION("no remote") {
    git(project.top, {"remote", "remove", "origin"});
  }
  SECTION("a remote that is a path of this machine") {
    git(project.top, {"remote", "set-url", "origin", "/srv/shop.git"});
  }
  CHECK_FALSE(clean_checkout(project.recipe));
}

TEST_CASE("git's short addresses become URLs") {
  Project project;
  git(project.top, {"remote", "set-url", "origin", "git@example.org:team/shop.git"});
  CHECK(clean_checkout(project.recipe)->remote == "ssh://git@example.org/team/shop.git");
}

TEST_CASE("a commit is fetched, and others' addresses are not followed") {
  Project project;
  Provenance::Checkout checkout = *clean_checkout(project.recipe);
  checkout.remote = "file://" + project.top.string();
  const fs::path to = project.place.path() / "to";
  CHECK_THROWS_AS(fetch_checkout(checkout, to, false), oci::Error);
  CHECK(fetch_checkout(checkout, to, true) == to / "images");
  CHECK(fs::exists(to / "images/site/a"));
  for (const char* remote : {"ext::sh -c x", "-u/x", "/etc", "fd::3", ""}) {
    checkout.remote = remote;
    CHECK_THROWS_AS(fetch_checkout(checkout, project.place.path() / "no", true),
                    oci::Error);
  }
}

}  // namespace lithify
