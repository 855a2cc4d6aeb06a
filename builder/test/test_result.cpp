#include "builder/test/test_result.h"

#include <fmt/format.h>

namespace lithify {

std::string str(const TestFinding& finding) {
  return fmt::format("{}: expected {}, found {}", finding.subject, finding.expected,
                     finding.found);
}

bool stops_push(const TestResult& result) {
  using Outcome = TestResult::Outcome;
  return result.outcome == Outcome::failed ||
         (result.outcome == Outcome::skipped && result.waiver.empty());
}

TestResult skipped(const TestRecipe& test, std::string reason, std::string cure) {
  TestResult result;
  result.name = test.name;
  result.place = test.place;
  result.outcome = TestResult::Outcome::skipped;
  result.reason = std::move(reason);
  result.cure = std::move(cure);
  result.waiver = test.waiver;
  return result;
}

}  // namespace lithify
