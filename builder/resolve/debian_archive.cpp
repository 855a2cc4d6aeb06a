// debian_archive: releases, indexes and selection of one apt source.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/resolve/apt_index.h"
#include "builder/resolve/apt_release.h"
#include "builder/resolve/apt_source.h"
#include "builder/resolve/debian_select.h"
#include "builder/resolve/package_source.h"

namespace lithify {

struct DebianArchive::State {
  AptSource source;
  std::string key;
  IndexLoader loader;
  std::vector<Release> releases;
  std::vector<LockedIndex> indexes;
  std::map<std::vector<std::string>, DebianUniverse> universes;  // by architectures

  DebianUniverse& universe_for(const std::vector<std::string>& architectures);
};

DebianArchive::DebianArchive(const AptSource& source, std::string source_key,
                             const AptEnvironment& environment, oci::HttpClient& http,
                             oci::DirectoryStore& store, oci::Activity& activity,
                             std::stop_token stop)
    : state_(new State{
          source, std::move(source_key), {http, store, activity, stop}, {}, {}, {}}) {
  if (state_->source.components.empty()) state_->source.components = {"main"};
  for (const SuitePlace& place : suite_places(source, environment)) {
    Release release = fetch_release(http, place, environment, stop);
    state_->indexes.push_back(
        {state_->key, release.suite, release.digest, release.signed_by});
    state_->releases.push_back(std::move(release));
  }
}

DebianArchive::~DebianArchive() = default;
DebianArchive::DebianArchive(DebianArchive&&) noexcept = default;

const std::vector<LockedIndex>& DebianArchive::indexes() const {
  return state_->indexes;
}

DebianUniverse& DebianArchive::State::universe_for(
    const std::vector<std::string>& architectures) {
  const auto [found, is_new] = universes.try_emplace(architectures, architectures);
  DebianUniverse& universe = found->second;
  if (!is_new) return universe;
  try {
    for (const Release& release : releases) {
      for (const std::string& architecture : architectures) {
        for (std::string& text : loader.load(release, source.components, architecture)) {
          universe.add_index(std::move(text), release.priority,
                             release.suite + " Packages (" + architecture + ")");
        }
      }
    }
    universe.finish();
  } catch (...) {
    universes.erase(found);
    throw;
  }
  return universe;
}

std::vector<LockedPackage> DebianArchive::select(
    const PackagesStep& step, const std::string& architecture,
    const std::vector<LockedPackage>& already,
    const std::vector<LockedPackage>& preferred) {
  std::vector<std::string> foreign;
  for (const PackageRequest& request : step.packages)
    foreign.push_back(request.architecture);
  for (const LockedPackage& package : already)
    foreign.push_back(package.architecture);
  std::sort(foreign.begin(), foreign.end());
  foreign.erase(std::unique(foreign.begin(), foreign.end()), foreign.end());
  std::vector<std::string> architectures = {architecture};
  for (const std::string& name : foreign) {
    if (!name.empty() && name != "all" && name != "native" && name != architecture)
      architectures.push_back(name);
  }
  std::vector<LockedPackage> chosen =
      select_packages(state_->universe_for(architectures), step, already, preferred);
  for (LockedPackage& package : chosen)
    package.source = state_->key;
  return chosen;
}

}  // namespace lithify
