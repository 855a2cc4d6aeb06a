#include "builder/resolve/resolver.h"

#include <algorithm>
#include <map>
#include <memory>

#include <fmt/format.h>

#include "oci/layer/archive_digest.h"
#include "oci/layer/layer_writer.h"
#include "oci/registry/download.h"

#include "builder/resolve/base_image.h"
#include "builder/resolve/locked_set.h"
#include "builder/resolve/requests.h"

namespace lithify {

namespace {

// Nothing that one url names may be larger; a limit, not an expectation.
constexpr std::uint64_t k_max_download = 16ULL << 30;

std::string image_of(const std::string& set_key) {
  return set_key.substr(0, set_key.find('/'));
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
    finish_sets();
    add_indexes();
    refuse_unknown_names();
    return std::move(lock_);
  }

 private:
  struct Solved {
    const PackageSetRequest* request;
    std::vector<LockedPackage> packages;
  };

  bool moves(const std::string& name) {
    if (update_.names.count(name) == 0) return update_.all;
    met_.insert(name);
    return true;
  }

  void refuse_unknown_names() const {
    for (const auto& name : update_.names) {
      if (met_.count(name) != 0) continue;
      throw oci::Error(oci::Errc::bad_input,
                       fmt::format("nothing in the lock is called `{}`", name))
          .add_hint("name a source, an image, a package, a url or `encoder`");
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
    for (const LockedImage& image : old_.images) {
      if (image.ref != request.ref || image.platform != request.platform) continue;
      const bool by_ref = moves(request.ref);
      if (!by_ref && !moves(request.source->path)) {
        lock_.images.push_back(image);
        return;
      }
    }
    lock_.images.push_back(resolve_base(request, recipe_.directory));
  }

  void add_url(const UrlRequest& request) {
    const LockedUrl* known = old_.find_url(request.url);
    const bool answers = known != nullptr && (!request.archive || known->tree) &&
                         (!request.declared || *request.declared == known->sha256);
    if (answers && !moves(request.url)) {
      lock_.urls.push_back(*known);
      return;
    }
    lock_.urls.push_back(fetch(request));
  }

  LockedUrl fetch(const UrlRequest& request) {
    need_network(request.url, request.place);
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

  // Asks for every name, so that all that are met are known afterwards.
  bool set_moves(const PackageSetRequest& request, const LockedSet& set) {
    bool any = moves(recipe_.sources.at(request.step->source).name);
    any |= moves(image_of(request.key));
    for (const auto& member : set.packages) {
      any |= moves(member.substr(0, member.find_first_of(":=")));
    }
    return any;
  }

  // Requests come with those below them first, so that what stands below is solved by
  // now.
  void add_set(const PackageSetRequest& request) {
    const LockedSet* known = old_.find_set(request.key);
    if (known != nullptr && known->request == request.request &&
        !set_moves(request, *known)) {
      try {
        solved_.push_back({&request, members(*known, old_, request.step->source,
                                             debian_architecture(request.platform))});
        return;
      } catch (const oci::Error&) {
        // The old lock is incomplete here; solving anew completes it.
      }
    }
    std::vector<LockedPackage> already;
    for (const Solved& solved : solved_) {
      const auto& below = request.below;
      if (std::find(below.begin(), below.end(), solved.request->key) == below.end())
        continue;
      already.insert(already.end(), solved.packages.begin(), solved.packages.end());
    }
    try {
      DebianArchive& archive = open_archive(request);
      solved_.push_back(
          {&request, archive.select(*request.step, debian_architecture(request.platform),
                                    already)});
    } catch (oci::Error& error) {
      error.at(request.place, "");
      throw;
    }
  }

  DebianArchive& open_archive(const PackageSetRequest& request) {
    auto& archive = archives_[request.step->source];
    if (!archive) {
      const Source& source = recipe_.sources.at(request.step->source);
      need_network("the package indexes of `" + source.name + "`", request.place);
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
    for (const Solved& solved : solved_) {
      lock_.sets.push_back({solved.request->key, solved.request->request,
                            member_names(solved.packages, lock_,
                                         debian_architecture(solved.request->platform))});
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

  void need_network(const std::string& what, const Place& place) const {
    if (world_.http != nullptr) return;
    throw oci::Error(oci::Errc::unavailable,
                     what +
                         " is not in the lock, and --offline forbids "
                         "asking for it")
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
  std::set<std::string> met_;  // names of the update that something answers to
  std::vector<Solved> solved_;
  std::map<std::string, std::unique_ptr<DebianArchive>> archives_;
};

}  // namespace

Lock Resolver::resolve(const Recipe& recipe, const Lock& old, const Update& update,
                       oci::Activity& activity, std::stop_token stop) {
  return Resolving(world_, recipe, old, update, activity, std::move(stop)).run();
}

}  // namespace lithify
