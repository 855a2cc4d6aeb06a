#include "builder/cli/provenance_facts.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "oci/base/error.h"

#include "builder/attest/provenance.h"
#include "builder/cli/checkout.h"
#include "builder/cli/sandbox_report.h"
#include "builder/cli/workspace.h"
#include "builder/command/foreign_platform.h"

namespace lithify {

namespace {

namespace fs = std::filesystem;

// The steps that the subject is made of, by their places in the graph.
class UsedSteps {
 public:
  UsedSteps(const Graph& graph, const ClaimSubject& subject) : graph_(graph) {
    for (std::size_t i = 0; i < subject.plan.variants.size(); ++i) {
      if (!subject.is_index() && i != subject.variant) continue;
      for (const LayerPlan& layer : subject.plan.variants[i].layers)
        std::for_each(layer.steps.begin(), layer.steps.end(),
                      [this](StepIndex step) { visit(step); });
    }
  }
  const std::set<StepIndex>& steps() const { return steps_; }

 private:
  void visit(StepIndex index) {
    if (!steps_.insert(index).second) return;
    for (const StepIndex input : graph_.step(index).inputs)
      visit(input);
  }

  const Graph& graph_;
  std::set<StepIndex> steps_;
};

bool is_given(const Argument& argument) {
  return argument.origin == "--arg" ||
         argument.origin.rfind("the environment variable", 0) == 0;
}

bool is_ci(const Environment& environment) {
  const std::string said = value_of(environment, "CI").value_or("");
  return !said.empty() && said != "0" && said != "false";
}

// The local source that an Import reads; nullptr: an archive's file.
const std::string* source_of(const Recipe& recipe, const Import& import) {
  for (const auto& [key, source] : recipe.sources) {
    const auto* local = std::get_if<LocalSource>(&source.kind);
    if (local == nullptr) continue;
    const fs::path path = (fs::path(recipe.directory) / local->path).lexically_normal();
    const bool same = path.string() == import.path && local->include == import.include &&
                      local->exclude == import.exclude && local->modes == import.modes;
    if (same) return &key;
  }
  return nullptr;
}

void add_used(const BuildFacts& facts, const ClaimSubject& subject, Provenance& to) {
  const Graph& graph = facts.prepared.plan.graph;
  const UsedSteps used(graph, subject);
  for (const StepIndex index : used.steps()) {
    if (const auto* fetch = std::get_if<Fetch>(&graph.step(index).operation))
      to.used.insert(fetch->expected);
  }
  // Of a base the manifest is locked, and its layers may never have been read.
  for (const LockedImage& image : facts.prepared.lock.images) {
    if (std::find(to.platforms.begin(), to.platforms.end(), image.platform) !=
        to.platforms.end())
      to.used.insert(image.manifest);
  }
}

std::vector<oci::Platform> platforms_of(const ClaimSubject& subject) {
  std::vector<oci::Platform> platforms;
  for (std::size_t i = 0; i < subject.plan.variants.size(); ++i) {
    if (subject.is_index() || i == subject.variant)
      platforms.push_back(subject.plan.variants[i].platform);
  }
  return platforms;
}

}  // namespace

std::vector<Provenance::LocalTree> local_trees(const BuildFacts& facts,
                                               const ClaimSubject& subject) {
  const Graph& graph = facts.prepared.plan.graph;
  const UsedSteps used(graph, subject);
  std::vector<Provenance::LocalTree> trees;
  for (const StepIndex index : used.steps()) {
    const Step& step = graph.step(index);
    const auto* import = std::get_if<Import>(&step.operation);
    if (import == nullptr) continue;
    const std::string* source = source_of(facts.prepared.workspace.recipe, *import);
    const auto tree = facts.session.imports().tree_of(step);
    if (source != nullptr && tree) trees.push_back({*source, *tree});
  }
  return trees;
}

std::string provenance_of(const BuildFacts& facts, const ClaimSubject& subject) {
  Session& session = facts.session;
  const Recipe& recipe = facts.prepared.workspace.recipe;
  Provenance from;
  from.build_file = fs::path(session.options().file).filename().string();
  from.image = subject.plan.name;
  from.platforms = platforms_of(subject);
  for (const Argument& argument : recipe.arguments) {
    if (is_given(argument)) from.arguments.push_back({argument.name, argument.value});
  }
  from.project = recipe.project;
  from.epoch = facts.prepared.epoch.seconds;
  from.build_file_text = session.texts().whole(session.options().file);
  from.lock_text = facts.prepared.lock.str();
  if (from.build_file_text.find("$(git.") != std::string::npos)
    from.git = git_facts_of(session, recipe.directory);
  add_used(facts, subject, from);
  from.trees = local_trees(facts, subject);
  if (!from.trees.empty()) from.checkout = clean_checkout(recipe);
  from.mode =
      is_ci(session.environment()) ? Provenance::Mode::ci : Provenance::Mode::local;
  if (runs_commands(facts.prepared.plan.graph))
    from.sandbox = sandbox_used(session.options().sandbox);
  const UsedSteps used(facts.prepared.plan.graph, subject);
  for (const StepIndex index : used.steps()) {
    const Step& step = facts.prepared.plan.graph.step(index);
    from.caches.merge(caches_of(step));
    if (is_emulated(step)) from.emulated.insert(step.platform.str());
  }
  from.version = LITHIFY_VERSION;
  return oci::during([] { return "writing provenance"; }, [&] { return from.str(); });
}

}  // namespace lithify
