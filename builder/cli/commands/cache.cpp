// lithify cache: what the store holds, and less of it.
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/json.h"
#include "oci/image/manifest.h"

#include "builder/cli/commands/commands.h"
#include "builder/cli/text.h"

namespace lithify {

namespace {

constexpr std::int64_t k_keep_unused = 14LL * 24 * 3600;  // seconds

struct Holdings {
  std::size_t blobs = 0;
  std::uint64_t bytes = 0;
};

Holdings holdings_of(const oci::DirectoryStore& store) {
  Holdings holdings;
  for (const auto& info : store.list()) {
    ++holdings.blobs;
    holdings.bytes += info.blob.size;
  }
  return holdings;
}

int list(Session& session) {
  const oci::Repository& images = session.images();
  const Holdings holdings = holdings_of(session.store());
  nlohmann::json names = nlohmann::json::array();
  std::string text;
  for (const std::string& name : images.tags()) {
    const auto root = images.resolve(name);
    if (!root) continue;
    names.push_back({{"digest", root->digest.str()}, {"name", name}});
    text += fmt::format("{}  {}\n", visible(name), root->digest.str());
  }
  if (session.options().json) {
    session.print(oci::canonical_json({{"schema", "lithify.cache/1"},
                                       {"store", session.store_path().string()},
                                       {"blobs", holdings.blobs},
                                       {"bytes", holdings.bytes},
                                       {"images", names}}) +
                  "\n");
    return exits::k_ok;
  }
  session.print(text);
  if (session.wants_summary()) {
    session.tell(fmt::format("{} in {} blobs at {}\n", human_size(holdings.bytes),
                             holdings.blobs, session.store_path().string()));
  }
  return exits::k_ok;
}

// Everything that the images with names consist of.
class Reachable {
 public:
  explicit Reachable(const oci::Repository& images) : images_(images) {
    for (const std::string& name : images.tags()) {
      if (const auto root = images.resolve(name)) visit(*root);
    }
  }

  bool has(const oci::Digest& digest) const { return digests_.count(digest) > 0; }

 private:
  void visit(const oci::Descriptor& which) {
    const bool fresh = digests_.insert(which.digest).second;
    if (!fresh || !images_.has_manifest(which.digest)) return;
    const std::string text = images_.manifest(which);
    if (which.media_type == oci::media_type::k_index ||
        which.media_type == oci::media_type::k_docker_index) {
      for (const auto& entry : oci::Index::parse(text, which.digest.str()).manifests)
        visit(entry);
      return;
    }
    const auto manifest = oci::Manifest::parse(text, which.digest.str());
    digests_.insert(manifest.config.digest);
    for (const auto& layer : manifest.layers)
      digests_.insert(layer.digest);
  }

  const oci::Repository& images_;
  std::set<oci::Digest> digests_;
};

int prune(Session& session) {
  const bool all = session.options().all;
  const Reachable reachable(session.images());
  const std::int64_t oldest = session.now() - k_keep_unused;
  const std::uint64_t freed =
      session.store().prune([&](const oci::DirectoryStore::BlobInfo& info) {
        const bool wanted = reachable.has(info.blob.digest) || info.last_used >= oldest;
        return wanted && !all;
      });
  if (session.options().json) {
    session.print(oci::canonical_json({{"schema", "lithify.prune/1"}, {"freed", freed}}) +
                  "\n");
  } else if (session.wants_summary()) {
    session.tell("freed " + human_size(freed) + "\n");
  }
  return exits::k_ok;
}

}  // namespace

int run_cache(Session& session) {
  const auto& operands = session.options().operands;
  if (operands.size() == 1 && operands[0] == "ls") return list(session);
  if (operands.size() == 1 && operands[0] == "prune") return prune(session);
  throw oci::Error(oci::Errc::bad_input,
                   operands.empty() ? "`lithify cache` needs to know what to do"
                                    : "`lithify cache` cannot `" + operands[0] + "`")
      .add_hint("write `lithify cache ls` or `lithify cache prune`");
}

}  // namespace lithify
