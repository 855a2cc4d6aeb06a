// forecast: which steps of a graph would run, found out without running them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "builder/cli/wiring.h"
#include "builder/plan/graph.h"

namespace lithify {

struct StepForecast {
  enum class State {
    cached,    // remembered, or done before on the same files
    runs,      // would be performed
    read,      // files of the user's, of which some are new
    here,      // a download that the store has
    download,  // one that it has not
    unneeded,  // one that it has not, and that nothing wants
  };
  State state = State::runs;
  std::string label;
  std::optional<oci::Digest> digest;  // of a download
  std::uint64_t size = 0;             // of a download
};

struct Forecast {
  std::vector<StepForecast> steps;   // in the order of the graph
  std::vector<std::string> scripts;  // "udev (addgroup)": of packages that are unpacked
};

// Reads the user's files, because their content decides what is remembered; performs
// nothing else.
Forecast foresee(Session& session, const Graph& graph, Workshop& workshop);

}  // namespace lithify
