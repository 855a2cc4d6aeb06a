// debian_universe: every package that the suites of an archive offer to one image.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "builder/plan/lock.h"

namespace lithify {

using PackageId = std::uint32_t;
using SlotId = std::uint32_t;
inline constexpr std::uint32_t k_none = UINT32_MAX;

// A stanza of a Packages file. Views into texts that the universe owns.
struct DebianPackage {
  std::string_view name, version, architecture, multi_arch, priority, essential;
  std::string_view depends, pre_depends, recommends, conflicts, breaks, provides;
  std::string_view filename, size, sha256;
  int pin = 0;  // apt's priority of its suite; below 0: never chosen anew
  SlotId slot = k_none;
};

// Of one name and architecture only one version can be installed. Packages of
// architecture "all" live in the slot of the image's own architecture.
struct DebianSlot {
  std::string_view name, architecture;
  std::vector<PackageId> versions;  // best pin first, then latest first
};

struct DebianProvider {
  PackageId package;
  std::string_view version;  // empty: provided without one
};

// Does not depend on the order of stanzas; of one version in two suites the first stays.
class DebianUniverse {
 public:
  // The image's own architecture first, then foreign ones.
  explicit DebianUniverse(std::vector<std::string> architectures);
  DebianUniverse(const DebianUniverse&) = delete;
  DebianUniverse& operator=(const DebianUniverse&) = delete;

  // One Packages file. `what` names it in messages.
  void add_index(std::string text, int pin, const std::string& what);
  // After the last index, once.
  void finish();
  // A package of the lock by name, architecture and version, or k_none.
  PackageId find(const LockedPackage& package) const;
  // The same; one that has left the archive becomes known, without relations.
  PackageId find_or_add(const LockedPackage& package);

  const std::string& native() const { return architectures_.front(); }
  const std::vector<std::string>& architectures() const { return architectures_; }
  const DebianPackage& package(PackageId id) const { return packages_[id]; }
  const DebianSlot& slot(SlotId id) const { return slots_[id]; }
  std::size_t size() const { return packages_.size(); }
  std::size_t slot_count() const { return slots_.size(); }

  // Slots of that name, in the order of architectures().
  const std::vector<SlotId>& slots_named(std::string_view name) const;
  // Every package whose Provides names it, the best provider first.
  const std::vector<DebianProvider>& providers_of(std::string_view name) const;
  // Where dependencies of the package look first: never "all".
  std::string_view architecture_of(PackageId id) const {
    return slots_[packages_[id].slot].architecture;
  }
  // The one name most like `name`, if one is near.
  std::optional<std::string> nearest_name(std::string_view name) const;

 private:
  const std::string& home_of(const LockedPackage& package) const;
  SlotId slot_for(std::string_view name, std::string_view architecture);
  void index_provides(PackageId id);
  void sort_providers();
  bool better(PackageId a, PackageId b) const;

  std::vector<std::string> architectures_;
  std::deque<std::string> texts_;
  std::vector<DebianPackage> packages_;
  std::vector<DebianSlot> slots_;
  std::unordered_map<std::string_view, std::vector<SlotId>> by_name_;
  std::unordered_map<std::string_view, std::vector<DebianProvider>> provided_;
};

}  // namespace lithify
