#include "builder/resolve/stale_lock.h"

#include <utility>

#include <fmt/format.h>

#include "builder/plan/lock.h"
#include "builder/resolve/codes.h"

namespace lithify {

namespace {

oci::Error out_of_date(const Recipe& recipe, const Place& place, std::string label) {
  return oci::Error(oci::Errc::stale, lock_file_of(recipe.file) + " is out of date")
      .number(code::k_stale_lock)
      .at(place, std::move(label));
}

}  // namespace

std::string as_typed(const char* command, const Recipe& recipe) {
  return recipe.file == k_build_file
             ? fmt::format("lithify {}", command)
             : fmt::format("lithify {} -f {}", command, recipe.file);
}

oci::Error stale_lock(const Recipe& recipe, const Place& place, std::string label) {
  return out_of_date(recipe, place, std::move(label))
      .add_hint(fmt::format("run `{}` and commit the result", as_typed("lock", recipe)));
}

oci::Error outputs_not_locked(const Recipe& recipe, const Place& place,
                              std::string label) {
  return out_of_date(recipe, place, std::move(label))
      .add_hint(fmt::format("run `{}` without --locked once and commit the lock",
                            as_typed("build", recipe)));
}

}  // namespace lithify
