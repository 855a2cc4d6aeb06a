#include "builder/cli/forecast.h"

#include <set>

#include "builder/debian/debian_scripts.h"
#include "builder/run/fetched_tree.h"

namespace lithify {

namespace {

class Forecasting {
 public:
  Forecasting(Session& session, const Graph& graph, Workshop& workshop)
      : session_(session), graph_(graph), workshop_(workshop) {}

  Forecast run() {
    oci::Activity activity(session_.progress(), "plan");
    for (StepIndex i = 0; i < graph_.steps().size(); ++i) {
      if (session_.stop().stop_requested()) throw oci::Cancelled();
      foresee(graph_.step(i), activity);
    }
    settle_downloads();
    tell_scripts();
    activity.end(oci::Outcome::done);
    return std::move(forecast_);
  }

 private:
  using State = StepForecast::State;

  void foresee(const Step& step, oci::Activity& activity) {
    StepForecast& told = forecast_.steps.emplace_back();
    told.label = step.label;
    if (const auto* fetch = std::get_if<Fetch>(&step.operation)) {
      told.state = session_.store().has(fetch->expected) ? State::here : State::download;
      told.digest = fetch->expected;
      told.size = fetch->size;
      trees_.emplace_back(fetched_tree(*fetch));
    } else if (std::holds_alternative<Import>(step.operation)) {
      oci::Activity reading = activity.start(step.label);
      trees_.emplace_back(
          workshop_.executor->execute(step, {}, reading, session_.stop()));
      const bool unchanged = reading.outcome() == oci::Outcome::cached;
      told.state = unchanged ? State::cached : State::read;
      if (!unchanged) reading.end(oci::Outcome::done);
    } else {
      trees_.push_back(remembered(step, activity));
      told.state = trees_.back() ? State::cached : State::runs;
    }
  }

  // What holds files of the user's is not kept and made again; that touches no file.
  std::optional<Tree> remembered(const Step& step, oci::Activity& activity) {
    std::vector<oci::Digest> digests;
    std::vector<Tree> inputs;
    bool here = true;
    for (const StepIndex input : step.inputs) {
      if (!trees_[input]) return std::nullopt;
      inputs.push_back(*trees_[input]);
      digests.push_back(inputs.back().digest());
      here = here && forecast_.steps[input].state != State::download;
    }
    const oci::Digest key = step_key(step, digests);
    if (auto tree = workshop_.steps->find(key, step)) return tree;
    if (!here || !workshop_.steps->knows(key)) return std::nullopt;
    oci::Activity making = activity.start(step.label);
    making.end(oci::Outcome::cached);
    return workshop_.executor->execute(step, inputs, making, session_.stop());
  }

  // A download is wanted by a step that runs, or if no step has it as an input.
  void settle_downloads() {
    std::vector<bool> wanted(forecast_.steps.size(), false);
    std::vector<bool> used(forecast_.steps.size(), false);
    for (StepIndex i = 0; i < forecast_.steps.size(); ++i) {
      for (const StepIndex input : graph_.step(i).inputs) {
        used[input] = true;
        if (forecast_.steps[i].state == State::runs) wanted[input] = true;
      }
    }
    for (StepIndex i = 0; i < forecast_.steps.size(); ++i) {
      StepForecast& step = forecast_.steps[i];
      if (step.state == State::download && used[i] && !wanted[i]) {
        step.state = State::unneeded;
      }
    }
  }

  // Of packages that have been unpacked once; of others nothing is known yet.
  void tell_scripts() {
    std::set<std::string> told;
    for (StepIndex i = 0; i < graph_.steps().size(); ++i) {
      for (const InstallDebianAction* install : installs(graph_.step(i))) {
        for (const std::string& note : notes(graph_.step(i), *install))
          told.insert(note);
      }
    }
    forecast_.scripts.assign(told.begin(), told.end());
  }

  static std::vector<const InstallDebianAction*> installs(const Step& step) {
    std::vector<const InstallDebianAction*> found;
    if (const auto* edit = std::get_if<Edit>(&step.operation)) {
      for (const FileAction& action : edit->actions) {
        if (const auto* install = std::get_if<InstallDebianAction>(&action)) {
          found.push_back(install);
        }
      }
    }
    return found;
  }

  std::vector<std::string> notes(const Step& step, const InstallDebianAction& install) {
    std::vector<UnpackedPackage> packages;
    for (std::size_t i = 0; i < install.packages.size(); ++i) {
      const auto& tree = trees_[step.inputs[install.first + i]];
      if (!tree || !is_here(*tree)) continue;
      packages.push_back(read_package(*tree, install.packages[i], session_.store()));
    }
    std::vector<std::string> texts;
    for (const ScriptNote& note : unimitated_scripts(packages))
      texts.push_back(describe({&note, 1}));
    return texts;
  }

  // A tree that a cache in a registry gave may have its files there still.
  bool is_here(const Tree& tree) {
    std::set<oci::Digest> seen;
    for (const auto& [path, node] : tree.nodes()) {
      const auto* slice = node.content ? std::get_if<Slice>(&*node.content) : nullptr;
      if (slice == nullptr || !seen.insert(slice->blob.digest).second) continue;
      if (!session_.store().has(slice->blob.digest)) return false;
    }
    return true;
  }

  Session& session_;
  const Graph& graph_;
  Workshop& workshop_;
  std::vector<std::optional<Tree>> trees_;
  Forecast forecast_;
};

}  // namespace

Forecast foresee(Session& session, const Graph& graph, Workshop& workshop) {
  return Forecasting(session, graph, workshop).run();
}

}  // namespace lithify
