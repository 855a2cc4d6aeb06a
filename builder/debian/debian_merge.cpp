// debian_merge: first where directories lead, then who claims a path, then who gets it.
#include "builder/debian/debian_merge.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "oci/base/error.h"

#include "builder/tree/follow.h"

namespace lithify {
namespace {

using oci::FileType;

constexpr std::string_view k_data = "data";

// What merged /usr moves; debootstrap has the same set, by architecture.
constexpr std::array<std::string_view, 7> k_merged = {
    "bin", "lib", "lib32", "lib64", "libo32", "libx32", "sbin"};

std::string_view in_root(std::string_view path) {
  return path.size() <= k_data.size() ? std::string_view() : path.substr(5);
}

// The nodes below "data/", by path in the root. The root directory itself is left out: it
// belongs to nobody.
template <class Take>
void each_file(const UnpackedPackage& package, Take take) {
  const Tree::Nodes& nodes = package.tree.nodes();
  for (auto at = nodes.lower_bound("data/");
       at != nodes.end() && at->first.starts_with("data/"); ++at) {
    take(in_root(at->first), at->second);
  }
}

bool same_bytes(const Node& a, const Node& b, const oci::BlobStore& store) {
  if (a.content == b.content) return true;
  if (!a.content || !b.content || size_of(*a.content) != size_of(*b.content))
    return false;
  const auto digest = [&](const Content& content) {
    oci::NullSink nowhere;
    oci::HashingSink hashed(nowhere);
    oci::copy(*open_content(content, store), hashed);
    return std::move(hashed).finish();
  };
  return digest(*a.content) == digest(*b.content);
}

bool same_file(const Node& a, const Node& b, const oci::BlobStore& store) {
  return a.type == b.type && a.link == b.link && a.attributes.mode == b.attributes.mode &&
         a.attributes.uid == b.attributes.uid && a.attributes.gid == b.attributes.gid &&
         (a.type != FileType::regular || same_bytes(a, b, store));
}

struct Claim {
  const UnpackedPackage* package;
  const Node* node;
};
using Claims = std::vector<Claim>;

bool is_directory_claim(const Claim& claim) {
  return is_directory(*claim.node);
}

// Where paths of packages lie once symlinks to directories are followed.
class Directions {
 public:
  Directions(const InstalledRoot& root, std::span<const UnpackedPackage> packages)
      : root_(root), nodes_(root.directories_and_links()) {
    find_merged_usr(packages);
    find_directories(packages);
    find_links(packages);
  }

  // Names of /bin and its like that must become symlinks.
  const std::set<std::string, std::less<>>& merged() const { return merged_; }

  std::string of_directory(std::string_view path) const {
    auto place = follow(nodes_, path, Missing::append);
    if (!place) {
      throw oci::Error(oci::Errc::bad_input,
                       fmt::format("the symlinks of /{} lead in a circle", path));
    }
    return std::move(*place);
  }

  std::string of_file(std::string_view path) const {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string_view::npos) return std::string(path);
    const std::string parent = of_directory(path.substr(0, slash));
    return parent.empty() ? std::string(path.substr(slash + 1))
                          : fmt::format("{}/{}", parent, path.substr(slash + 1));
  }

  std::optional<std::string> of_target(std::string_view place, const Node& link) const {
    if (link.link.starts_with('/')) {
      return follow(nodes_, link.link.substr(1), Missing::append);
    }
    const std::size_t slash = place.rfind('/');
    const std::string_view parent =
        slash == std::string_view::npos ? std::string_view() : place.substr(0, slash);
    return follow(nodes_, fmt::format("{}/{}", parent, link.link), Missing::append);
  }

 private:
  void add_link(std::string_view path, std::string_view target) {
    Node node;
    node.type = FileType::symlink;
    node.link = target;
    nodes_.insert_or_assign(std::string(path), std::move(node));
  }

  void find_merged_usr(std::span<const UnpackedPackage> packages) {
    for (const std::string_view name : k_merged) {
      if (root_.find_link(name) != nullptr) continue;
      const std::string member = fmt::format("data/{}", name);
      const bool used = std::any_of(packages.begin(), packages.end(),
                                    [&](const UnpackedPackage& package) {
                                      return package.tree.find(member) != nullptr;
                                    });
      if (!used) continue;
      add_link(name, fmt::format("usr/{}", name));
      merged_.emplace(name);
    }
  }

  void find_directories(std::span<const UnpackedPackage> packages) {
    for (const UnpackedPackage& package : packages) {
      each_file(package, [&](std::string_view path, const Node& node) {
        if (is_directory(node)) directories_.insert(of_directory(path));
      });
    }
  }

  // A packaged symlink to a directory sends what other packages put under its name
  // there.
  void find_links(std::span<const UnpackedPackage> packages) {
    for (const UnpackedPackage& package : packages) {
      each_file(package, [&](std::string_view path, const Node& node) {
        if (node.type != FileType::symlink) return;
        const std::string place = of_file(path);
        if (!directories_.contains(place) || root_.is_directory(place)) return;
        const auto target = of_target(place, node);
        if (!target || *target == place || !directories_.contains(*target)) return;
        add_link(place, "/" + *target);
      });
    }
  }

  const InstalledRoot& root_;
  Tree::Nodes nodes_;  // directories and links only
  std::set<std::string, std::less<>> directories_;
  std::set<std::string, std::less<>> merged_;
};

class Merger {
 public:
  Merger(InstalledRoot& root, std::span<const UnpackedPackage> packages,
         const DebianContext& context)
      : root_(root), directions_(root, packages), context_(context) {
    for (const UnpackedPackage& package : packages)
      collect(package);
  }

  Tree::Nodes settle() {
    Tree::Nodes settled;
    for (auto& [path, claims] : claims_) {
      drop_links_to_themselves(path, claims);
      Node node = choose(path, claims);
      node.attributes.mtime = is_directory(node)
                                  ? context_.mtime
                                  : std::min(node.attributes.mtime, context_.clamp);
      settled.emplace(path, std::move(node));
    }
    return settled;
  }

  void lay(const Tree::Nodes& settled) {
    for (const std::string& name : directions_.merged()) {
      root_.symlink(name, fmt::format("usr/{}", name));
    }
    for (const auto& [path, node] : settled) {
      if (is_directory(node) && keeps_directory(path)) continue;
      root_.put(path, node);
    }
  }

 private:
  void collect(const UnpackedPackage& package) {
    each_file(package, [&](std::string_view path, const Node& node) {
      if (is_directory(node)) {
        claims_[directions_.of_directory(path)].push_back({&package, &node});
        return;
      }
      const std::string place = directions_.of_file(path);
      // The symlinks of merged /usr that base-files ships are made by lay().
      if (node.type == FileType::symlink && directions_.merged().contains(place)) return;
      if (node.type == FileType::symlink && root_.is_directory(place)) return;
      claims_[place].push_back({&package, &node});
    });
  }

  bool keeps_directory(const std::string& path) const {
    const Node* old = root_.find_link(path);
    return old != nullptr && is_directory(*old) && !old->implied;
  }

  // With merged /usr, "/usr/bin/x -> /bin/x" beside /bin/x would be a link to itself.
  void drop_links_to_themselves(const std::string& path, Claims& claims) const {
    if (claims.size() < 2) return;
    Claims rest = claims;
    rest.erase(std::remove_if(rest.begin(), rest.end(),
                              [&](const Claim& claim) {
                                return claim.node->type == FileType::symlink &&
                                       directions_.of_target(path, *claim.node) == path;
                              }),
               rest.end());
    if (!rest.empty()) claims = std::move(rest);
  }

  Node choose(const std::string& path, Claims& claims) const {
    const auto files =
        std::stable_partition(claims.begin(), claims.end(), is_directory_claim);
    if (files == claims.begin()) return choose_file(path, claims);
    if (files != claims.end()) {
      warn(path, claims, *claims.front().package, "what is a directory elsewhere");
    }
    claims.erase(files, claims.end());
    return choose_directory(claims);
  }

  // Shared directories belong to no package, so that layers split by package agree.
  static Node choose_directory(const Claims& claims) {
    const auto special = [](const Claim& claim) {
      const oci::Attributes& attributes = claim.node->attributes;
      return attributes.mode != 0755 || attributes.uid != 0 || attributes.gid != 0;
    };
    auto chosen = std::find_if(claims.begin(), claims.end(), [](const Claim& claim) {
      return claim.package->name == "base-files";
    });
    if (chosen == claims.end()) {
      chosen = std::find_if(claims.begin(), claims.end(), special);
    }
    if (chosen == claims.end()) chosen = claims.begin();
    Node node = *chosen->node;
    node.implied = false;
    if (claims.size() > 1) node.origin.clear();
    return node;
  }

  Node choose_file(const std::string& path, Claims& claims) const {
    if (claims.size() > 1) drop_replaced(claims);
    const Claim& first = claims.front();
    const bool equal =
        std::all_of(claims.begin() + 1, claims.end(), [&](const Claim& claim) {
          return same_file(*first.node, *claim.node, context_.store);
        });
    if (equal) return *first.node;
    std::vector<const Claim*> diverting;
    for (const Claim& claim : claims) {
      if (diverts(*claim.package)) diverting.push_back(&claim);
    }
    if (diverting.size() == 1) return *diverting.front()->node;
    warn(path, claims, *claims.back().package, "a different file");
    return *claims.back().node;
  }

  static void drop_replaced(Claims& claims) {
    const auto replaced = [&](const Claim& claim) {
      return std::any_of(claims.begin(), claims.end(), [&](const Claim& other) {
        return other.package != claim.package &&
               other.package->replaces(*claim.package) &&
               !claim.package->replaces(*other.package);
      });
    };
    Claims rest;
    std::remove_copy_if(claims.begin(), claims.end(), std::back_inserter(rest), replaced);
    if (!rest.empty()) claims = std::move(rest);
  }

  static bool diverts(const UnpackedPackage& package) {
    for (const char* kind : {"preinst", "postinst"}) {
      const std::string* script = package.script(kind);
      if (script != nullptr && script->find("dpkg-divert") != std::string::npos) {
        return true;
      }
    }
    return false;
  }

  void warn(const std::string& path, const Claims& claims, const UnpackedPackage& winner,
            std::string_view what) const {
    std::vector<std::string_view> names;
    for (const Claim& claim : claims)
      names.push_back(claim.package->name);
    context_.activity.warn(fmt::format("{} each ship {} at /{}; the one of {} is used",
                                       fmt::join(names, " and "), what, path,
                                       winner.name));
  }

  InstalledRoot& root_;
  Directions directions_;
  const DebianContext& context_;
  std::map<std::string, Claims> claims_;
};

}  // namespace

void merge_packages(InstalledRoot& root, std::span<const UnpackedPackage> packages,
                    const DropRules& drop, const DebianContext& context) {
  Merger merger(root, packages, context);
  Tree::Nodes settled = merger.settle();
  drop.apply(settled);
  merger.lay(settled);
}

}  // namespace lithify
