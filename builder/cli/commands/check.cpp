// lithify check: what is wrong with build files.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "builder/cli/commands/commands.h"
#include "builder/cli/local_sources.h"
#include "builder/cli/workspace.h"
#include "builder/resolve/requests.h"
#include "builder/tell/error_document.h"

namespace lithify {

namespace {

// Reads one file as a build would, and looks for what it takes from the disk.
Reading checked(Session& session, const std::string& file) {
  Reading reading = read_build_file(session, file, wanted_platforms(session.options()));
  if (!reading.recipe) return reading;
  for (oci::Error& error : missing_sources(*reading.recipe, {}))
    reading.problems.push_back({Problem::Severity::error, std::move(error)});
  try {
    requests_of(*reading.recipe);  // refuses sources that contradict each other
  } catch (oci::Error& error) {
    reading.problems.push_back({Problem::Severity::error, std::move(error)});
  }
  return reading;
}

bool is_good(const Reading& reading) {
  for (const Problem& problem : reading.problems) {
    if (problem.severity == Problem::Severity::error) return false;
  }
  return true;
}

nlohmann::json document_of(const std::string& file, const Reading& reading) {
  nlohmann::json problems = nlohmann::json::array();
  for (const Problem& problem : reading.problems) {
    nlohmann::json entry = described(problem.error);
    entry["severity"] =
        problem.severity == Problem::Severity::error ? "error" : "warning";
    problems.push_back(std::move(entry));
  }
  nlohmann::json images = nlohmann::json::array();
  if (reading.recipe) {
    for (const ImageRecipe& image : reading.recipe->images)
      images.push_back(image.name);
  }
  return {{"file", file},
          {"good", is_good(reading)},
          {"images", images},
          {"problems", problems}};
}

}  // namespace

int run_check(Session& session) {
  std::vector<std::string> files = session.options().operands;
  if (files.empty()) files.push_back(session.options().file);
  nlohmann::json document = {{"schema", "lithify.check/1"},
                             {"files", nlohmann::json::array()}};
  bool good = true;
  for (const std::string& file : files) {
    const Reading reading = checked(session, file);
    tell_problems(session, reading.problems);
    document["files"].push_back(document_of(file, reading));
    good = good && is_good(reading);
    if (is_good(reading) && session.wants_summary()) {
      const std::size_t images = reading.recipe->images.size();
      session.tell(fmt::format("{} is good: {} {}\n", file, images,
                               images == 1 ? "image" : "images"));
    }
  }
  if (session.options().json) session.print(json_line(document));
  return good ? exits::k_ok : exits::k_usage;
}

}  // namespace lithify
