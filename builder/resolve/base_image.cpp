#include "builder/resolve/base_image.h"

#include <filesystem>

#include <fmt/format.h>

#include "oci/base/json.h"
#include "oci/base/reference.h"
#include "oci/image/layout.h"
#include "oci/image/manifest_graph.h"
#include "oci/image/platform_choice.h"

#include "builder/resolve/codes.h"

namespace lithify {

namespace {

constexpr std::size_t k_most_told = 20;  // platforms

std::unique_ptr<oci::Repository> open(const LayoutSource& source,
                                      const std::string& directory) {
  return oci::open_layout(std::filesystem::path(directory) / source.path);
}

// The tag asked for, or the only one there.
oci::Descriptor root_of(const oci::Repository& layout, const LayoutSource& source) {
  const std::vector<std::string> tags = layout.tags();
  std::string tag = source.tag;
  if (tag.empty() && tags.size() == 1) tag = tags.front();
  if (!tag.empty()) {
    if (const auto root = layout.resolve(tag)) return *root;
  }
  std::string all;
  for (const auto& known : tags)
    all += (all.empty() ? "" : ", ") + known;
  throw oci::Error(
      oci::Errc::not_found,
      source.tag.empty()
          ? fmt::format("the layout {} holds {} images; say which", source.path,
                        tags.size())
          : fmt::format("the layout {} has no image `{}`", source.path, source.tag))
      .add_hint(all.empty() ? "it has no named image at all" : "it has: " + all);
}

// The documents of images, from where they are kept or through the store. A repository is
// opened when something is not in the store.
class Documents {
 public:
  using Open = std::function<std::unique_ptr<oci::Repository>()>;
  // `store`: gets what is read; nullptr: what is read stays where it is.
  Documents(Open open, oci::BlobStore* store) : open_(std::move(open)), store_(store) {}

  const oci::Repository& repository() {
    if (!repository_) repository_ = open_();
    return *repository_;
  }

  std::string manifest(const oci::Descriptor& which) {
    if (auto text = stored(which)) return *std::move(text);
    return kept(which, repository().manifest(which));
  }

  // Like manifest(), for what is known by its digest alone: a registry wants to be told
  // of which kind a document is.
  std::string manifest_by_digest(const oci::Descriptor& which, const std::string& what) {
    if (auto text = stored(which)) return *std::move(text);
    if (store_ == nullptr) return repository().manifest(which);
    const auto found = repository().resolve(which.digest.str());
    if (!found || found->digest != which.digest || found->size != which.size) {
      throw oci::Error(oci::Errc::not_found, fmt::format("{} has no manifest {} any more",
                                                         what, which.digest.brief()))
          .number(code::k_no_image);
    }
    return kept(*found, repository().manifest(*found));
  }

  oci::ImageConfig config(const oci::Manifest& manifest, const std::string& what) {
    const oci::Descriptor& which = manifest.config;
    auto text = stored(which);
    if (!text) {
      const auto blob = repository().open({which.digest, which.size});
      text = kept(which, oci::read_all(*blob, oci::k_max_json, "the configuration"));
    }
    return oci::ImageConfig::parse(*text, what);
  }

 private:
  // nullopt too if what is there is damaged: it can be fetched again.
  std::optional<std::string> stored(const oci::Descriptor& which) const {
    if (store_ == nullptr || !store_->has(which.digest)) return std::nullopt;
    try {
      return oci::read_manifest(*store_, which);
    } catch (const oci::Error& error) {
      if (error.code() == oci::Errc::bad_input) throw;
      return std::nullopt;
    }
  }

  std::string kept(const oci::Descriptor& which, std::string text) {
    if (store_ != nullptr) oci::write_manifest(*store_, which, oci::as_bytes(text));
    return text;
  }

  Open open_;
  oci::BlobStore* store_;
  std::unique_ptr<oci::Repository> repository_;
};

oci::Error not_there(const std::string& what, const oci::Platform& platform,
                     const std::vector<std::string>& instead) {
  std::string all;
  for (std::size_t i = 0; i < instead.size() && i < k_most_told; ++i)
    all += (i == 0 ? "" : ", ") + instead[i];
  if (instead.size() > k_most_told) all += ", …";
  return oci::Error(oci::Errc::not_found,
                    fmt::format("{} is not there for {}", what, platform.str()))
      .number(code::k_no_platform)
      .add_hint(all.empty() ? "it is there for no platform" : "it is there for: " + all);
}

// An image alone says only in its configuration what it is for; not all say a variant.
void check_platform(Documents& documents, const oci::Descriptor& manifest,
                    const oci::Platform& platform, const std::string& what) {
  const auto parsed = oci::Manifest::parse(documents.manifest(manifest), what);
  const auto config = documents.config(parsed, what);
  auto its = oci::Platform::parse(config.platform.str());
  if (its && config.platform.variant.empty()) its->variant = platform.variant;
  if (!its || !oci::serves(*its, platform))
    throw not_there(what, platform, {config.platform.str()});
}

oci::Descriptor manifest_for(Documents& documents, const oci::Descriptor& root,
                             const oci::Platform& platform, const std::string& what,
                             oci::Activity& activity) {
  if (!oci::is_index(root.media_type)) {
    check_platform(documents, root, platform, what);
    return root;
  }
  const auto read = [&](const oci::Descriptor& which) {
    return documents.manifest(which);
  };
  const auto index = oci::Index::parse(read(root), what);
  const auto choice =
      oci::choose_platform(oci::images_of(index, platform, read), platform);
  if (!choice.manifest) throw not_there(what, platform, choice.offered);
  if (choice.unnamed) {
    check_platform(documents, *choice.manifest, platform, what);
    activity.warn(what + " does not say for which platform its only image is");
  }
  return *choice.manifest;
}

BaseLayers layers_of(oci::Manifest manifest, oci::ImageConfig config,
                     const std::string& what) {
  if (config.diff_ids.size() != manifest.layers.size()) {
    throw oci::Error(oci::Errc::bad_input,
                     fmt::format("{} has {} layers, but {} diff ids", what,
                                 manifest.layers.size(), config.diff_ids.size()));
  }
  return {std::move(manifest.layers),
          std::move(config.diff_ids),
          {config.env.begin(), config.env.end()}};
}

std::unique_ptr<oci::Repository> open_registry(const World& world,
                                               const BaseRequest& request,
                                               const std::string& what_is_missing) {
  if (world.open_registry) return world.open_registry(place_of(request));
  throw oci::Error(oci::Errc::unavailable, what_is_missing)
      .number(code::k_offline)
      .add_hint("build once with a network");
}

LockedImage resolve_layout(const BaseRequest& request, const LayoutSource& source,
                           const BaseTools& tools) {
  Documents documents([&] { return open(source, tools.directory); }, nullptr);
  const oci::Descriptor root = root_of(documents.repository(), source);
  const oci::Descriptor manifest = manifest_for(
      documents, root, request.platform, "the image in " + source.path, tools.activity);
  return {request.ref, request.platform, manifest.digest, manifest.size};
}

// What the ref means: by its digest, else by what a sibling was locked as, else by tag.
oci::Descriptor registry_root(const oci::Repository& repository,
                              const BaseRequest& request, const LockedImage* sibling) {
  const auto ref = oci::Reference::parse(request.ref);
  std::optional<oci::Digest> digest = ref.digest;
  if (!digest && sibling) digest = sibling->index.value_or(sibling->manifest);
  const auto root = repository.resolve(digest ? digest->str() : ref.tag);
  if (!root && digest && !ref.digest) {
    throw oci::Error(oci::Errc::not_found,
                     fmt::format("{} was locked as {}, which {} has no more", request.ref,
                                 digest->brief(), ref.name()))
        .number(code::k_no_image)
        .add_hint("`lithify lock --update " + *request.sources.begin() + "`");
  }
  if (!root) {
    throw oci::Error(oci::Errc::not_found, "there is no image " + request.ref)
        .number(code::k_no_image)
        .add_hint(digest ? "check the repository and the digest"
                         : "check the repository and the tag");
  }
  if (digest && root->digest != *digest) {
    throw oci::Error(oci::Errc::mismatch,
                     fmt::format("{} gives {} when asked for {}", ref.name(),
                                 root->digest.str(), digest->str()));
  }
  if (!oci::is_document(root->media_type)) {
    throw oci::Error(oci::Errc::bad_input, fmt::format("{} is no image, but a {}",
                                                       request.ref, root->media_type));
  }
  return *root;
}

LockedImage resolve_registry(const BaseRequest& request, const LockedImage* sibling,
                             const BaseTools& tools) {
  oci::Activity activity = tools.activity.start("resolve " + request.ref);
  Documents documents(
      [&] {
        return open_registry(
            tools.world, request,
            request.ref + " is not in the lock, and --offline forbids asking");
      },
      &tools.world.store);
  const oci::Descriptor root = registry_root(documents.repository(), request, sibling);
  const oci::Descriptor manifest =
      manifest_for(documents, root, request.platform, request.ref, activity);
  // Here, so that a later build needs no network.
  const auto parsed = oci::Manifest::parse(documents.manifest(manifest), request.ref);
  layers_of(parsed, documents.config(parsed, request.ref), request.ref);
  LockedImage locked{request.ref, request.platform, manifest.digest, manifest.size};
  if (oci::is_index(root.media_type)) locked.index = root.digest;
  activity.end(oci::Outcome::done);
  return locked;
}

BaseLayers locked_layers(const BaseRequest& request, const LockedImage& locked,
                         const std::string& directory, const World& world) {
  const oci::Descriptor which{std::string(oci::media_type::k_manifest), locked.manifest,
                              locked.size};
  if (const auto* layout = std::get_if<const LayoutSource*>(&request.source))
    return base_layers(*open(**layout, directory), which, locked.ref);
  Documents documents(
      [&] {
        return open_registry(
            world, request,
            fmt::format("the manifest {} of {} is not in the store, and --offline "
                        "forbids fetching it",
                        locked.manifest.brief(), locked.ref));
      },
      &world.store);
  auto manifest =
      oci::Manifest::parse(documents.manifest_by_digest(which, locked.ref), locked.ref);
  auto config = documents.config(manifest, locked.ref);
  return layers_of(std::move(manifest), std::move(config), locked.ref);
}

}  // namespace

std::string place_of(const BaseRequest& request) {
  if (const auto* layout = std::get_if<const LayoutSource*>(&request.source))
    return (*layout)->path;
  return oci::Reference::parse(request.ref).name();
}

LockedImage resolve_base(const BaseRequest& request, const LockedImage* sibling,
                         const BaseTools& tools) {
  try {
    if (const auto* layout = std::get_if<const LayoutSource*>(&request.source))
      return resolve_layout(request, **layout, tools);
    return resolve_registry(request, sibling, tools);
  } catch (oci::Error& error) {
    error.at(request.place, "asked for here");
    throw;
  }
}

BaseLayers base_layers(const oci::Repository& images, const oci::Descriptor& manifest,
                       const std::string& what) {
  auto parsed = oci::Manifest::parse(images.manifest(manifest), what);
  const auto blob = images.open({parsed.config.digest, parsed.config.size});
  auto config = oci::ImageConfig::parse(
      oci::read_all(*blob, oci::k_max_json, "the configuration"), what);
  return layers_of(std::move(parsed), std::move(config), what);
}

BaseManifests base_manifests(const Recipe& recipe, const Lock& lock, const World& world) {
  BaseManifests manifests;
  for (const BaseRequest& request : requests_of(recipe).bases) {
    for (const LockedImage& locked : lock.images) {
      if (locked.ref != request.ref || locked.platform != request.platform) continue;
      try {
        manifests.emplace(locked.manifest,
                          locked_layers(request, locked, recipe.directory, world));
      } catch (oci::Error& error) {
        error.at(request.place, "locked as " + locked.manifest.brief());
        if (error.code() == oci::Errc::not_found || error.code() == oci::Errc::mismatch)
          error.add_hint("if the base was replaced on purpose: `lithify lock --update`");
        throw;
      }
    }
  }
  return manifests;
}

}  // namespace lithify
