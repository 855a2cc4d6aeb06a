#include "builder/resolve/lower.h"

#include <algorithm>
#include <filesystem>
#include <limits>

#include <fmt/format.h>

#include "oci/base/reference.h"

#include "builder/resolve/locked_set.h"
#include "builder/resolve/package_source.h"
#include "builder/resolve/requests.h"

namespace lithify {

namespace {

constexpr std::int64_t k_constant_mtime = 315532800;  // 1980-01-01, format 1
constexpr std::int64_t k_never_clamp = std::numeric_limits<std::int64_t>::max();

std::string absolute(const Recipe& recipe, const std::string& path) {
  return (std::filesystem::path(recipe.directory) / path).lexically_normal().string();
}

std::string file_name_of(const std::string& location) {
  const std::string path = location.substr(0, location.find_first_of("?#"));
  const std::string name = path.substr(path.find_last_of('/') + 1);
  return name.empty() ? "download" : name;
}

// Lowers one variant; the graph is shared by all, so that equal steps are stored once.
class VariantLowering {
 public:
  VariantLowering(const Recipe& recipe, const Lock& lock, const BaseManifests& bases,
                  std::int64_t epoch, Graph& graph)
      : recipe_(recipe), lock_(lock), bases_(bases), epoch_(epoch), graph_(graph) {}

  VariantPlan lower(const ImageRecipe& image, const ImageVariant& variant) {
    VariantPlan plan = start(variant);
    const std::size_t first_own = plan.layers.size();
    for (const RecipeStep& step : variant.steps) {
      const StepIndex index = lower_step(image, variant, step, plan);
      LayerPlan& layer = layer_for(step, image.layering, first_own, plan);
      layer.steps.push_back(index);
      layer.places.push_back(step.place);
      layer.by_package |= image.layering.strategy == Layering::Strategy::by_package &&
                          std::holds_alternative<PackagesStep>(step.verb);
    }
    plan.config.push_back(variant.config);
    plan.outputs = variant.outputs;
    return plan;
  }

 private:
  VariantPlan start(const ImageVariant& variant) {
    VariantPlan plan;
    plan.platform = variant.platform;
    switch (variant.from.kind) {
      case From::Kind::scratch:
        break;
      case From::Kind::source:
        plan.base = locked_image(recipe_.sources.at(variant.from.name), variant.platform,
                                 variant.from.place);
        break;
      case From::Kind::image: {
        const NamedVariant base = base_variant(recipe_, variant.from, variant.platform);
        plan = lower(*base.image, *base.variant);
        plan.outputs.clear();
        break;
      }
    }
    return plan;
  }

  // The image of a layout or image source, as locked for an image for `platform`.
  BaseImage locked_image(const Source& source, const oci::Platform& platform,
                         const Place& place) {
    const std::string ref = *image_ref(source);
    const oci::Platform its = image_platform(source, platform);
    for (const LockedImage& image : lock_.images) {
      if (image.ref != ref || image.platform != its) continue;
      return {
          location_of(source),
          {std::string(oci::media_type::k_manifest), image.manifest, image.size, its}};
    }
    throw oci::Error(oci::Errc::stale, "lithify.lock is out of date")
        .number("L0210")
        .at(place, ref + " is not in the lock for " + its.str())
        .add_hint("run `lithify lock` and commit the result");
  }

  std::string location_of(const Source& source) const {
    if (const auto* layout = std::get_if<LayoutSource>(&source.kind))
      return "layout:" + absolute(recipe_, layout->path);
    const auto& image = std::get<ImageSource>(source.kind);
    return "image:" + oci::Reference::parse(image.ref).name();
  }

  // One step that unpacks every layer of a base, for steps that look below.
  StepIndex unpack_base(const BaseImage& base, const oci::Platform& platform) {
    const auto found = bases_.find(base.manifest.digest);
    if (found == bases_.end()) {
      throw oci::Error(oci::Errc::not_found, "no manifest " + base.manifest.digest.str() +
                                                 " in " + base.location)
          .add_hint("run `lithify lock --update` if the base has changed on purpose");
    }
    Step unpack;
    Edit edit;
    edit.clamp = k_never_clamp;
    const BaseLayers& layers = found->second;
    for (std::size_t i = 0; i < layers.blobs.size(); ++i) {
      const oci::Descriptor& layer = layers.blobs[i];
      Step fetch;
      fetch.operation = Fetch{base.location, layer.digest, layer.size, "layer"};
      fetch.platform = platform;
      fetch.label = "read layer " + layer.digest.brief();
      edit.actions.emplace_back(
          UnpackLayerAction{unpack.inputs.size(), layers.diff_ids[i]});
      unpack.inputs.push_back(graph_.add(std::move(fetch)));
    }
    unpack.operation = std::move(edit);
    unpack.platform = platform;
    unpack.label = "unpack " + base.location;
    return graph_.add(std::move(unpack));
  }

  std::vector<StepIndex> below(const VariantPlan& plan) {
    std::vector<StepIndex> steps;
    if (plan.base) steps.push_back(unpack_base(*plan.base, plan.platform));
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

  StepIndex lower_step(const ImageRecipe& image, const ImageVariant& variant,
                       const RecipeStep& from, const VariantPlan& plan) {
    Step step;
    step.platform = variant.platform;
    step.place = from.place;
    step.label = from.name.empty() ? from.text : from.name;
    Edit edit;
    if (from.mtime_epoch) edit.mtime = epoch_;
    bool reads_below = false;
    if (const auto* packages = std::get_if<PackagesStep>(&from.verb)) {
      edit.clamp = epoch_;
      edit.actions.push_back(
          install(*packages, set_key(image, *packages, variant.platform), variant, step));
      reads_below = true;
    } else if (const auto* copy = std::get_if<CopyStep>(&from.verb)) {
      edit.clamp = epoch_;
      step.inputs.push_back(source_tree(copy->source, variant.platform, from.place));
      edit.actions.emplace_back(CopyAction{0, named(*copy)});
    } else if (const auto* file = std::get_if<FileStep>(&from.verb)) {
      edit.actions.emplace_back(WriteAction{*file});
    } else if (const auto* directory = std::get_if<DirStep>(&from.verb)) {
      edit.actions.emplace_back(MakeDirectoryAction{*directory});
    } else if (const auto* symlink = std::get_if<SymlinkStep>(&from.verb)) {
      edit.actions.emplace_back(SymlinkAction{*symlink});
    } else {
      reads_below = true;
      if (const auto* remove = std::get_if<RemoveStep>(&from.verb)) {
        edit.actions.emplace_back(RemoveAction{*remove});
      } else if (const auto* attrs = std::get_if<AttrsStep>(&from.verb)) {
        edit.actions.emplace_back(SetAttributesAction{*attrs});
      } else if (const auto* users = std::get_if<UsersStep>(&from.verb)) {
        edit.actions.emplace_back(AddUsersAction{*users});
      } else if (const auto* groups = std::get_if<GroupsStep>(&from.verb)) {
        edit.actions.emplace_back(AddGroupsAction{*groups});
      }
    }
    if (reads_below) {
      const std::vector<StepIndex> steps = below(plan);
      step.inputs.insert(step.inputs.end(), steps.begin(), steps.end());
      step.below = steps.size();
      step.on_base = plan.base.has_value();
    }
    step.operation = std::move(edit);
    return graph_.add(std::move(step));
  }

  // A url: source is a tree with one file; "." of it is that file.
  CopyStep named(CopyStep copy) const {
    const Source& source = recipe_.sources.at(copy.source);
    if (const auto* url = std::get_if<UrlSource>(&source.kind)) {
      for (auto& path : copy.paths) {
        if (path == ".") path = file_name_of(url->url);
      }
    }
    copy.source = source.name;  // the key names a platform, which messages need not
    return copy;
  }

  FileAction install(const PackagesStep& packages, const std::string& key,
                     const ImageVariant& variant, Step& step) {
    const LockedSet* set = lock_.find_set(key);
    if (set == nullptr) {
      throw oci::Error(oci::Errc::stale, "lithify.lock is out of date")
          .number("L0210")
          .at(step.place, "no set `" + key + "` in the lock")
          .add_hint("run `lithify lock` and commit the result");
    }
    InstallDebianAction action;
    action.architecture = debian_architecture(variant.platform);
    action.drop = packages.drop;
    action.keep_locales = packages.keep_locales;
    for (const LockedPackage& package :
         members(*set, lock_, packages.source, action.architecture)) {
      step.inputs.push_back(unpacked(package, variant.platform));
      action.packages.push_back(
          fmt::format("{}:{}={}", package.name, package.architecture, package.version));
    }
    return action;
  }

  StepIndex unpacked(const LockedPackage& package, const oci::Platform& platform) {
    Step fetch;
    fetch.operation = Fetch{"apt:" + package.source + "/" + package.path, package.sha256,
                            package.size, file_name_of(package.path)};
    fetch.label = "fetch " + package.name + " " + package.version;
    // Packages for all architectures are one work for all platforms.
    if (package.architecture != "all") fetch.platform = platform;
    Step unpack;
    unpack.platform = fetch.platform;
    unpack.label = "unpack " + package.name;
    unpack.operation =
        Edit{{UnpackDebAction{0, package.name}}, k_constant_mtime, k_never_clamp};
    unpack.inputs = {graph_.add(std::move(fetch))};
    return graph_.add(std::move(unpack));
  }

  // The step whose tree is what a source holds.
  StepIndex source_tree(const std::string& key, const oci::Platform& platform,
                        const Place& place) {
    const Source& source = recipe_.sources.at(key);
    Step step;
    step.place = source.place;
    step.label = "read " + source.name;
    if (const auto* local = std::get_if<LocalSource>(&source.kind)) {
      step.operation = Import{absolute(recipe_, local->path), local->include,
                              local->exclude, local->modes};
    } else if (const auto* url = std::get_if<UrlSource>(&source.kind)) {
      step.operation = fetch_url(url->url, source);
      step.label = "fetch " + url->url;
    } else if (const auto* archive = std::get_if<ArchiveSource>(&source.kind)) {
      return unpacked(*archive, source);
    } else if (image_ref(source)) {
      const BaseImage image = locked_image(source, platform, place);
      return unpack_base(image, *image.manifest.platform);
    } else {
      throw oci::Error(oci::Errc::bad_input,
                       fmt::format("nothing can be copied from the apt "
                                   "source `{}`",
                                   source.name))
          .at(place)
          .add_hint("install from it with a `packages` step");
    }
    return graph_.add(std::move(step));
  }

  Fetch fetch_url(const std::string& url, const Source& source) {
    const LockedUrl* locked = lock_.find_url(url);
    if (locked == nullptr) {
      throw oci::Error(oci::Errc::stale, "lithify.lock is out of date")
          .number("L0210")
          .at(source.place, "not in the lock")
          .add_hint("run `lithify lock` and commit the result");
    }
    return {url, locked->sha256, locked->size, file_name_of(url)};
  }

  StepIndex unpacked(const ArchiveSource& archive, const Source& source) {
    Step bytes;
    bytes.place = source.place;
    if (archive.location.find("://") != std::string::npos) {
      bytes.operation = fetch_url(archive.location, source);
      bytes.label = "fetch " + archive.location;
    } else {
      bytes.operation = Import{absolute(recipe_, archive.location), {}, {}, {}};
      bytes.label = "read " + archive.location;
    }
    UnpackAction action{0, archive.strip, archive.subdir, file_name_of(archive.location)};
    if (const LockedUrl* locked = lock_.find_url(archive.location)) {
      action.tree = locked->tree;  // the bytes were checked when they were fetched
    } else {
      action.sha256 = archive.sha256;
    }
    Step unpack;
    unpack.place = source.place;
    unpack.label = "unpack " + source.name;
    unpack.operation = Edit{{std::move(action)}, k_constant_mtime, k_never_clamp};
    unpack.inputs = {graph_.add(std::move(bytes))};
    return graph_.add(std::move(unpack));
  }

  const Recipe& recipe_;
  const Lock& lock_;
  const BaseManifests& bases_;
  std::int64_t epoch_;
  Graph& graph_;
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
  VariantLowering lowering(recipe, lock, bases, request.epoch, plan.graph);
  for (const ImageRecipe& image : recipe.images) {
    if (!wanted(request.images, image.name)) continue;
    ImagePlan& made = plan.images.emplace_back();
    made.name = image.name;
    made.annotations = image.annotations;
    made.layering = image.layering;
    made.push = image.push;
    made.sign = image.sign;
    for (const ImageVariant& variant : image.variants) {
      made.variants.push_back(lowering.lower(image, variant));
    }
  }
  return plan;
}

}  // namespace lithify
