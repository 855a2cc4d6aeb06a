// install_debian: files, finishers, database, in this order, and a word about the rest.
#include "builder/debian/debian_install.h"

#include <algorithm>
#include <tuple>
#include <vector>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/debian/debian_database.h"
#include "builder/debian/debian_drop.h"
#include "builder/debian/debian_merge.h"
#include "builder/debian/debian_package.h"
#include "builder/debian/debian_scripts.h"
#include "builder/debian/finishers.h"

namespace lithify {
namespace {

std::vector<UnpackedPackage> read_packages(const InstallDebianAction& action,
                                           std::span<const Tree> trees,
                                           const oci::BlobStore& store) {
  if (trees.size() != action.packages.size()) {
    throw oci::Error(oci::Errc::internal,
                     fmt::format("{} packages to install, but {} unpacked trees",
                                 action.packages.size(), trees.size()));
  }
  std::vector<UnpackedPackage> packages;
  for (std::size_t i = 0; i < trees.size(); ++i) {
    packages.push_back(read_package(trees[i], action.packages[i], store));
  }
  // Nothing after this depends on the order in which they came.
  std::sort(packages.begin(), packages.end(),
            [](const UnpackedPackage& a, const UnpackedPackage& b) {
              return std::tie(a.name, a.architecture, a.version) <
                     std::tie(b.name, b.architecture, b.version);
            });
  return packages;
}

void warn_about_scripts(std::span<const UnpackedPackage> packages,
                        oci::Activity& activity) {
  const std::vector<ScriptNote> notes = unimitated_scripts(packages);
  if (notes.empty()) return;
  activity.warn(fmt::format(
      "maintainer scripts are not run, and these do something no finisher imitates: {}",
      describe(notes)));
}

}  // namespace

Tree install_debian(const InstallDebianAction& action, std::span<const Tree> packages,
                    const Tree& below, const DebianContext& context) {
  const DropRules drop(action.drop, action.keep_locales);
  const std::vector<UnpackedPackage> all = read_packages(action, packages, context.store);
  InstalledRoot root(below, context.store, context.mtime);
  merge_packages(root, all, drop, context);
  if (context.stop.stop_requested()) throw oci::Cancelled();
  Finishing finishing{root, all};
  run_finishers(finishing);
  write_database(root, all, action.architecture, context.store);
  warn_about_scripts(all, context.activity);
  return Tree(std::move(root).take());
}

}  // namespace lithify
