#include "builder/cli/epoch.h"

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/cli/git.h"

namespace lithify {

namespace {

// 9999-12-31T23:59:59Z: RFC 3339 has four digits for the year.
constexpr std::int64_t k_last_epoch = 253402300799;

std::int64_t checked(std::int64_t seconds, const std::string& origin) {
  if (seconds >= 0 && seconds <= k_last_epoch) return seconds;
  throw oci::Error(
      oci::Errc::bad_input,
      fmt::format("{} gives the time {}, which no image can have", origin, seconds));
}

}  // namespace

Epoch epoch_of(const EpochRule& rule, const std::string& directory,
               const Environment& environment) {
  if (const auto given = value_of(environment, "SOURCE_DATE_EPOCH")) {
    const auto seconds = whole_number(*given);
    if (!seconds) {
      throw oci::Error(
          oci::Errc::bad_input,
          "SOURCE_DATE_EPOCH is no whole number of seconds: `" + *given + "`");
    }
    return {checked(*seconds, "SOURCE_DATE_EPOCH"), "SOURCE_DATE_EPOCH"};
  }
  if (rule.kind == EpochRule::Kind::fixed) {
    return {checked(rule.seconds, "`epoch`"), "the build file"};
  }
  if (rule.kind == EpochRule::Kind::zero) return {0, "the build file"};
  if (const auto seconds = commit_time(directory)) {
    return {checked(*seconds, "the git commit"), "the git commit"};
  }
  if (rule.kind == EpochRule::Kind::git) {
    throw oci::Error(oci::Errc::not_found,
                     directory + " has no git commit to take the epoch from")
        .add_hint("commit, write another `epoch:`, or set SOURCE_DATE_EPOCH");
  }
  return {.origin = "the default"};
}

}  // namespace lithify
