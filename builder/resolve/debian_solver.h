// debian_solver: depth first, first alternative first, back to the choice that hurt.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "oci/base/error.h"

#include "builder/resolve/debian_relation.h"
#include "builder/resolve/debian_universe.h"

namespace lithify {

// Chooses a closure. Use: pin_candidate() and keep() as needed, then request() for each
// package, then solve().
class DebianSolver {
 public:
  DebianSolver(const DebianUniverse& universe, bool recommends);

  // Makes another version than the best the candidate of its slot.
  void pin_candidate(PackageId id);
  PackageId candidate(SlotId slot) const;

  // It is there, with all that it needs.
  void keep(PackageId id);
  // Throws Errc::bad_input if it conflicts with what is there.
  void request(PackageId id);
  // Throws Errc::bad_input with the chain of reasons.
  void solve();

  // In the order in which they were chosen; without what was kept.
  std::vector<PackageId> chosen() const;

 private:
  using Level = std::int32_t;  // index of a Choice; k_given: no choice led to it
  static constexpr Level k_given = -1;

  struct Group {
    Alternatives alternatives;
    std::string_view verb;  // "depends on", "recommends"
    bool soft = false;
  };
  struct Relations {
    std::vector<Group> needs;
    std::vector<Relation> rejects;
  };
  struct Installed {
    PackageId id;
    Level level;
    PackageId parent;  // k_none: given
    bool kept;
  };
  // A group of a package that waits for its turn; a list that grows at the front, whose
  // tails are shared by the choices.
  struct Pending {
    PackageId parent;
    std::uint32_t group;
    std::int32_t next;
  };
  struct Choice {
    Pending what;
    std::vector<PackageId> options;
    std::size_t next = 0;
    bool skipped = false;
    std::size_t installed;  // how many there were before
    std::size_t arena;
    std::int32_t agenda;
    std::set<Level> culprits;
  };
  // Why something cannot be installed: who is in the way, and since which choice.
  struct Obstacle {
    Level level;
    PackageId other;
    bool ours;  // the new package rejects the other one
  };

  const Relations& relations_of(PackageId id);
  void add_needs(Relations& relations, PackageId id, std::string_view field, bool soft);
  void add_rejects(Relations& relations, PackageId id, std::string_view field,
                   const char* name) const;
  bool acceptable(PackageId id, std::string_view qualifier, PackageId parent) const;
  bool is_installed(PackageId id) const {
    return at_slot_[universe_.package(id).slot] == id;
  }
  bool satisfied(const Group& group, PackageId parent) const;
  std::vector<PackageId> options_for(const Group& group, PackageId parent) const;
  template <class Visit>
  void visit_matches(const Relation& relation, Visit visit) const;

  std::optional<Obstacle> obstacle(PackageId id);
  std::optional<Obstacle> rejected_by_us(PackageId id);
  std::optional<Obstacle> rejecting_us(PackageId id);
  void install(PackageId id, Level level, PackageId parent, bool kept);
  void uninstall_to(std::size_t count);
  void push_needs(PackageId id);
  bool advance(Level level);
  void backtrack();
  Level level_of(PackageId id) const;

  void note_dead_end(const Choice& choice);
  std::string describe(PackageId id) const;
  oci::Error story() const;

  const DebianUniverse& universe_;
  bool recommends_;
  std::unordered_map<SlotId, PackageId> pinned_;
  std::unordered_map<PackageId, Relations> relations_;
  std::vector<PackageId> at_slot_;       // installed version, or k_none
  std::vector<std::uint32_t> position_;  // by slot, in installed_
  std::vector<Installed> installed_;
  std::unordered_map<std::string_view, std::vector<std::pair<PackageId, const Relation*>>>
      rejected_;  // by name, what installed packages reject
  std::vector<Pending> arena_;
  std::int32_t agenda_ = -1;
  std::vector<Choice> choices_;
  std::vector<std::string> reasons_;  // of the first dead end
  std::string headline_;
  std::size_t dead_ends_ = 0;
};

}  // namespace lithify
