// lithify plan: what a build would do.
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/json.h"
#include "oci/image/manifest.h"

#include "builder/cli/attesting.h"
#include "builder/cli/commands/commands.h"
#include "builder/cli/forecast.h"
#include "builder/cli/prepare.h"
#include "builder/resolve/requests.h"
#include "builder/tell/text.h"

namespace lithify {

namespace {

const char* word_of(StepForecast::State state) {
  switch (state) {
    case StepForecast::State::cached:
      return "cached";
    case StepForecast::State::runs:
      return "runs";
    case StepForecast::State::read:
      return "read";
    case StepForecast::State::here:
      return "here";
    case StepForecast::State::download:
      return "download";
    case StepForecast::State::unneeded:
      return "unneeded";
  }
  return "";
}

std::uint64_t download_size(const std::vector<StepForecast>& steps) {
  std::set<oci::Digest> seen;
  std::uint64_t bytes = 0;
  for (const StepForecast& step : steps) {
    const bool counts = step.state == StepForecast::State::download;
    if (counts && seen.insert(*step.digest).second) bytes += step.size;
  }
  return bytes;
}

// What the settings are and who said so.
std::vector<std::pair<std::string, std::string>> settings(Session& session,
                                                          const Prepared& prepared) {
  const Options& options = session.options();
  std::vector<std::pair<std::string, std::string>> all;
  all.emplace_back("build file", options.file);
  all.emplace_back("lock", prepared.workspace.lock_file.string() +
                               (prepared.lock_is_new ? " (would be written)" : ""));
  all.emplace_back("epoch",
                   fmt::format("{} from {}", oci::rfc3339(prepared.epoch.seconds),
                               prepared.epoch.origin));
  all.emplace_back("store", session.store_path().string());
  if (!options.cache_from.empty()) {
    all.emplace_back("cache from", fmt::format("{}", fmt::join(options.cache_from, " ")));
  }
  if (!options.cache_to.empty()) all.emplace_back("cache to", options.cache_to);
  for (const Argument& argument : prepared.workspace.recipe.arguments) {
    all.emplace_back("args." + argument.name,
                     fmt::format("{} from {}", visible(argument.value), argument.origin));
  }
  return all;
}

std::string step_lines(const std::vector<StepForecast>& steps, bool all) {
  std::string text;
  std::size_t quiet = 0;
  for (const StepForecast& step : steps) {
    const bool news = step.state == StepForecast::State::runs ||
                      step.state == StepForecast::State::read ||
                      step.state == StepForecast::State::download;
    if (!news && !all) {
      ++quiet;
      continue;
    }
    const std::string size =
        step.state == StepForecast::State::download ? "  " + human_size(step.size) : "";
    text += fmt::format("  {:<9} {}{}\n", word_of(step.state), visible(step.label), size);
  }
  if (quiet > 0) text += fmt::format("  and {} from cache (-v lists them)\n", quiet);
  return text;
}

std::vector<std::string_view> claims_of(const SignRule& rule) {
  std::vector<std::string_view> names;
  for (const SignRule::Claim claim : rule.attest)
    names.push_back(name_of(claim));
  return names;
}

std::string sign_line(const SignRule& rule) {
  std::string text = fmt::format("  {}", fmt::join(rule.keys, " and "));
  if (!rule.attest.empty())
    text += fmt::format("  attests {}", fmt::join(claims_of(rule), " and "));
  return visible(text) + "\n";
}

std::string sign_lines(const std::vector<ImagePlan>& images) {
  std::string text;
  for (const ImagePlan& image : images) {
    if (image.sign) text += "  " + image.name + sign_line(*image.sign);
  }
  return text.empty() ? "" : "signs what is pushed with\n" + text;
}

// Where a push would go. What is there now is for `push --dry-run` to ask.
std::string push_lines(const std::vector<ImagePlan>& images) {
  std::string text;
  for (const ImagePlan& image : images) {
    for (const PushTarget& target : image.push) {
      text += fmt::format("  {}", target.repository);
      for (const TagRule& tag : target.tags)
        text += fmt::format("  {} {}", tag.name, tag.once ? "once" : "move");
      text += target.tags.empty() ? "  by digest\n" : "\n";
    }
  }
  return text.empty() ? "" : "pushes, when asked to\n" + text;
}

// "  build linux/arm64 on linux/amd64": where the two differ.
std::string stage_lines(const std::vector<StagePlan>& stages) {
  std::string text;
  for (const StagePlan& stage : stages) {
    text += fmt::format("  {} {}", stage.name, stage.platform.str());
    text += stage.runs_on == stage.platform
                ? "\n"
                : fmt::format(" on {}\n", stage.runs_on.str());
  }
  return text.empty() ? "" : "stages\n" + text;
}

nlohmann::json push_documents(const ImagePlan& image) {
  nlohmann::json pushes = nlohmann::json::array();
  for (const PushTarget& target : image.push) {
    nlohmann::json tags = nlohmann::json::object();
    for (const TagRule& tag : target.tags)
      tags[tag.name] = tag.once ? "once" : "move";
    pushes.push_back({{"repository", target.repository}, {"tags", tags}});
  }
  return pushes;
}

void print_text(Session& session, const Prepared& prepared, const Forecast& forecast) {
  std::string text = "settings\n";
  for (const auto& [name, value] : settings(session, prepared))
    text += fmt::format("  {:<12}{}\n", name, value);
  text += "images\n";
  for (const ImagePlan& image : prepared.plan.images) {
    text += fmt::format("  {}", image.name);
    for (const VariantPlan& variant : image.variants)
      text += " " + variant.platform.str();
    text += "\n";
  }
  text += stage_lines(prepared.plan.stages);
  text += push_lines(prepared.plan.images);
  text += sign_lines(prepared.plan.images);
  text += "steps\n" + step_lines(forecast.steps, session.options().verbose > 0);
  text += fmt::format("downloads  {}\n", human_size(download_size(forecast.steps)));
  if (!forecast.scripts.empty()) {
    text += "scripts of these packages do what lithify does not imitate\n";
    for (const std::string& note : forecast.scripts)
      text += "  " + visible(note) + "\n";
  }
  session.print(text);
}

void print_document(Session& session, const Prepared& prepared,
                    const Forecast& forecast) {
  nlohmann::json document = {
      {"schema", "lithify.plan/1"},        {"settings", nlohmann::json::object()},
      {"images", nlohmann::json::array()}, {"stages", nlohmann::json::array()},
      {"steps", nlohmann::json::array()},  {"download", download_size(forecast.steps)},
      {"scripts", forecast.scripts}};
  for (const auto& [name, value] : settings(session, prepared))
    document["settings"][name] = value;
  for (const ImagePlan& image : prepared.plan.images) {
    nlohmann::json platforms = nlohmann::json::array();
    for (const VariantPlan& variant : image.variants)
      platforms.push_back(variant.platform.str());
    document["images"].push_back({{"name", image.name},
                                  {"platforms", platforms},
                                  {"push", push_documents(image)}});
    if (image.sign) {
      document["images"].back()["sign"] = {{"keys", image.sign->keys},
                                           {"attest", claims_of(*image.sign)}};
    }
  }
  for (const StagePlan& stage : prepared.plan.stages) {
    document["stages"].push_back({{"name", stage.name},
                                  {"platform", stage.platform.str()},
                                  {"runs-on", stage.runs_on.str()}});
  }
  for (const StepForecast& step : forecast.steps) {
    nlohmann::json entry = {{"label", visible(step.label)},
                            {"state", word_of(step.state)}};
    if (step.digest) {
      entry["digest"] = step.digest->str();
      entry["size"] = step.size;
    }
    document["steps"].push_back(std::move(entry));
  }
  session.print(oci::canonical_json(document) + "\n");
}

}  // namespace

int run_plan(Session& session) {
  const Prepared prepared = prepare(session, session.options().operands);
  Workshop workshop = session.workshop(prepared.workspace.recipe);
  if (session.caches() != nullptr) session.caches()->expect(prepared.plan.graph);
  const Forecast forecast = foresee(session, prepared.plan.graph, workshop);
  session.end_progress();
  if (session.caches() != nullptr) {
    for (const oci::Error& warning : session.caches()->take_warnings())
      session.tell(warning, Problem::Severity::warning);
  }
  if (session.options().json) {
    print_document(session, prepared, forecast);
  } else {
    print_text(session, prepared, forecast);
  }
  return exits::k_ok;
}

}  // namespace lithify
