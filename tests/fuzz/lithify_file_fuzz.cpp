// lithify_file: any text is a recipe or has an error with a place.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "builder/frontend/lithify_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  lithify::FrontendOptions options;
  options.git["commit"] = "0123456789abcdef";
  options.epoch = [](const lithify::EpochRule&) { return 1; };
  options.read_file = [](const std::string&) {
    return std::optional<std::string>("schemaVersion: 2.0.0\n");
  };
  const lithify::Reading reading =
      lithify::read_lithify_file("lithify.yaml", "/project", text, options);
  bool error = false;
  for (const lithify::Problem& problem : reading.problems)
    error = error || problem.severity == lithify::Problem::Severity::error;
  if (error == reading.recipe.has_value()) std::abort();
  return 0;
}
