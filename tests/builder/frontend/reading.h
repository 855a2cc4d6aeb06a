// reading: a build file in a test, and what is wrong with it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "builder/frontend/lithify_file.h"

#include "tests/support/catch.h"

namespace lithify {

inline Reading read_text(const std::string& text, FrontendOptions options = {}) {
  if (options.platforms.empty() && text.find("platforms:") == std::string::npos)
    options.platforms = {{"linux", "amd64", ""}};
  return read_lithify_file("lithify.yaml", "/home/me/My Project", text, options);
}

// "L0021 4:5+10 message", one line a problem, without warnings.
inline std::string errors_in(const std::string& text, FrontendOptions options = {}) {
  std::string lines;
  for (const Problem& problem : read_text(text, std::move(options)).problems) {
    if (problem.severity == Problem::Severity::warning) continue;
    const oci::Place& place = problem.error.place();
    lines += problem.error.id() + " " + std::to_string(place.line) + ":" +
             std::to_string(place.column) + "+" + std::to_string(place.length) + " " +
             problem.error.what() + "\n";
  }
  return lines;
}

inline Recipe recipe_of(const std::string& text, FrontendOptions options = {}) {
  INFO(errors_in(text, options));
  Reading reading = read_text(text, std::move(options));
  REQUIRE(reading.recipe.has_value());
  return std::move(*reading.recipe);
}

// The first variant of the first image of a file with these steps.
inline ImageVariant variant_with(const std::string& steps) {
  return recipe_of(
             "lithify: 1\nsources:\n  src: {local: .}\n  deb: {apt: {suites: [s]}}\n"
             "image:\n  from: scratch\n  steps:\n" +
             steps)
      .images.at(0)
      .variants.at(0);
}

template <class Step>
Step step_of(const std::string& step) {
  return std::get<Step>(variant_with("    - " + step + "\n").steps.at(0).verb);
}

}  // namespace lithify
