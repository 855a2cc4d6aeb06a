// debian_universe: indexes read once, looked up by name.
#include "builder/resolve/debian_universe.h"

#include <algorithm>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/plan/suggest.h"
#include "builder/resolve/deb822.h"
#include "builder/resolve/debian_relation.h"
#include "builder/resolve/debian_version.h"

namespace lithify {

namespace {

constexpr std::size_t k_max_packages = 4'000'000;

struct KnownField {
  std::string_view name;
  std::string_view DebianPackage::*member;
};
constexpr KnownField k_fields[] = {
    {"Package", &DebianPackage::name},
    {"Version", &DebianPackage::version},
    {"Architecture", &DebianPackage::architecture},
    {"Multi-Arch", &DebianPackage::multi_arch},
    {"Priority", &DebianPackage::priority},
    {"Essential", &DebianPackage::essential},
    {"Depends", &DebianPackage::depends},
    {"Pre-Depends", &DebianPackage::pre_depends},
    {"Recommends", &DebianPackage::recommends},
    {"Conflicts", &DebianPackage::conflicts},
    {"Breaks", &DebianPackage::breaks},
    {"Provides", &DebianPackage::provides},
    {"Filename", &DebianPackage::filename},
    {"Size", &DebianPackage::size},
    {"SHA256", &DebianPackage::sha256},
};

DebianPackage read_package(const Stanza& stanza) {
  DebianPackage package;
  for (const Field& field : stanza.fields()) {
    for (const KnownField& known : k_fields) {
      if (known.name.size() == field.name.size() &&
          equal_ignoring_case(known.name, field.name)) {
        package.*known.member = field.value;
        break;
      }
    }
  }
  return package;
}

int rank_of_priority(std::string_view priority) {
  static constexpr std::string_view k_ranks[] = {"required", "important", "standard",
                                                 "optional"};
  const auto* end = std::end(k_ranks);
  return static_cast<int>(std::find(std::begin(k_ranks), end, priority) -
                          std::begin(k_ranks));
}

}  // namespace

DebianUniverse::DebianUniverse(std::vector<std::string> architectures)
    : architectures_(std::move(architectures)) {}

void DebianUniverse::add_index(std::string text, int pin, const std::string& what) {
  texts_.push_back(std::move(text));
  Deb822Reader reader(texts_.back(), what);
  Stanza stanza;
  while (reader.next(stanza)) {
    DebianPackage package = read_package(stanza);
    if (package.name.empty() || package.version.empty() || package.architecture.empty()) {
      throw oci::Error(oci::Errc::bad_input,
                       "a stanza lacks Package, Version or Architecture")
          .at({what, stanza.line()});
    }
    const bool is_all = package.architecture == "all";
    const std::string_view home = is_all ? native() : package.architecture;
    if (std::find(architectures_.begin(), architectures_.end(), home) ==
        architectures_.end()) {
      continue;
    }
    if (packages_.size() >= k_max_packages)
      throw oci::Error(oci::Errc::bad_input, what + " has too many packages");
    package.pin = pin;
    package.slot = slot_for(package.name, home);
    slots_[package.slot].versions.push_back(static_cast<PackageId>(packages_.size()));
    packages_.push_back(package);
  }
}

SlotId DebianUniverse::slot_for(std::string_view name, std::string_view architecture) {
  std::vector<SlotId>& slots = by_name_[name];
  for (const SlotId id : slots) {
    if (slots_[id].architecture == architecture) return id;
  }
  const auto id = static_cast<SlotId>(slots_.size());
  const auto home = std::find(architectures_.begin(), architectures_.end(), architecture);
  slots_.push_back({name, *home, {}});
  slots.push_back(id);
  return id;
}

bool DebianUniverse::better(PackageId a, PackageId b) const {
  const DebianPackage& left = packages_[a];
  const DebianPackage& right = packages_[b];
  if (left.pin != right.pin) return left.pin > right.pin;
  const auto order = compare_versions(left.version, right.version);
  if (order != 0) return order > 0;
  return a < b;  // earlier suite first
}

void DebianUniverse::finish() {
  for (DebianSlot& slot : slots_) {
    std::sort(slot.versions.begin(), slot.versions.end(),
              [&](PackageId a, PackageId b) { return better(a, b); });
    const auto same = [&](PackageId a, PackageId b) {
      return packages_[a].pin == packages_[b].pin &&
             packages_[a].version == packages_[b].version;
    };
    slot.versions.erase(std::unique(slot.versions.begin(), slot.versions.end(), same),
                        slot.versions.end());
    for (const PackageId id : slot.versions)
      index_provides(id);
  }
  for (auto& entry : by_name_) {
    std::sort(entry.second.begin(), entry.second.end(), [&](SlotId a, SlotId b) {
      const auto place = [&](SlotId id) {
        return std::find(architectures_.begin(), architectures_.end(),
                         slots_[id].architecture);
      };
      return place(a) < place(b);
    });
  }
  sort_providers();
}

// Among equals apt takes the provider that it read last, and it reads indexes sorted by
// name.
void DebianUniverse::sort_providers() {
  const auto rank = [&](const DebianProvider& provider) {
    return std::pair(architecture_of(provider.package) != native(),
                     rank_of_priority(packages_[provider.package].priority));
  };
  for (auto& entry : provided_) {
    std::sort(entry.second.begin(), entry.second.end(),
              [&](const DebianProvider& a, const DebianProvider& b) {
                if (rank(a) != rank(b)) return rank(a) < rank(b);
                const auto order =
                    packages_[a.package].name <=> packages_[b.package].name;
                return order != 0 ? order > 0 : a.package < b.package;
              });
  }
}

void DebianUniverse::index_provides(PackageId id) {
  const DebianPackage& package = packages_[id];
  if (package.provides.empty()) return;
  const std::string what = fmt::format("Provides of {}", package.name);
  for (const Alternatives& group :
       parse_relations(package.provides, architecture_of(id), what)) {
    const Relation& relation = group.front();
    provided_[relation.name].push_back({id, relation.version});
  }
}

const std::string& DebianUniverse::home_of(const LockedPackage& package) const {
  return package.architecture == "all" ? native() : package.architecture;
}

PackageId DebianUniverse::find(const LockedPackage& package) const {
  for (const SlotId slot : slots_named(package.name)) {
    if (slots_[slot].architecture != home_of(package)) continue;
    for (const PackageId id : slots_[slot].versions) {
      if (packages_[id].version == package.version) return id;
    }
  }
  return k_none;
}

PackageId DebianUniverse::find_or_add(const LockedPackage& package) {
  if (const PackageId known = find(package); known != k_none) return known;
  texts_.push_back(package.name + "\n" + package.version + "\n" + package.architecture);
  const std::string_view text = texts_.back();
  DebianPackage stub;
  stub.name = text.substr(0, package.name.size());
  stub.version = text.substr(package.name.size() + 1, package.version.size());
  stub.architecture = text.substr(text.size() - package.architecture.size());
  stub.pin = -1;
  stub.slot = slot_for(stub.name, home_of(package));
  const auto id = static_cast<PackageId>(packages_.size());
  packages_.push_back(stub);
  slots_[stub.slot].versions.push_back(id);
  return id;
}

const std::vector<SlotId>& DebianUniverse::slots_named(std::string_view name) const {
  static const std::vector<SlotId> k_nothing;
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? k_nothing : found->second;
}

const std::vector<DebianProvider>& DebianUniverse::providers_of(
    std::string_view name) const {
  static const std::vector<DebianProvider> k_nobody;
  const auto found = provided_.find(name);
  return found == provided_.end() ? k_nobody : found->second;
}

std::optional<std::string> DebianUniverse::nearest_name(std::string_view name) const {
  Suggestion suggestion(name);
  for (const DebianSlot& slot : slots_)
    suggestion.consider(slot.name);
  return suggestion.nearest();
}

}  // namespace lithify
