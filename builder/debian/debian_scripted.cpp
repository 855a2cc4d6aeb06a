// debian_scripted: as few files as dpkg needs to start; all the rest is dpkg's own work.
#include "builder/debian/debian_scripted.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/debian/deb_archive.h"
#include "builder/debian/debian_database.h"
#include "builder/debian/debian_drop.h"
#include "builder/debian/debian_merge.h"
#include "builder/debian/debian_order.h"
#include "builder/debian/debian_package.h"
#include "builder/debian/installed_root.h"

namespace lithify {
namespace {

using oci::Errc;
using oci::Error;
using oci::FileType;

constexpr const char* k_dpkg = "usr/bin/dpkg";
constexpr const char* k_status = "var/lib/dpkg/status";

// What policy-rc.d(8) calls "action forbidden".
constexpr std::string_view k_policy = "#!/bin/sh\nexit 101\n";

// dpkg looks for these before it does anything.
struct Program {
  const char* path;
  const char* package;
};
constexpr std::array k_programs = {
    Program{"bin/sh", "dash"},
    Program{"usr/bin/dpkg", "dpkg"},
    Program{"bin/tar", "tar"},
    Program{"bin/rm", "coreutils"},
    Program{"usr/bin/diff", "diffutils"},
    Program{"sbin/ldconfig", "libc-bin"},
    Program{"usr/bin/perl", "perl-base"},
    Program{"bin/sed", "sed"},
    Program{"bin/grep", "grep"},
};

// debootstrap makes these links on every system of the architecture, used or not.
std::vector<std::string> library_links(std::string_view architecture) {
  if (architecture == "amd64") return {"lib32", "lib64", "libx32"};
  if (architecture == "i386") return {"lib64", "libx32"};
  if (architecture == "ppc64el" || architecture == "s390x") return {"lib64"};
  return {};
}

const Node& archive_in(const Tree& tree) {
  for (const auto& [path, node] : tree.nodes()) {
    if (node.type == FileType::regular && node.content) return node;
  }
  throw Error(Errc::internal, "a package to install has no file");
}

std::vector<UnpackedPackage> read_controls(const DebianSet& set,
                                           std::span<const Tree> archives,
                                           const oci::BlobStore& store) {
  if (archives.size() != set.packages.size()) {
    throw Error(Errc::internal, fmt::format("{} packages to install, but {} archives",
                                            set.packages.size(), archives.size()));
  }
  std::vector<UnpackedPackage> packages;
  for (std::size_t i = 0; i < archives.size(); ++i) {
    const std::string& name = set.packages[i];
    const std::string text =
        control_file_of(open_content(*archive_in(archives[i]).content, store), name);
    packages.push_back(oci::during([&] { return "reading the control file of " + name; },
                                   [&] { return read_control(text, name); }));
  }
  return packages;
}

bool has_dpkg(const Tree& below) {
  return below.resolve(k_dpkg).has_value();
}

// dpkg would take what these brought for nobody's, and their dependents for broken.
void refuse_untold_packages(const Tree& below) {
  const auto first = below.nodes().lower_bound("var/lib/dpkg/status.d/");
  if (first == below.nodes().end() || !first->first.starts_with("var/lib/dpkg/status.d/"))
    return;
  throw Error(Errc::bad_input,
              "below the step are packages that no database of dpkg's knows")
      .add_note(fmt::format("/{} is there, because no dpkg was", first->first))
      .add_hint(
          "install them in the step whose scripts run, or stand on an image that has "
          "dpkg");
}

void require_programs(const InstalledRoot& root) {
  std::set<std::string> missing;
  for (const Program& program : k_programs) {
    if (root.find(program.path) == nullptr) missing.insert(program.package);
  }
  if (missing.empty()) return;
  throw Error(Errc::bad_input, fmt::format("maintainer scripts cannot run without {}",
                                           fmt::join(missing, ", ")))
      .add_note("the base has no dpkg, and the step does not bring it")
      .add_hint(
          "stand on a Debian image or on nothing (`from: scratch`), which brings all "
          "that is essential");
}

std::string short_name(const UnpackedPackage& package) {
  return package.architecture == "all"
             ? package.name
             : fmt::format("{}:{}", package.name, package.architecture);
}

std::string file_name(const UnpackedPackage& package) {
  return fmt::format("{}_{}.deb", package.name, package.architecture);
}

// The lines for dpkg's calls.
std::string order_text(const std::vector<UnpackedPackage>& packages,
                       const std::set<std::size_t>& bootstrap,
                       std::string_view architecture) {
  std::set<std::string> foreign;
  for (const UnpackedPackage& package : packages) {
    if (package.architecture != "all" && package.architecture != architecture)
      foreign.insert(package.architecture);
  }
  std::string text;
  std::string added;
  for (const std::string& one : foreign)
    added += fmt::format("--add-architecture {}\n", one);
  // In an empty root dpkg must have been installed to be asked for that.
  if (bootstrap.empty()) text += std::exchange(added, "");
  for (const DpkgCall& call : dpkg_calls(packages, bootstrap)) {
    switch (call.what) {
      case DpkgCall::What::install:
        text += "--force-depends --install";
        break;
      case DpkgCall::What::unpack:
        text += "--no-triggers --unpack";
        break;
      case DpkgCall::What::configure:
        text += "--configure";
        break;
    }
    for (const std::size_t i : call.packages) {
      text += ' ';
      text += call.what == DpkgCall::What::configure ? short_name(packages[i])
                                                     : "./" + file_name(packages[i]);
    }
    text += '\n';
    text += std::exchange(added, "");
  }
  return text;
}

Node file(oci::BlobStore& store, std::string_view text, std::uint32_t mode,
          std::int64_t mtime) {
  Node node;
  node.attributes.mode = mode;
  node.attributes.mtime = mtime;
  if (text.empty()) return node;
  const oci::BlobRef blob = oci::put(store, text);
  node.content = Slice{blob, 0, blob.size};
  return node;
}

}  // namespace

Tree bootstrap_debian(const DebianSet& set, std::span<const Tree> archives,
                      const Tree& below, const DebianContext& context) {
  if (has_dpkg(below)) return {};
  refuse_untold_packages(below);
  const std::vector<UnpackedPackage> all = read_controls(set, archives, context.store);
  std::vector<UnpackedPackage> first;
  for (const std::size_t i : bootstrap_packages(all)) {
    const Tree tree = unpack_deb({0, all[i].name}, archives[i], context);
    first.push_back(read_package(tree, set.packages[i], context.store));
  }
  std::sort(first.begin(), first.end(),
            [](const UnpackedPackage& a, const UnpackedPackage& b) {
              return std::tie(a.name, a.architecture) < std::tie(b.name, b.architecture);
            });
  InstalledRoot root(below, context.store, context.mtime);
  DebianContext constant = {context.store, context.activity, context.mtime, context.mtime,
                            context.stop};
  merge_packages(root, first, DropRules({}, {}), constant);
  require_programs(root);
  for (const std::string& name : library_links(set.architecture)) {
    if (root.find_link(name) != nullptr) continue;
    root.directory("usr/" + name);
    root.symlink(name, "usr/" + name);
  }
  if (root.find(k_status) == nullptr) root.write(k_status, "");
  return Tree(std::move(root).take());
}

Tree arrange_debian(const DebianSet& set, std::span<const Tree> archives,
                    const Tree& below, const DebianContext& context) {
  std::vector<UnpackedPackage> all = read_controls(set, archives, context.store);
  InstalledRoot root(below, context.store, context.mtime);
  const std::set<InstalledPackage> there = installed_packages(root);
  std::vector<UnpackedPackage> wanted;
  Tree::Nodes nodes;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (there.contains({all[i].name, all[i].architecture, all[i].version})) continue;
    Node node = archive_in(archives[i]);
    node.attributes.mtime = context.mtime;
    nodes.emplace(file_name(all[i]), std::move(node));
    wanted.push_back(std::move(all[i]));
  }
  const std::set<std::size_t> bootstrap =
      has_dpkg(below) ? std::set<std::size_t>() : bootstrap_packages(wanted);
  nodes.emplace("order",
                file(context.store, order_text(wanted, bootstrap, set.architecture), 0644,
                     context.mtime));
  nodes.emplace("policy-rc.d", file(context.store, k_policy, 0755, context.mtime));
  Node top;
  top.type = FileType::directory;
  top.attributes.mode = 0755;
  top.attributes.mtime = context.mtime;
  nodes.emplace("", std::move(top));
  return Tree(std::move(nodes));
}

Tree drop_packaged(const DropPackagedAction& action, std::span<const Tree> changes,
                   const Tree& below) {
  Tree::Nodes kept = Tree(merge(changes, true)).take_nodes();
  Tree::Nodes marks;
  for (auto at = kept.begin(); at != kept.end();) {
    const bool mark =
        at->second.type == FileType::whiteout || at->second.type == FileType::opaque;
    const auto next = std::next(at);
    if (mark) marks.insert(kept.extract(at));
    at = next;
  }
  const Tree::Nodes before = kept;
  DropRules(action.drop, action.keep_locales).apply(kept);
  for (const auto& [path, node] : before) {
    // An older one must not come to light again.
    if (!kept.contains(path) && !is_directory(node) && below.find(path) != nullptr)
      marks[path].type = FileType::whiteout;
  }
  kept.merge(marks);
  return Tree(std::move(kept));
}

}  // namespace lithify
