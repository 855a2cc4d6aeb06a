#include "builder/cli/local_sources.h"

#include "builder/plan/glob.h"

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

namespace lithify {
namespace {

namespace fs = std::filesystem;

Recipe recipe_in(const fs::path& directory, const std::string& local) {
  Recipe recipe;
  recipe.directory = directory.string();
  recipe.sources["here"] = {
      "here", {"lithify.yaml", 4, 3, 4}, LocalSource{local, {}, {}}};
  CopyStep copy;
  copy.source = "here";
  ImageVariant variant;
  variant.steps.push_back({copy, {}, "", "", "copy"});
  ImageRecipe image;
  image.name = "app";
  image.variants = {variant};
  recipe.images = {image};
  return recipe;
}

PathFilter filter_of(const Recipe& recipe) {
  const auto& local = std::get<LocalSource>(recipe.sources.at("here").kind);
  return {local.include, local.exclude};
}

TEST_CASE("results in a local source are left out of it, and nothing else is") {
  const TemporaryDirectory place;
  fs::create_directories(place.path() / "src/a/b");
  Recipe recipe = recipe_in(place.path(), "src");
  leave_out(recipe, {place.path() / "src/out*[1]?.tar", place.path() / "src/a/layout",
                     place.path() / "other", place.path() / "src", place.path()});
  const PathFilter filter = filter_of(recipe);
  CHECK_FALSE(filter.takes("out*[1]?.tar"));
  CHECK(filter.takes("out-1-.tar"));
  CHECK_FALSE(filter.takes("a/layout/index.json"));
  CHECK(filter.takes("a/b"));
  CHECK(filter.takes("other"));
}

TEST_CASE("directories for results alone are left out, there or not") {
  const TemporaryDirectory place;
  const auto filter = [&] {
    Recipe recipe = recipe_in(place.path(), ".");
    leave_out(recipe, {place.path() / "r/a/one", place.path() / "r/b/two"});
    return filter_of(recipe);
  };
  CHECK_FALSE(filter().takes("r"));
  fs::create_directories(place.path() / "r/a/one");
  fs::create_directories(place.path() / "r/b/two");
  CHECK_FALSE(filter().takes("r"));
  fs::create_directories(place.path() / "r/b/mine");
  CHECK(filter().takes("r"));
  CHECK(filter().takes("r/b/mine"));
  CHECK_FALSE(filter().takes("r/a"));
}

TEST_CASE("a source behind a symlink is the directory it points to") {
  const TemporaryDirectory place;
  fs::create_directory(place.path() / "real");
  fs::create_directory_symlink("real", place.path() / "link");
  Recipe recipe = recipe_in(place.path(), "link");
  leave_out(recipe, {place.path() / "real/out"});
  CHECK_FALSE(filter_of(recipe).takes("out"));
}

TEST_CASE("sources that an image needs and that are missing are told with their place") {
  const TemporaryDirectory place;
  const Recipe recipe = recipe_in(place.path(), "gone");
  const auto missing = missing_sources(recipe, {"app"});
  REQUIRE(missing.size() == 1);
  CHECK(missing[0].code() == oci::Errc::not_found);
  CHECK(missing[0].place().line == 4);
  CHECK(missing_sources(recipe, {"another"}).empty());
  fs::create_directory(place.path() / "gone");
  CHECK(missing_sources(recipe, {}).empty());
}

TEST_CASE("a source that is put elsewhere is read there") {
  const TemporaryDirectory place;
  Recipe recipe = recipe_in(place.path(), "../gone");
  put_in_place(recipe, {{"here", place.path() / "x/../there"}}, place.path());
  CHECK(std::get<LocalSource>(recipe.sources.at("here").kind).path ==
        (place.path() / "there").string());
}

TEST_CASE("a confined build file reads nothing beside its directory") {
  const TemporaryDirectory place;
  fs::create_directories(place.path() / "in/src");
  fs::create_directories(place.path() / "out");
  fs::create_directory_symlink(place.path() / "out", place.path() / "in/link");
  fs::create_directory_symlink(place.path() / "in/src", place.path() / "in/fine");
  const auto confine = [&](const std::string& local) {
    Recipe recipe = recipe_in(place.path() / "in", local);
    put_in_place(recipe, {}, place.path() / "in");
  };
  for (const char* inside : {".", "src", "fine", "src/../src", "not/there"})
    CHECK_NOTHROW(confine(inside));
  for (const std::string& outside :
       {std::string("../out"), std::string(".."), std::string("/etc"),
        std::string("link"), (place.path() / "out").string()}) {
    INFO(outside);
    CHECK_THROWS_AS(confine(outside), oci::Error);
  }
  Recipe free = recipe_in(place.path() / "in", "../out");
  CHECK_NOTHROW(put_in_place(free, {}, {}));
}

}  // namespace
}  // namespace lithify
