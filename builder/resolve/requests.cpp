#include "builder/resolve/requests.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "builder/plan/key.h"
#include "builder/resolve/locked_set.h"
#include "builder/resolve/package_source.h"
#include "builder/resolve/sites.h"
#include "builder/resolve/stale_lock.h"

namespace lithify {

namespace {

std::string request_text(const PackagesStep& step, bool essential) {
  std::vector<std::string> words;
  for (const PackageRequest& package : step.packages) {
    std::string word = package.name;
    if (!package.architecture.empty()) word += ":" + package.architecture;
    if (!package.version.empty()) word += "=" + package.version;
    words.push_back(std::move(word));
  }
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  std::string text = step.source + ":";
  for (const auto& word : words)
    text += " " + word;
  if (step.recommends) text += " +recommends";
  if (essential) text += " +essential";
  return text;
}

bool is_remote(const std::string& location) {
  return location.find("://") != std::string::npos;
}

const char* encoder_of(Layering::Compression compression) {
  switch (compression) {
    case Layering::Compression::zstd:
      return "zstd";
    case Layering::Compression::gzip:
      return "gzip";
    case Layering::Compression::none:
      break;
  }
  return nullptr;
}

// Walks a recipe once and notes each request the first time it is met.
class Collector {
 public:
  explicit Collector(const Recipe& recipe) : recipe_(recipe) {}

  Requests collect() {
    std::set<std::string> encoders;
    for (const ImageRecipe& image : recipe_.images) {
      if (const char* encoder = encoder_of(image.layering.compression)) {
        encoders.insert(encoder);
      }
      for (const ImageVariant& variant : image.variants)
        add_site(site_of(image, variant));
    }
    found_.encoders.assign(encoders.begin(), encoders.end());
    return std::move(found_);
  }

 private:
  // What a site stands on comes first, so that a solver meets the lowest set first.
  void add_site(const Site& site) {
    if (!seen_.insert("site " + site.lock_name + " " + site.platform.str()).second)
      return;
    if (site.from.kind == From::Kind::source) {
      add_source(site.from.name, site.runs_on, site.from.place);
    } else if (const auto base = site_below(recipe_, site)) {
      add_site(*base);
    }
    std::vector<std::string> below = sets_below(site);
    for (const RecipeStep& step : site.steps) {
      if (const auto* copy = std::get_if<CopyStep>(&step.verb)) {
        add_tree(copy->source, copy->of_stage, site, step.place);
      } else if (const auto* run = std::get_if<RunStep>(&step.verb)) {
        add_run(*run, site, step.place);
      } else if (const auto* packages = std::get_if<PackagesStep>(&step.verb)) {
        const std::string key = lock_key(site, packages->number).str();
        const bool essential = packages->run_scripts && on_nothing(site);
        if (seen_.insert("set " + key).second)
          found_.sets.push_back({key, request_text(*packages, essential), site.name,
                                 packages, site.runs_on, step.place, below, essential});
        below.push_back(key);
      }
    }
  }

  // Whether no source is below the site.
  bool on_nothing(const Site& site) const {
    if (site.from.kind == From::Kind::source) return false;
    const auto base = site_below(recipe_, site);
    return !base || on_nothing(*base);
  }

  void add_run(const RunStep& run, const Site& site, const Place& place) {
    for (const RunMount& mount : run.mounts) {
      if (mount.kind == RunMount::Kind::tree)
        add_tree(mount.from, mount.of_stage, site, mount.place);
    }
    if (run.network != Network::pinned) return;
    const std::string key = lock_key(site, run.number).str();
    if (seen_.insert("output " + key).second)
      found_.outputs.push_back({key, site.name, asked_of(run), place});
  }

  void add_tree(const std::string& name, bool of_stage, const Site& site,
                const Place& place) {
    if (of_stage) {
      add_site(stage_site(recipe_, name, site.platform));
    } else {
      add_source(name, site.platform, place);
    }
  }

  // The sets of every image and stage this one is built upon, lowest first.
  std::vector<std::string> sets_below(const Site& site) {
    const auto base = site_below(recipe_, site);
    if (!base) return {};
    std::vector<std::string> keys = sets_below(*base);
    for (const RecipeStep& step : base->steps) {
      if (const auto* packages = std::get_if<PackagesStep>(&step.verb)) {
        keys.push_back(lock_key(*base, packages->number).str());
      }
    }
    return keys;
  }

  void add_source(const std::string& key, const oci::Platform& platform,
                  const Place& place) {
    const Source& source = recipe_.sources.at(key);
    if (const auto* url = std::get_if<UrlSource>(&source.kind)) {
      add_url(url->url, url->sha256, false, source);
    } else if (const auto* archive = std::get_if<ArchiveSource>(&source.kind)) {
      if (is_remote(archive->location)) {
        add_url(archive->location, archive->sha256, true, source);
      }
    } else if (const auto* layout = std::get_if<LayoutSource>(&source.kind)) {
      add_base({*image_ref(source), {source.name}, layout, platform, place});
    } else if (const auto* image = std::get_if<ImageSource>(&source.kind)) {
      BaseRequest request{
          image->ref, {source.name}, image, image_platform(source, platform), place};
      if (image->verify) request.verify.push_back(&*image->verify);
      add_base(std::move(request));
    }
  }

  void add_base(BaseRequest request) {
    for (BaseRequest& known : found_.bases) {
      if (known.ref != request.ref || known.platform != request.platform) continue;
      known.sources.merge(request.sources);
      known.verify.insert(known.verify.end(), request.verify.begin(),
                          request.verify.end());
      return;
    }
    found_.bases.push_back(std::move(request));
  }

  // The lock has one entry for an address, so it is one request.
  void add_url(const std::string& url, const std::optional<oci::Digest>& declared,
               bool archive, const Source& source) {
    for (UrlRequest& known : found_.urls) {
      if (known.url != url) continue;
      known.sources.insert(source.name);
      known.archive |= archive;
      if (!declared) return;
      if (known.declared && *known.declared != *declared) {
        throw contradiction(url, known.place, source.place);
      }
      known.declared = declared;
      return;
    }
    found_.urls.push_back({url, {source.name}, declared, archive, source.place});
  }

  static oci::Error contradiction(const std::string& url, const Place& first,
                                  const Place& second) {
    return oci::Error(oci::Errc::bad_input,
                      "two sources declare different sha256 for " + url)
        .at(second, "not what the other one says")
        .also_at(first, "the other one")
        .add_hint("compare with the digest its publisher gives and keep one source");
  }

  const Recipe& recipe_;
  Requests found_;
  std::set<std::string> seen_;
};

const LockedImage* find_base(const Lock& lock, const BaseRequest& request) {
  for (const LockedImage& image : lock.images) {
    if (image.ref == request.ref && image.platform == request.platform) return &image;
  }
  return nullptr;
}

// What a set's request asks for now and did not when it was locked: "tzdata".
std::string difference(const std::string& now, const std::string& locked) {
  const auto words_of = [](const std::string& text) {
    std::set<std::string> words;
    for (std::size_t start = 0; start < text.size();) {
      const std::size_t end = std::min(text.find(' ', start), text.size());
      words.insert(text.substr(start, end - start));
      start = end + 1;
    }
    return words;
  };
  const std::set<std::string> before = words_of(locked);
  const std::set<std::string> after = words_of(now);
  std::string text;
  for (const auto& word : after) {
    if (before.count(word) == 0) text += (text.empty() ? "" : ", ") + word;
  }
  for (const auto& word : before) {
    if (after.count(word) == 0) text += (text.empty() ? "no more " : ", no more ") + word;
  }
  return text;
}

// A step of that number is written in the image or stage; whether `when` and --platform
// let it take part today does not matter.
bool has_place_for(const Recipe& recipe, const std::string& text,
                   std::size_t ImageRecipe::*of_image,
                   std::size_t StageRecipe::*of_stage) {
  const auto key = SetKey::parse(text);
  if (!key) return false;
  const bool in_image = std::any_of(
      recipe.images.begin(), recipe.images.end(), [&](const ImageRecipe& image) {
        return image.lock_name == key->image && key->number < image.*of_image;
      });
  // Behind the "@" stands the platform of the images that a stage is for.
  const std::string stage_name = key->image.substr(0, key->image.find('@'));
  return in_image ||
         std::any_of(
             recipe.stages.begin(), recipe.stages.end(), [&](const StageRecipe& stage) {
               return stage.lock_name == stage_name && key->number < stage.*of_stage;
             });
}

template <class Test>
bool any_source(const Recipe& recipe, Test test) {
  return std::any_of(recipe.sources.begin(), recipe.sources.end(), [&](const auto& item) {
    return std::visit(test, item.second.kind);
  });
}

template <class Kind>
bool fetches(const Kind& kind, const std::string& url) {
  if constexpr (std::is_same_v<Kind, UrlSource>) return kind.url == url;
  if constexpr (std::is_same_v<Kind, ArchiveSource>) return kind.location == url;
  return false;
}

bool complete(const LockedSet& set, const Lock& lock, const PackageSetRequest& request) {
  try {
    members(set, lock, request.step->source, debian_architecture(request.platform));
    return true;
  } catch (const oci::Error&) {
    return false;
  }
}

}  // namespace

Requests requests_of(const Recipe& recipe) {
  return Collector(recipe).collect();
}

std::optional<std::string> image_ref(const Source& source) {
  if (const auto* layout = std::get_if<LayoutSource>(&source.kind))
    return "layout:" + layout->path + (layout->tag.empty() ? "" : ":" + layout->tag);
  if (const auto* image = std::get_if<ImageSource>(&source.kind)) return image->ref;
  return std::nullopt;
}

oci::Platform image_platform(const Source& source, const oci::Platform& platform) {
  const auto* image = std::get_if<ImageSource>(&source.kind);
  return image && image->build_platform ? oci::Platform::host() : platform;
}

std::optional<oci::Digest> asked_of(const BaseRequest& request) {
  if (request.verify.empty()) return std::nullopt;
  std::set<std::string> all;  // the order of sources is no part of the question
  for (const ImageVerification* one : request.verify)
    all.insert(one->asked);
  std::string text;
  for (const std::string& asked : all)
    text += asked + "\n";
  return oci::Digest::of(text);
}

oci::Digest asked_of(const RunStep& run) {
  KeyDocument said;
  said.field("argv", run.argv)
      .field("env", run.env)
      .field("unset", run.unset)
      .field("cwd", run.cwd)
      .field("user", run.user)
      .field("outputs", run.outputs)
      .field("clock", static_cast<std::uint64_t>(run.clock))
      .field("unnormalised", run.unnormalised);
  for (const RunMount& mount : run.mounts) {
    said.field("mount", static_cast<std::uint64_t>(mount.kind))
        .field("from", mount.from)
        .field("path", mount.path)
        .field("id", mount.id)
        .field("at", mount.at)
        .field("env", mount.env);
  }
  return said.digest();
}

std::optional<oci::Digest> asked_of(const Recipe& recipe, std::string_view key) {
  for (const OutputRequest& request : requests_of(recipe).outputs) {
    if (request.key == key) return request.asked;
  }
  return std::nullopt;
}

const LockedOutput* find_output(const Lock& lock, std::string_view key,
                                const oci::Digest& asked) {
  const LockedOutput* const known = lock.find_output(key);
  return known != nullptr && known->asked.value_or(asked) == asked ? known : nullptr;
}

std::vector<oci::Error> unmet(const Recipe& recipe, const Lock& lock) {
  std::vector<oci::Error> missing;
  const auto stale = [&](const Place& place, std::string label) {
    return stale_lock(recipe, place, std::move(label));
  };
  const Requests requests = requests_of(recipe);
  for (const auto& encoder : requests.encoders) {
    if (lock.encoders.count(encoder) == 0) {
      missing.push_back(stale({}, "").add_note("it names no encoder for " + encoder));
    }
  }
  for (const PackageSetRequest& request : requests.sets) {
    const LockedSet* set = lock.find_set(request.key);
    if (set == nullptr) {
      missing.push_back(stale(request.place, "no set `" + request.key + "` in the lock"));
    } else if (set->request != request.request) {
      missing.push_back(stale(
          request.place, fmt::format("set `{}` was locked without this: {}", request.key,
                                     difference(request.request, set->request))));
    } else if (!complete(*set, lock, request)) {
      missing.push_back(stale(
          request.place, "set `" + request.key + "` names packages that the lock lacks"));
    }
  }
  for (const UrlRequest& request : requests.urls) {
    const LockedUrl* url = lock.find_url(request.url);
    if (url == nullptr || (request.archive && !url->tree)) {
      missing.push_back(stale(request.place, "not in the lock"));
    } else if (request.declared && *request.declared != url->sha256) {
      missing.push_back(stale(request.place, "locked with another sha256"));
    }
  }
  for (const BaseRequest& request : requests.bases) {
    const LockedImage* base = find_base(lock, request);
    const auto asked = asked_of(request);
    if (base == nullptr) {
      missing.push_back(
          stale(request.place, "not in the lock for " + request.platform.str()));
    } else if (asked && base->asked != asked) {
      missing.push_back(stale(request.verify.front()->place,
                              base->asked ? "locked for other signatures than these"
                                          : "locked without looking at its signatures"));
    }
  }
  return missing;
}

std::vector<oci::Error> unpinned(const Recipe& recipe, const Lock& lock) {
  std::vector<oci::Error> missing;
  for (const OutputRequest& request : requests_of(recipe).outputs) {
    if (find_output(lock, request.key, request.asked) != nullptr) continue;
    missing.push_back(outputs_not_locked(
        recipe, request.place,
        lock.find_output(request.key) == nullptr
            ? fmt::format("no outputs of `{}` in the lock", request.key)
            : fmt::format("the outputs of `{}` were locked for another command",
                          request.key)));
  }
  return missing;
}

std::vector<std::string> unused(const Recipe& recipe, const Lock& lock) {
  std::vector<std::string> left;
  for (const LockedSet& set : lock.sets) {
    if (!has_place_for(recipe, set.key, &ImageRecipe::packages_steps,
                       &StageRecipe::packages_steps))
      left.push_back("set " + set.key);
  }
  for (const LockedOutput& output : lock.outputs) {
    if (!has_place_for(recipe, output.key, &ImageRecipe::run_steps,
                       &StageRecipe::run_steps))
      left.push_back("outputs of " + output.key);
  }
  for (const LockedUrl& url : lock.urls) {
    if (!any_source(recipe, [&](const auto& kind) { return fetches(kind, url.url); })) {
      left.push_back("url " + url.url);
    }
  }
  for (const LockedImage& image : lock.images) {
    const bool wanted = std::any_of(
        recipe.sources.begin(), recipe.sources.end(),
        [&](const auto& item) { return image_ref(item.second) == image.ref; });
    if (!wanted) {
      left.push_back("image " + image.ref + " " + image.platform.str());
    }
  }
  return left;
}

}  // namespace lithify
