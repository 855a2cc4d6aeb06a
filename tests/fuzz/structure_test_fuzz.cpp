// structure_test: any text is tests or has an error with a place.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "builder/frontend/read_tests.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  lithify::Problems problems;
  try {
    for (const auto& test : lithify::read_structure_test("cst.yaml", text, problems)) {
      if (test.name.empty() && !problems.any_error()) std::abort();
    }
  } catch (const lithify::TooManyProblems&) {
    return 0;
  }
  for (const lithify::Problem& problem : std::move(problems).take()) {
    if (problem.error.place().file != "cst.yaml") std::abort();
  }
  return 0;
}
