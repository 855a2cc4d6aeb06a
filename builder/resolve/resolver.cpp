#include "builder/resolve/resolver.h"

#include <algorithm>
#include <map>
#include <memory>

#include <fmt/format.h>

#include "oci/layer/archive_digest.h"
#include "oci/layer/layer_writer.h"
#include "oci/registry/download.h"

#include "builder/resolve/base_image.h"
#include "builder/resolve/codes.h"
#include "builder/resolve/locked_set.h"
#include "builder/resolve/requests.h"

namespace lithify {

namespace {

// Nothing that one url names may be larger; a limit, not an expectation.
constexpr std::uint64_t k_max_download = 16ULL << 30;

template <class List, class Same>
bool has(const List& list, Same same) {
  return std::any_of(list.begin(), list.end(), same);
}

// One run of the resolver: the old lock on one side, the new one growing on the other.
class Resolving {
 public:
  Resolving(World& world, const Recipe& recipe, const Lock& old, const Update& update,
            oci::Activity& activity, std::stop_token stop)
      : world_(world),
        recipe_(recipe),
        old_(old),
        update_(update),
        activity_(activity),
        stop_(std::move(stop)) {}

  Lock run() {
    const Requests requests = requests_of(recipe_);
    lock_.format = old_.format;
    for (const auto& encoder : requests.encoders)
      add_encoder(encoder);
    for (const BaseRequest& request : requests.bases)
      add_base(request);
    for (const UrlRequest& request : requests.urls)
      add_url(request);
    for (const PackageSetRequest& request : requests.sets)
      add_set(request);
    for (const OutputRequest& request : requests.outputs)
      add_output(request);
    if (!update_.all) keep_the_rest();
    finish_sets();
    add_indexes();
    refuse_unknown_names();
    return std::move(lock_);
  }

  Lock accept_repacked() {
    lock_ = old_;
    if (world_.http == nullptr) return std::move(lock_);
    for (const UrlRequest& request : requests_of(recipe_).urls) {
      const auto locked =
          std::find_if(lock_.urls.begin(), lock_.urls.end(),
                       [&](const LockedUrl& one) { return one.url == request.url; });
      if (!request.archive || locked == lock_.urls.end()) continue;
      if (!world_.store.has(locked->sha256)) accept(request, *locked);
    }
    return std::move(lock_);
  }

 private:
  void accept(const UrlRequest& request, LockedUrl& locked) {
    LockedUrl now = fetch(request);
    if (now == locked) return;
    if (now.tree != locked.tree) {
      throw oci::Error(oci::Errc::mismatch,
                       "the content of " + oci::url_for_people(request.url) +
                           " is not what the lock says, so it was not only packed anew")
          .at(request.place, "asked for here")
          .add_hint("see what has changed, then `lithify lock --update " +
                    *request.sources.begin() + "`");
    }
    activity_.warn(oci::url_for_people(request.url) +
                   " was packed anew; its content is what the lock says");
    locked = std::move(now);
  }

  struct Solved {
    LockedSet set;  // its members are named when all packages are known
    std::string architecture;
    std::vector<LockedPackage> packages;
    bool lost = false;  // something of the old set is in it no more
  };

  bool moves(const std::string& name) {
    if (update_.names.count(name) == 0) return update_.all;
    met_.insert(name);
    return true;
  }
  // Asks for every name, so that all that are met are known afterwards.
  bool any_moves(const std::set<std::string>& names) {
    bool any = false;
    for (const auto& name : names)
      any |= moves(name);
    return any;
  }

  void refuse_unknown_names() const {
    for (const auto& name : update_.names) {
      const auto is_called = [&](const LockedPackage& one) { return one.name == name; };
      if (met_.count(name) != 0 || has(lock_.packages, is_called)) continue;
      throw oci::Error(oci::Errc::bad_input,
                       fmt::format("nothing in the lock is called `{}`", name))
          .add_hint("name a source, an image, a stage, a package, a url or `encoder`");
    }
  }

  void add_encoder(const std::string& name) {
    const auto known = old_.encoders.find(name);
    const bool keep = known != old_.encoders.end() && !moves("encoder");
    lock_.encoders[name] =
        keep ? known->second
             : oci::encoder_identity(name == "gzip" ? oci::Compression::gzip
                                                    : oci::Compression::zstd);
  }

  void add_base(const BaseRequest& request) {
    std::set<std::string> names = request.sources;
    names.insert({request.ref, place_of(request)});
    const bool moving = any_moves(names);
    const LockedImage* sibling = find_image(lock_, request.ref);
    for (const LockedImage& image : old_.images) {
      if (moving || image.ref != request.ref) continue;
      if (image.platform == request.platform) {
        lock_.images.push_back(image);
        verify(request, lock_.images.back());
        return;
      }
      if (!sibling) sibling = &image;
    }
    const BaseTools tools{recipe_.directory, world_, activity_};
    LockedImage found = resolve_base(request, sibling, tools);
    verify(request, found);
    lock_.images.push_back(std::move(found));
  }

  // Asks about the signatures unless the same was asked about the same image before.
  void verify(const BaseRequest& request, LockedImage& image) {
    const auto asked = asked_of(request);
    if (!asked || image.asked == asked) return;
    const oci::Digest root = image.index.value_or(image.manifest);
    const auto known = verdicts_.find({*asked, root});
    image.verdicts =
        known != verdicts_.end() ? known->second : ask_verdicts(request, root);
    image.asked = asked;
    verdicts_[{*asked, root}] = image.verdicts;
  }

  std::vector<LockedVerdict> ask_verdicts(const BaseRequest& request,
                                          const oci::Digest& root) {
    if (!world_.verify_base) {
      throw oci::Error(oci::Errc::unavailable,
                       "the signatures of " + request.ref +
                           " are not in the lock, and --offline forbids asking")
          .number(code::k_offline)
          .at(request.verify.front()->place, "demanded here")
          .add_hint("build once with a network");
    }
    oci::Activity activity = activity_.start("verify " + request.ref);
    std::vector<LockedVerdict> verdicts;
    for (const ImageVerification* how : request.verify) {
      auto some = world_.verify_base({*how, request.ref, root, recipe_.directory});
      verdicts.insert(verdicts.end(), some.begin(), some.end());
    }
    activity.end(oci::Outcome::done);
    return verdicts;
  }

  static const LockedImage* find_image(const Lock& lock, const std::string& ref) {
    for (const LockedImage& image : lock.images) {
      if (image.ref == ref) return &image;
    }
    return nullptr;
  }

  void add_url(const UrlRequest& request) {
    std::set<std::string> names = request.sources;
    names.insert(request.url);
    const bool moving = any_moves(names);
    const LockedUrl* known = old_.find_url(request.url);
    const bool answers = known != nullptr && (!request.archive || known->tree) &&
                         (!request.declared || *request.declared == known->sha256);
    lock_.urls.push_back(answers && !moving ? *known : fetch(request));
  }

  LockedUrl fetch(const UrlRequest& request) {
    need_network(request.url + " is", request.place);
    oci::Activity fetching = activity_.start("fetch " + request.url);
    try {
      const auto found = oci::fetch_unnamed(*world_.http, {request.url, k_max_download},
                                            world_.store, stop_);
      if (!found) {
        throw oci::Error(oci::Errc::not_found,
                         oci::url_for_people(request.url) + " is not there")
            .add_hint("check the address; a `sha256:` beside it tells when it changes");
      }
      const oci::BlobRef blob = *found;
      if (request.declared && *request.declared != blob.digest) {
        throw oci::Error(
            oci::Errc::mismatch,
            fmt::format("{} has digest {}, the build file says {}", request.url,
                        blob.digest.hex(), request.declared->hex()))
            .add_hint(
                "compare with the digest its publisher gives before you change sha256");
      }
      LockedUrl locked{request.url, blob.size, blob.digest};
      if (request.archive) {
        const auto archive = oci::read_archive(world_.store.open(blob), request.url);
        locked.tree = oci::archive_digest(*archive);
      }
      fetching.end(oci::Outcome::done);
      return locked;
    } catch (oci::Error& error) {
      error.at(request.place, "asked for here");
      throw;
    }
  }

  bool set_moves(const PackageSetRequest& request, const LockedSet* known) {
    std::set<std::string> names{recipe_.sources.at(request.step->source).name,
                                request.image, owner_of(request.key)};
    if (known != nullptr) {
      for (const auto& member : known->packages)
        names.insert(member.substr(0, member.find_first_of(":=")));
    }
    return any_moves(names);
  }

  // What the old lock has for a set; nullopt if it is incomplete there.
  std::optional<std::vector<LockedPackage>> old_members(
      const LockedSet& set, const std::string& architecture) const {
    try {
      return members(set, old_, source_of(set), architecture);
    } catch (const oci::Error&) {
      return std::nullopt;
    }
  }

  // Requests come with those below them first, so that what stands below is solved by
  // now.
  void add_set(const PackageSetRequest& request) {
    const LockedSet* known = old_.find_set(request.key);
    const std::string architecture = debian_architecture(request.platform);
    const bool moving = set_moves(request, known);
    const auto before = known ? old_members(*known, architecture) : std::nullopt;
    std::vector<LockedPackage> already;
    bool shaken = false;
    for (const Solved& below : solved_) {
      if (!has(request.below, [&](const auto& key) { return key == below.set.key; }))
        continue;
      already.insert(already.end(), below.packages.begin(), below.packages.end());
      shaken |= below.lost;
    }
    Solved solved{{request.key, request.request, {}}, architecture, {}};
    if (before && known->request == request.request && !moving && !shaken) {
      solved.packages = *before;
    } else {
      const auto preferred =
          moving ? std::vector<LockedPackage>() : locked_before(request, before);
      solved.packages = select(request, already, preferred);
      solved.lost = before && has(*before, [&](const LockedPackage& old) {
                      return !has(solved.packages,
                                  [&](const LockedPackage& now) { return now == old; });
                    });
    }
    solved_.push_back(std::move(solved));
  }

  // All that was locked of the source, the set's own members last: they count most.
  std::vector<LockedPackage> locked_before(
      const PackageSetRequest& request,
      const std::optional<std::vector<LockedPackage>>& members) const {
    std::vector<LockedPackage> all;
    std::copy_if(old_.packages.begin(), old_.packages.end(), std::back_inserter(all),
                 [&](const LockedPackage& package) {
                   return package.source == request.step->source;
                 });
    if (members) all.insert(all.end(), members->begin(), members->end());
    return all;
  }

  std::vector<LockedPackage> select(const PackageSetRequest& request,
                                    const std::vector<LockedPackage>& already,
                                    const std::vector<LockedPackage>& preferred) {
    PackagesStep step = *request.step;
    step.run_scripts = request.essential;
    try {
      return open_archive(request).select(step, debian_architecture(request.platform),
                                          already, preferred);
    } catch (oci::Error& error) {
      error.at(request.place, "");
      throw;
    }
  }

  // What a command made is found out by running it; here it can only be forgotten.
  void add_output(const OutputRequest& request) {
    const bool moving = any_moves({request.name, owner_of(request.key)});
    asked_outputs_.insert(request.key);
    const LockedOutput* known = find_output(old_, request.key, request.asked);
    if (known != nullptr && !moving) lock_.outputs.push_back(*known);
  }

  void keep_the_rest() {
    for (const LockedOutput& output : old_.outputs) {
      if (asked_outputs_.count(output.key) == 0) lock_.outputs.push_back(output);
    }
    lock_.encoders.insert(old_.encoders.begin(), old_.encoders.end());
    for (const LockedImage& image : old_.images) {
      if (!has(lock_.images, [&](const LockedImage& kept) {
            return kept.ref == image.ref && kept.platform == image.platform;
          }))
        lock_.images.push_back(image);
    }
    for (const LockedUrl& url : old_.urls) {
      if (lock_.find_url(url.url) == nullptr) lock_.urls.push_back(url);
    }
    for (const LockedSet& set : old_.sets) {
      const auto key = SetKey::parse(set.key);
      if (!key || has(solved_, [&](const Solved& one) { return one.set.key == set.key; }))
        continue;
      const std::string architecture = debian_architecture(key->platform);
      auto packages = old_members(set, architecture);
      if (packages) solved_.push_back({set, architecture, std::move(*packages)});
    }
  }

  DebianArchive& open_archive(const PackageSetRequest& request) {
    auto& archive = archives_[request.step->source];
    if (!archive) {
      const Source& source = recipe_.sources.at(request.step->source);
      need_network("the package indexes of `" + source.name + "` are", request.place);
      archive = std::make_unique<DebianArchive>(
          std::get<AptSource>(source.kind), request.step->source, world_.apt,
          *world_.http, world_.store, activity_, stop_);
    }
    return *archive;
  }

  void finish_sets() {
    for (const Solved& solved : solved_) {
      lock_.packages.insert(lock_.packages.end(), solved.packages.begin(),
                            solved.packages.end());
    }
    std::sort(lock_.packages.begin(), lock_.packages.end());
    lock_.packages.erase(std::unique(lock_.packages.begin(), lock_.packages.end()),
                         lock_.packages.end());
    for (Solved& solved : solved_) {
      solved.set.packages = member_names(solved.packages, lock_, solved.architecture);
      lock_.sets.push_back(std::move(solved.set));
    }
  }

  // The indexes of the sources asked just now; of the others, what the old lock says.
  void add_indexes() {
    std::set<std::string> sources;
    for (const LockedPackage& package : lock_.packages)
      sources.insert(package.source);
    for (const auto& source : sources) {
      const auto asked = archives_.find(source);
      if (asked != archives_.end()) {
        const auto& indexes = asked->second->indexes();
        lock_.indexes.insert(lock_.indexes.end(), indexes.begin(), indexes.end());
      } else {
        std::copy_if(old_.indexes.begin(), old_.indexes.end(),
                     std::back_inserter(lock_.indexes),
                     [&](const LockedIndex& index) { return index.source == source; });
      }
    }
  }

  // `what` with its verb: "the indexes are".
  void need_network(const std::string& what, const Place& place) const {
    if (world_.http != nullptr) return;
    throw oci::Error(oci::Errc::unavailable,
                     what + " not in the lock, and --offline forbids asking")
        .number(code::k_offline)
        .at(place, "asked for here")
        .add_hint("run `lithify lock` once with a network");
  }

  World& world_;
  const Recipe& recipe_;
  const Lock& old_;
  const Update& update_;
  oci::Activity& activity_;
  std::stop_token stop_;
  Lock lock_;
  // By what was asked, and of which image.
  std::map<std::pair<oci::Digest, oci::Digest>, std::vector<LockedVerdict>> verdicts_;
  std::set<std::string> met_;  // names of the update that something answers to
  std::set<std::string> asked_outputs_;
  std::vector<Solved> solved_;
  std::map<std::string, std::unique_ptr<DebianArchive>> archives_;
};

}  // namespace

Lock Resolver::accept_repacked(const Recipe& recipe, const Lock& lock,
                               oci::Activity& activity, std::stop_token stop) {
  return Resolving(world_, recipe, lock, {}, activity, std::move(stop)).accept_repacked();
}

Lock Resolver::resolve(const Recipe& recipe, const Lock& old, const Update& update,
                       oci::Activity& activity, std::stop_token stop) {
  return Resolving(world_, recipe, old, update, activity, std::move(stop)).run();
}

}  // namespace lithify
