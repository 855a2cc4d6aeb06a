// Problems: everything there is to say about one build file.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>
#include <string>
#include <vector>

#include "oci/base/error.h"

#include "builder/plan/recipe.h"

namespace lithify {

// An Error about the build file, with its number and place.
oci::Error offence(const char* id, oci::Place place, const std::string& message,
                   const std::string& label = "");

// Thrown when there are so many problems that reading on makes no sense.
class TooManyProblems : public std::exception {
 public:
  const char* what() const noexcept override { return "too many problems"; }
};

class Problems {
 public:
  void error(oci::Error error) { add(Problem::Severity::error, std::move(error)); }
  void warning(oci::Error error) { add(Problem::Severity::warning, std::move(error)); }
  bool any_error() const { return errors_ > 0; }

  // Sorted by place, without repetitions; after 20 errors only their number is told.
  std::vector<Problem> take() &&;

 private:
  void add(Problem::Severity severity, oci::Error error);

  std::vector<Problem> all_;
  std::size_t errors_ = 0;
};

}  // namespace lithify
