#include "builder/resolve/lower.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "builder/resolve/locked_set.h"
#include "builder/resolve/package_source.h"
#include "builder/resolve/requests.h"
#include "builder/resolve/scripted_packages.h"
#include "builder/resolve/sites.h"
#include "builder/resolve/source_trees.h"
#include "builder/resolve/stale_lock.h"

namespace lithify {

namespace {

constexpr std::int64_t k_constant_mtime = 315532800;  // 1980-01-01, format 1
constexpr std::int64_t k_never_clamp = std::numeric_limits<std::int64_t>::max();

// Lowers one site after another; the graph is shared by all, so that equal steps are
// stored once.
class Lowering {
 public:
  Lowering(const Recipe& recipe, const Lock& lock, const BaseManifests& bases,
           std::int64_t epoch, Graph& graph)
      : recipe_(recipe),
        lock_(lock),
        epoch_(epoch),
        graph_(graph),
        sources_(recipe, lock, bases, graph) {}

  // A stage is lowered like an image, and has layers if an image is built upon it.
  VariantPlan lower(const Site& site) {
    VariantPlan plan = start(site);
    const Layering layering = site.image ? site.image->layering : Layering();
    const std::size_t first_own = plan.layers.size();
    for (const RecipeStep& step : site.steps) {
      const StepIndex index = lower_step(site, step, plan);
      LayerPlan& layer = layer_for(step, layering, first_own, plan);
      layer.steps.push_back(index);
      layer.places.push_back(step.place);
      layer.by_package |= layering.strategy == Layering::Strategy::by_package &&
                          std::holds_alternative<PackagesStep>(step.verb);
    }
    if (site.variant == nullptr) return plan;
    plan.config.push_back(site.variant->config);
    plan.outputs = site.variant->outputs;
    plan.tests = site.variant->tests;
    return plan;
  }

  // Those that were needed.
  std::vector<StagePlan> stages() const {
    std::vector<StagePlan> all;
    for (const auto& [key, stage] : told_)
      all.push_back(stage);
    return all;
  }

 private:
  VariantPlan start(const Site& site) {
    VariantPlan plan;
    if (const auto base = site_below(recipe_, site)) {
      plan = base->stage ? lowered_stage(*base) : lower(*base);
      plan.outputs.clear();
      plan.tests.clear();
    }
    plan.platform = site.runs_on;
    if (site.from.kind == From::Kind::source) {
      const Source& source = recipe_.sources.at(site.from.name);
      plan.base = sources_.locked_image(source, site.runs_on, site.from.place);
    }
    return plan;
  }

  // Many may take files from one stage.
  const VariantPlan& lowered_stage(const Site& site) {
    const std::string key = site.name + " " + site.platform.str();
    const auto known = stages_.find(key);
    if (known != stages_.end()) return known->second;
    VariantPlan plan = lower(site);
    told_[key] = {site.name, site.platform, site.runs_on};
    return stages_.emplace(key, std::move(plan)).first->second;
  }

  // The step whose tree is all that a stage is when its steps are done.
  StepIndex stage_tree(const std::string& name, const oci::Platform& platform) {
    const Site site = stage_site(recipe_, name, platform);
    const VariantPlan& plan = lowered_stage(site);
    Step merge;
    merge.inputs = below(plan);
    if (plan.base && merge.inputs.size() == 1) return merge.inputs.front();
    merge.below = merge.inputs.size();
    merge.on_base = plan.base.has_value();
    merge.operation = Edit{{MergeAction{}}};
    merge.platform = site.runs_on;
    merge.place = site.stage->place;
    merge.label = name + ": put together";
    return graph_.add(std::move(merge));
  }

  StepIndex tree(const std::string& name, bool of_stage, const oci::Platform& platform,
                 const Place& place) {
    return of_stage ? stage_tree(name, platform)
                    : sources_.source_tree(name, platform, place);
  }

  std::vector<StepIndex> below(const VariantPlan& plan) {
    std::vector<StepIndex> steps;
    if (plan.base) steps.push_back(sources_.unpack_base(*plan.base, plan.platform));
    for (const LayerPlan& layer : plan.layers) {
      steps.insert(steps.end(), layer.steps.begin(), layer.steps.end());
    }
    return steps;
  }

  static LayerPlan& layer_for(const RecipeStep& step, const Layering& layering,
                              std::size_t first_own, VariantPlan& plan) {
    const bool first = plan.layers.size() == first_own;
    const bool joins =
        layering.strategy == Layering::Strategy::single ||
        (!first && !step.layer.empty() && plan.layers.back().name == step.layer);
    if (first || !joins) {
      plan.layers.push_back(
          {step.layer.empty() ? step.text : step.layer, "", {}, false, {}});
    }
    LayerPlan& layer = plan.layers.back();
    layer.history += (layer.history.empty() ? "" : "; ") + step.text;
    return layer;
  }

  StepIndex lower_step(const Site& site, const RecipeStep& from,
                       const VariantPlan& plan) {
    Step step = started(site, from);
    const auto* packages = std::get_if<PackagesStep>(&from.verb);
    if (packages != nullptr && packages->run_scripts)
      return scripted(site, from, *packages, plan);
    if (const auto* run = std::get_if<RunStep>(&from.verb)) {
      step.operation = command(site, *run, plan, step);
      auto& made = std::get<Run>(step.operation);
      if (from.mtime_epoch) made.mtime = epoch_;
      stand_on(plan, step);
      return graph_.add(std::move(step));
    }
    Edit edit;
    if (from.mtime_epoch) edit.mtime = epoch_;
    bool reads_below = false;
    if (packages != nullptr) {
      edit.clamp = epoch_;
      edit.actions.push_back(install(site, *packages, step));
      reads_below = true;
    } else if (const auto* copy = std::get_if<CopyStep>(&from.verb)) {
      edit.clamp = epoch_;
      step.inputs.push_back(
          tree(copy->source, copy->of_stage, site.platform, from.place));
      edit.actions.emplace_back(CopyAction{0, named(*copy)});
    } else {
      edit.actions.push_back(action_of(from.verb, reads_below));
    }
    step.operation = std::move(edit);
    if (reads_below) stand_on(plan, step);
    return graph_.add(std::move(step));
  }

  static Step started(const Site& site, const RecipeStep& from) {
    Step step;
    step.platform = site.runs_on;
    step.place = from.place;
    step.label = from.name.empty() ? from.text : from.name;
    if (site.stage) step.label = site.name + ": " + step.label;
    return step;
  }

  // Packages whose maintainer scripts run: what dpkg needs to start, dpkg's own work, and
  // of both together what is wanted.
  StepIndex scripted(const Site& site, const RecipeStep& from,
                     const PackagesStep& packages, const VariantPlan& plan) {
    const std::int64_t mtime = from.mtime_epoch ? epoch_ : k_constant_mtime;
    Step bootstrap = started(site, from);
    DebianSet set;
    set.architecture = debian_architecture(site.runs_on);
    for (const LockedPackage& package : locked_packages(site, packages, from.place)) {
      bootstrap.inputs.push_back(fetched(package, site.runs_on));
      set.packages.push_back(full_name(package));
    }
    stand_on(plan, bootstrap);
    Step arrange = bootstrap;
    bootstrap.label += " (what dpkg needs)";
    bootstrap.operation = Edit{{BootstrapDebianAction{set}}, mtime, k_never_clamp};
    arrange.label += " (the archives)";
    arrange.operation = Edit{{ArrangeDebianAction{std::move(set)}}};

    Step install = started(site, from);
    install.label += " (dpkg)";
    install.inputs = {graph_.add(std::move(arrange))};
    stand_on(plan, install);
    const StepIndex first = graph_.add(std::move(bootstrap));
    install.inputs.push_back(first);
    ++install.below;
    install.operation = scripted_run(packages, mtime);

    Step both = started(site, from);
    both.inputs = {first, graph_.add(std::move(install))};
    both.operation =
        Edit{{DropPackagedAction{0, 2, packages.drop, packages.keep_locales}}};
    stand_on(plan, both);
    return graph_.add(std::move(both));
  }

  Run scripted_run(const PackagesStep& packages, std::int64_t mtime) const {
    Run run;
    run.what = scripted_install(packages);
    run.mount_inputs = {0};
    run.mtime = mtime;
    run.epoch = epoch_;
    run.maintainer_scripts = true;
    return run;
  }

  // The verbs that need no input of their own.
  static FileAction action_of(const Verb& verb, bool& reads_below) {
    if (const auto* file = std::get_if<FileStep>(&verb)) return WriteAction{*file};
    if (const auto* dir = std::get_if<DirStep>(&verb)) return MakeDirectoryAction{*dir};
    if (const auto* link = std::get_if<SymlinkStep>(&verb)) return SymlinkAction{*link};
    reads_below = true;
    if (const auto* remove = std::get_if<RemoveStep>(&verb)) return RemoveAction{*remove};
    if (const auto* attrs = std::get_if<AttrsStep>(&verb))
      return SetAttributesAction{*attrs};
    if (const auto* users = std::get_if<UsersStep>(&verb)) return AddUsersAction{*users};
    return AddGroupsAction{std::get<GroupsStep>(verb)};
  }

  void stand_on(const VariantPlan& plan, Step& step) {
    const std::vector<StepIndex> steps = below(plan);
    step.inputs.insert(step.inputs.end(), steps.begin(), steps.end());
    step.below = steps.size();
    step.on_base = plan.base.has_value();
  }

  Run command(const Site& site, const RunStep& from, const VariantPlan& plan,
              Step& step) {
    Run run;
    run.what = from;
    for (RunMount& mount : run.what.mounts) {
      if (mount.kind != RunMount::Kind::tree) continue;
      run.mount_inputs.push_back(step.inputs.size());
      step.inputs.push_back(tree(mount.from, mount.of_stage, site.platform, mount.place));
      if (mount.of_stage) continue;
      if (mount.path == ".") mount.path = sources_.whole(mount.from);
      mount.from = recipe_.sources.at(mount.from).name;
    }
    set_environment(plan, run.what);
    run.epoch = epoch_;
    if (from.network != Network::pinned) return run;
    run.lock_key = lock_key(site, from.number).str();
    if (const LockedOutput* known = find_output(lock_, run.lock_key, asked_of(from)))
      run.pinned = known->tree;
    return run;
  }

  // A command has the environment that a container of what it stands on would have.
  void set_environment(const VariantPlan& plan, RunStep& run) const {
    std::map<std::string, std::string> env;
    if (plan.base) env = sources_.environment(*plan.base);
    for (const ConfigChange& change : plan.config) {
      if (!change.inherit) env.clear();
      for (const auto& [name, value] : change.env) {
        if (value) {
          env[name] = *value;
        } else {
          env.erase(name);
        }
      }
    }
    for (const std::string& name : run.unset)
      env.erase(name);
    run.env.merge(env);
  }

  // A url: source is a tree with one file; "." of it is that file.
  CopyStep named(CopyStep copy) const {
    if (copy.of_stage) return copy;
    for (auto& path : copy.paths) {
      if (path == ".") path = sources_.whole(copy.source);
    }
    // The key names a platform, which messages need not.
    copy.source = recipe_.sources.at(copy.source).name;
    return copy;
  }

  FileAction install(const Site& site, const PackagesStep& packages, Step& step) {
    InstallDebianAction action;
    action.architecture = debian_architecture(site.runs_on);
    action.drop = packages.drop;
    action.keep_locales = packages.keep_locales;
    for (const LockedPackage& package : locked_packages(site, packages, step.place)) {
      step.inputs.push_back(unpacked(package, site.runs_on));
      action.packages.push_back(full_name(package));
    }
    return action;
  }

  std::vector<LockedPackage> locked_packages(const Site& site,
                                             const PackagesStep& packages,
                                             const Place& place) const {
    const std::string key = lock_key(site, packages.number).str();
    const LockedSet* set = lock_.find_set(key);
    if (set == nullptr) {
      throw stale_lock(recipe_, place, "no set `" + key + "` in the lock");
    }
    return members(*set, lock_, packages.source, debian_architecture(site.runs_on));
  }

  static std::string full_name(const LockedPackage& package) {
    return fmt::format("{}:{}={}", package.name, package.architecture, package.version);
  }

  StepIndex fetched(const LockedPackage& package, const oci::Platform& platform) {
    Step fetch;
    fetch.operation = Fetch{"apt:" + package.source + "/" + package.path, package.sha256,
                            package.size, file_name_of(package.path)};
    fetch.label = "fetch " + package.name + " " + package.version;
    // Packages for all architectures are one work for all platforms.
    if (package.architecture != "all") fetch.platform = platform;
    return graph_.add(std::move(fetch));
  }

  StepIndex unpacked(const LockedPackage& package, const oci::Platform& platform) {
    Step unpack;
    if (package.architecture != "all") unpack.platform = platform;
    unpack.label = "unpack " + package.name;
    unpack.operation =
        Edit{{UnpackDebAction{0, package.name}}, k_constant_mtime, k_never_clamp};
    unpack.inputs = {fetched(package, platform)};
    return graph_.add(std::move(unpack));
  }

  const Recipe& recipe_;
  const Lock& lock_;
  std::int64_t epoch_;
  Graph& graph_;
  SourceTrees sources_;
  std::map<std::string, VariantPlan> stages_;
  std::map<std::string, StagePlan> told_;
};

bool wanted(const std::vector<std::string>& names, const std::string& name) {
  return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
}

void refuse_unknown(const Recipe& recipe, const std::vector<std::string>& names) {
  for (const auto& name : names) {
    const bool known =
        std::any_of(recipe.images.begin(), recipe.images.end(),
                    [&](const ImageRecipe& image) { return image.name == name; });
    if (known) continue;
    std::string all;
    for (const auto& image : recipe.images)
      all += (all.empty() ? "" : ", ") + image.name;
    throw oci::Error(oci::Errc::bad_input,
                     fmt::format("{} has no image `{}`", recipe.file, name))
        .add_hint("the images are: " + all);
  }
}

}  // namespace

BuildPlan lower(const Recipe& recipe, const Lock& lock, const BaseManifests& bases,
                const LowerRequest& request) {
  refuse_unknown(recipe, request.images);
  BuildPlan plan;
  plan.epoch = request.epoch;
  Lowering lowering(recipe, lock, bases, request.epoch, plan.graph);
  for (const ImageRecipe& image : recipe.images) {
    if (!wanted(request.images, image.name)) continue;
    ImagePlan& made = plan.images.emplace_back();
    made.name = image.name;
    made.annotations = image.annotations;
    made.layering = image.layering;
    made.push = image.push;
    made.sign = image.sign;
    made.rebuild_check = image.rebuild_check;
    for (const ImageVariant& variant : image.variants) {
      made.variants.push_back(lowering.lower(site_of(image, variant)));
    }
  }
  plan.stages = lowering.stages();
  return plan;
}

}  // namespace lithify
