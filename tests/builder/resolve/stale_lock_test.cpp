// The texts themselves are in golden files; here is what depends on the build file's
// name.
#include "builder/resolve/stale_lock.h"

#include "tests/support/catch.h"

namespace {

using lithify::Recipe;

Recipe recipe_of(const char* file) {
  Recipe recipe;
  recipe.file = file;
  return recipe;
}

TEST_CASE("a stale lock is named as it is beside its build file") {
  const auto usual = lithify::stale_lock(recipe_of("lithify.yaml"), {}, "");
  CHECK(std::string(usual.what()) == "lithify.lock is out of date");
  CHECK(usual.hint() == "run `lithify lock` and commit the result");

  const auto other = lithify::stale_lock(recipe_of("images/web.yaml"), {}, "");
  CHECK(std::string(other.what()) == "images/web.lock is out of date");
  CHECK(other.hint() == "run `lithify lock -f images/web.yaml` and commit the result");
}

TEST_CASE("outputs that are not locked need a build") {
  const auto error = lithify::outputs_not_locked(recipe_of("web.yaml"), {}, "web/0/x");
  CHECK(error.hint() ==
        "run `lithify build -f web.yaml` without --locked once and commit the lock");
}

}  // namespace
