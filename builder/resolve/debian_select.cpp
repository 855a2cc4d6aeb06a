// debian_select: requests in, locked packages out.
#include "builder/resolve/debian_select.h"

#include <algorithm>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/resolve/codes.h"
#include "builder/resolve/debian_solver.h"

namespace lithify {

using oci::Errc;
using oci::Error;

namespace {

bool version_matches(std::string_view pattern, std::string_view version) {
  if (pattern.empty()) return true;
  if (pattern.back() != '*') return pattern == version;
  pattern.remove_suffix(1);
  return version.substr(0, pattern.size()) == pattern;
}

Error unknown_package(const DebianUniverse& universe, const PackageRequest& request) {
  Error error(Errc::not_found, fmt::format("no package is named {}", request.name));
  if (const auto nearest = universe.nearest_name(request.name))
    error.add_hint(fmt::format("did you mean `{}`?", *nearest));
  error.number(code::k_unknown_package).at(request.place, "in none of the suites");
  return error;
}

Error unknown_version(const DebianUniverse& universe, const PackageRequest& request,
                      SlotId slot) {
  Error error(Errc::not_found,
              fmt::format("{} has no version {}", request.name, request.version));
  std::vector<std::string> versions;
  for (const PackageId id : universe.slot(slot).versions)
    versions.emplace_back(universe.package(id).version);
  error.add_note(fmt::format("the suites have {}", fmt::join(versions, ", ")));
  error.number(code::k_unknown_version).at(request.place, "no such version");
  return error;
}

// A name that only others provide stands for its provider if there is just one.
PackageId only_provider(const DebianUniverse& universe, const DebianSolver& solver,
                        const PackageRequest& request) {
  std::vector<PackageId> packages;
  for (const DebianProvider& provider : universe.providers_of(request.name)) {
    const PackageId id = provider.package;
    if (solver.candidate(universe.package(id).slot) == id &&
        std::find(packages.begin(), packages.end(), id) == packages.end()) {
      packages.push_back(id);
    }
  }
  if (packages.empty()) throw unknown_package(universe, request);
  if (packages.size() == 1 && request.version.empty()) return packages.front();
  std::vector<std::string> names;
  for (const PackageId id : packages)
    names.emplace_back(universe.package(id).name);
  throw Error(Errc::bad_input, fmt::format("{} is a virtual package", request.name))
      .add_note(fmt::format("it is provided by {}", fmt::join(names, ", ")))
      .add_hint("name one of them: " + names.front())
      .number(code::k_virtual_package)
      .at(request.place, "several could be meant");
}

PackageId find_requested(const DebianUniverse& universe, const DebianSolver& solver,
                         const PackageRequest& request) {
  const std::string& wanted = request.architecture.empty() ||
                                      request.architecture == "all" ||
                                      request.architecture == "native"
                                  ? universe.native()
                                  : request.architecture;
  for (const SlotId slot : universe.slots_named(request.name)) {
    if (universe.slot(slot).architecture != wanted) continue;
    const PackageId candidate = solver.candidate(slot);  // what is there already, too
    if (request.version.empty() && candidate != k_none) return candidate;
    for (const PackageId id : universe.slot(slot).versions) {
      const DebianPackage& package = universe.package(id);
      if (package.pin >= 0 && version_matches(request.version, package.version))
        return id;
    }
    if (!request.version.empty()) throw unknown_version(universe, request, slot);
  }
  return only_provider(universe, solver, request);
}

bool is_plain(std::string_view text, std::string_view more) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           more.find(c) != std::string_view::npos;
  });
}

// Paths become URLs, names and versions become text of the lock: nothing odd goes there.
bool is_sound(const DebianPackage& package) {
  const std::string_view path = package.filename;
  return is_plain(package.name, "+-._") && is_plain(package.version, "+-.:~") &&
         is_plain(package.architecture, "-") && is_plain(path, "+-._~/%:@=,") &&
         path.front() != '/' && path.find("..") == std::string_view::npos &&
         path.find("//") == std::string_view::npos && package.size.size() < 16 &&
         is_plain(package.size, "") &&
         package.size.find_first_not_of("0123456789") == std::string_view::npos;
}

LockedPackage locked(const DebianUniverse& universe, PackageId id,
                     const std::string& source) {
  const DebianPackage& package = universe.package(id);
  const auto sha256 = oci::Digest::parse_hex(package.sha256);
  if (!sha256 || !is_sound(package)) {
    throw Error(Errc::bad_input,
                fmt::format("the index entry of {} has no sound Filename, Size, SHA256, "
                            "name or version",
                            package.name));
  }
  return {std::string(package.name),
          source,
          std::string(package.architecture),
          std::string(package.version),
          std::string(package.filename),
          std::stoull(std::string(package.size)),
          *sha256};
}

void prefer(const std::vector<LockedPackage>& locked_before,
            const DebianUniverse& universe, DebianSolver& solver) {
  for (const LockedPackage& package : locked_before) {
    const PackageId id = universe.find(package);
    if (id == k_none || universe.package(id).pin < 0) continue;
    if (universe.package(id).sha256 == package.sha256.hex()) solver.pin_candidate(id);
  }
}

// By name, so that no index's order counts.
std::vector<PackageId> essential_packages(const DebianUniverse& universe,
                                          const DebianSolver& solver,
                                          const PackagesStep& step) {
  const bool merging =
      std::any_of(step.packages.begin(), step.packages.end(),
                  [](const PackageRequest& one) { return one.name == "usrmerge"; });
  std::vector<PackageId> found;
  for (SlotId slot = 0; slot < universe.slot_count(); ++slot) {
    if (universe.slot(slot).architecture != universe.native()) continue;
    const PackageId id = solver.candidate(slot);
    if (id == k_none) continue;
    const DebianPackage& package = universe.package(id);
    if (package.essential == "yes" || (package.name == "usr-is-merged" && !merging))
      found.push_back(id);
  }
  std::sort(found.begin(), found.end(), [&](PackageId a, PackageId b) {
    return universe.package(a).name < universe.package(b).name;
  });
  return found;
}

std::vector<LockedPackage> select(DebianUniverse& universe, const PackagesStep& step,
                                  const std::vector<LockedPackage>& already,
                                  const std::vector<LockedPackage>& preferred) {
  std::vector<PackageId> kept;
  for (const LockedPackage& package : already)
    kept.push_back(universe.find_or_add(package));
  DebianSolver solver(universe, step.recommends);
  prefer(preferred, universe, solver);
  for (const PackageId id : kept) {
    solver.pin_candidate(id);
    solver.keep(id);
  }
  std::vector<PackageId> requested;
  for (const PackageRequest& request : step.packages) {
    requested.push_back(find_requested(universe, solver, request));
    if (!request.version.empty()) solver.pin_candidate(requested.back());
  }
  if (step.run_scripts) {
    for (const PackageId id : essential_packages(universe, solver, step))
      solver.request(id);
  }
  for (std::size_t i = 0; i < requested.size(); ++i) {
    try {
      solver.request(requested[i]);
    } catch (Error& e) {
      e.at(step.packages[i].place);
      throw;
    }
  }
  solver.solve();
  std::vector<LockedPackage> result;
  for (const PackageId id : solver.chosen())
    result.push_back(locked(universe, id, step.source));
  std::sort(result.begin(), result.end());
  return result;
}

}  // namespace

std::vector<LockedPackage> select_packages(DebianUniverse& universe,
                                           const PackagesStep& step,
                                           const std::vector<LockedPackage>& already,
                                           const std::vector<LockedPackage>& preferred) {
  if (!preferred.empty()) {
    try {
      return select(universe, step, already, preferred);
    } catch (const Error&) {
      // What was locked does not go with what is asked for now.
    }
  }
  return select(universe, step, already, {});
}

}  // namespace lithify
