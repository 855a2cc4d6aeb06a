#include "builder/resolve/source_trees.h"

#include <filesystem>
#include <limits>

#include <fmt/format.h>

#include "oci/base/reference.h"

#include "builder/resolve/requests.h"
#include "builder/resolve/stale_lock.h"

namespace lithify {

namespace {

constexpr std::int64_t k_constant_mtime = 315532800;  // 1980-01-01, format 1
constexpr std::int64_t k_never_clamp = std::numeric_limits<std::int64_t>::max();

std::string absolute(const Recipe& recipe, const std::string& path) {
  return (std::filesystem::path(recipe.directory) / path).lexically_normal().string();
}

}  // namespace

std::string file_name_of(const std::string& location) {
  const std::string path = location.substr(0, location.find_first_of("?#"));
  const std::string name = path.substr(path.find_last_of('/') + 1);
  return name.empty() ? "download" : name;
}

BaseImage SourceTrees::locked_image(const Source& source, const oci::Platform& platform,
                                    const Place& place) const {
  const std::string ref = *image_ref(source);
  const oci::Platform its = image_platform(source, platform);
  for (const LockedImage& image : lock_.images) {
    if (image.ref != ref || image.platform != its) continue;
    return {location_of(source),
            {std::string(oci::media_type::k_manifest), image.manifest, image.size, its}};
  }
  throw stale_lock(recipe_, place, ref + " is not in the lock for " + its.str());
}

std::string SourceTrees::location_of(const Source& source) const {
  if (const auto* layout = std::get_if<LayoutSource>(&source.kind))
    return "layout:" + absolute(recipe_, layout->path);
  const auto& image = std::get<ImageSource>(source.kind);
  return "image:" + oci::Reference::parse(image.ref).name();
}

const BaseLayers& SourceTrees::layers(const BaseImage& base) const {
  const auto found = bases_.find(base.manifest.digest);
  if (found != bases_.end()) return found->second;
  throw oci::Error(oci::Errc::not_found,
                   "no manifest " + base.manifest.digest.str() + " in " + base.location)
      .add_hint("run `lithify lock --update` if the base has changed on purpose");
}

const std::map<std::string, std::string>& SourceTrees::environment(
    const BaseImage& base) const {
  return layers(base).env;
}

StepIndex SourceTrees::unpack_base(const BaseImage& base, const oci::Platform& platform) {
  Step unpack;
  Edit edit;
  edit.clamp = k_never_clamp;
  const BaseLayers& found = layers(base);
  for (std::size_t i = 0; i < found.blobs.size(); ++i) {
    const oci::Descriptor& layer = found.blobs[i];
    Step fetch;
    fetch.operation = Fetch{base.location, layer.digest, layer.size, "layer"};
    fetch.platform = platform;
    fetch.label = "read layer " + layer.digest.brief();
    edit.actions.emplace_back(UnpackLayerAction{unpack.inputs.size(), found.diff_ids[i]});
    unpack.inputs.push_back(graph_.add(std::move(fetch)));
  }
  unpack.operation = std::move(edit);
  unpack.platform = platform;
  unpack.label = "unpack " + base.location;
  return graph_.add(std::move(unpack));
}

StepIndex SourceTrees::source_tree(const std::string& key, const oci::Platform& platform,
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

std::string SourceTrees::whole(const std::string& key) const {
  const auto* url = std::get_if<UrlSource>(&recipe_.sources.at(key).kind);
  return url ? file_name_of(url->url) : ".";
}

Fetch SourceTrees::fetch_url(const std::string& url, const Source& source) const {
  const LockedUrl* locked = lock_.find_url(url);
  if (locked == nullptr) throw stale_lock(recipe_, source.place, "not in the lock");
  return {url, locked->sha256, locked->size, file_name_of(url)};
}

StepIndex SourceTrees::unpacked(const ArchiveSource& archive, const Source& source) {
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

}  // namespace lithify
