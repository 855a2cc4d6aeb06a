// debian_solver: conflict-directed backjumping over groups of alternatives.
#include "builder/resolve/debian_solver.h"

#include <algorithm>

#include <fmt/format.h>

#include "builder/resolve/codes.h"

namespace lithify {

using oci::Errc;
using oci::Error;

namespace {

constexpr std::size_t k_max_dead_ends = 50'000;

bool same_package_twice(const DebianPackage& a, const DebianPackage& b) {
  return a.multi_arch == "same" && b.multi_arch == "same" && a.version == b.version;
}

}  // namespace

DebianSolver::DebianSolver(const DebianUniverse& universe, bool recommends)
    : universe_(universe),
      recommends_(recommends),
      at_slot_(universe.slot_count(), k_none),
      position_(universe.slot_count(), 0) {}

void DebianSolver::pin_candidate(PackageId id) {
  pinned_[universe_.package(id).slot] = id;
}

PackageId DebianSolver::candidate(SlotId slot) const {
  if (const auto pinned = pinned_.find(slot); pinned != pinned_.end())
    return pinned->second;
  const std::vector<PackageId>& versions = universe_.slot(slot).versions;
  if (versions.empty() || universe_.package(versions.front()).pin < 0) return k_none;
  return versions.front();
}

// ---- relations -----------------------------------------------------------------------

void DebianSolver::add_needs(Relations& relations, PackageId id, std::string_view field,
                             bool soft) {
  if (field.empty()) return;
  const std::string what =
      fmt::format("{} of {}", soft ? "Recommends" : "Depends", describe(id));
  for (Alternatives& alternatives :
       parse_relations(field, universe_.architecture_of(id), what)) {
    relations.needs.push_back(
        {std::move(alternatives), soft ? "recommends" : "depends on", soft});
  }
}

void DebianSolver::add_rejects(Relations& relations, PackageId id, std::string_view field,
                               const char* name) const {
  if (field.empty()) return;
  for (const Alternatives& group :
       parse_relations(field, universe_.architecture_of(id),
                       fmt::format("{} of {}", name, describe(id)))) {
    relations.rejects.insert(relations.rejects.end(), group.begin(), group.end());
  }
}

const DebianSolver::Relations& DebianSolver::relations_of(PackageId id) {
  const auto [found, is_new] = relations_.try_emplace(id);
  Relations& relations = found->second;
  if (is_new) {
    const DebianPackage& package = universe_.package(id);
    add_needs(relations, id, package.pre_depends, false);
    add_needs(relations, id, package.depends, false);
    if (recommends_) add_needs(relations, id, package.recommends, true);
    add_rejects(relations, id, package.conflicts, "Conflicts");
    add_rejects(relations, id, package.breaks, "Breaks");
  }
  return relations;
}

// May a dependency of `parent` with that qualifier be met by this package?
bool DebianSolver::acceptable(PackageId id, std::string_view qualifier,
                              PackageId parent) const {
  const std::string_view theirs = universe_.architecture_of(id);
  const std::string_view multi_arch = universe_.package(id).multi_arch;
  const std::string_view ours =
      parent == k_none ? universe_.native() : universe_.architecture_of(parent);
  if (qualifier.empty()) return theirs == ours || multi_arch == "foreign";
  if (qualifier == "any") return theirs == ours || multi_arch == "allowed";
  if (qualifier == "native") return theirs == universe_.native();
  return theirs == qualifier;
}

// Calls visit(package) for what bears or provides the name with a fitting version, the
// real packages first, until it returns true. Any version of a slot may come by.
template <class Visit>
void DebianSolver::visit_matches(const Relation& relation, Visit visit) const {
  for (const SlotId slot : universe_.slots_named(relation.name)) {
    for (const PackageId id : {at_slot_[slot], candidate(slot)}) {
      if (id == k_none || !relation.admits(universe_.package(id).version)) continue;
      if (visit(id)) return;
    }
  }
  for (const DebianProvider& provider : universe_.providers_of(relation.name)) {
    const bool fits = relation.op == Relation::Operator::none ||
                      (!provider.version.empty() && relation.admits(provider.version));
    if (fits && visit(provider.package)) return;
  }
}

bool DebianSolver::satisfied(const Group& group, PackageId parent) const {
  for (const Relation& relation : group.alternatives) {
    bool found = false;
    visit_matches(relation, [&](PackageId id) {
      found = is_installed(id) && acceptable(id, relation.qualifier, parent);
      return found;
    });
    if (found) return true;
  }
  return false;
}

std::vector<PackageId> DebianSolver::options_for(const Group& group,
                                                 PackageId parent) const {
  std::vector<PackageId> options;
  for (const Relation& relation : group.alternatives) {
    visit_matches(relation, [&](PackageId id) {
      if (candidate(universe_.package(id).slot) == id &&
          acceptable(id, relation.qualifier, parent) &&
          std::find(options.begin(), options.end(), id) == options.end()) {
        options.push_back(id);
      }
      return false;
    });
  }
  return options;
}

// ---- what is in the way --------------------------------------------------------------

DebianSolver::Level DebianSolver::level_of(PackageId id) const {
  if (id == k_none || !is_installed(id)) return k_given;
  return installed_[position_[universe_.package(id).slot]].level;
}

std::optional<DebianSolver::Obstacle> DebianSolver::rejected_by_us(PackageId id) {
  const DebianPackage& package = universe_.package(id);
  std::optional<Obstacle> found;
  for (const Relation& relation : relations_of(id).rejects) {
    visit_matches(relation, [&](PackageId other) {
      if (!is_installed(other) || universe_.package(other).name == package.name)
        return false;
      if (!relation.qualifier.empty() && !acceptable(other, relation.qualifier, id))
        return false;
      found = Obstacle{level_of(other), other, true};
      return true;
    });
    if (found) return found;
  }
  return found;
}

std::optional<DebianSolver::Obstacle> DebianSolver::rejecting_us(PackageId id) {
  const DebianPackage& package = universe_.package(id);
  const auto look = [&](std::string_view name,
                        std::string_view version) -> std::optional<Obstacle> {
    const auto found = rejected_.find(name);
    if (found == rejected_.end()) return std::nullopt;
    for (const auto& entry : found->second) {
      const Relation& relation = *entry.second;
      const bool versioned = relation.op != Relation::Operator::none;
      if (universe_.package(entry.first).name == package.name) continue;
      if (versioned && (version.empty() || !relation.admits(version))) continue;
      return Obstacle{level_of(entry.first), entry.first, false};
    }
    return std::nullopt;
  };
  if (auto found = look(package.name, package.version)) return found;
  if (package.provides.empty()) return std::nullopt;
  for (const Alternatives& group :
       parse_relations(package.provides, universe_.architecture_of(id), "Provides")) {
    if (auto found = look(group.front().name, group.front().version)) return found;
  }
  return std::nullopt;
}

std::optional<DebianSolver::Obstacle> DebianSolver::obstacle(PackageId id) {
  const DebianPackage& package = universe_.package(id);
  for (const SlotId slot : universe_.slots_named(package.name)) {
    const PackageId other = at_slot_[slot];
    if (other == k_none || other == id) continue;
    if (slot != package.slot && same_package_twice(package, universe_.package(other)))
      continue;
    return Obstacle{level_of(other), other, true};
  }
  if (auto found = rejected_by_us(id)) return found;
  return rejecting_us(id);
}

// ---- the state -----------------------------------------------------------------------

void DebianSolver::install(PackageId id, Level level, PackageId parent, bool kept) {
  const SlotId slot = universe_.package(id).slot;
  at_slot_[slot] = id;
  position_[slot] = static_cast<std::uint32_t>(installed_.size());
  installed_.push_back({id, level, parent, kept});
  for (const Relation& relation : relations_of(id).rejects)
    rejected_[relation.name].emplace_back(id, &relation);
}

void DebianSolver::uninstall_to(std::size_t count) {
  while (installed_.size() > count) {
    const PackageId id = installed_.back().id;
    installed_.pop_back();
    at_slot_[universe_.package(id).slot] = k_none;
    const std::vector<Relation>& rejects = relations_of(id).rejects;
    for (auto relation = rejects.rbegin(); relation != rejects.rend(); ++relation)
      rejected_[relation->name].pop_back();
  }
}

void DebianSolver::push_needs(PackageId id) {
  const std::size_t count = relations_of(id).needs.size();
  for (std::size_t i = count; i > 0; --i) {
    arena_.push_back({id, static_cast<std::uint32_t>(i - 1), agenda_});
    agenda_ = static_cast<std::int32_t>(arena_.size()) - 1;
  }
}

void DebianSolver::keep(PackageId id) {
  if (!is_installed(id)) install(id, k_given, k_none, true);
}

void DebianSolver::request(PackageId id) {
  if (is_installed(id)) return;
  if (const auto obstacle_found = obstacle(id)) {
    throw Error(Errc::bad_input,
                fmt::format("{} cannot be installed together with {}", describe(id),
                            describe(obstacle_found->other)))
        .number(code::k_unsatisfiable);
  }
  install(id, k_given, k_none, false);
}

std::vector<PackageId> DebianSolver::chosen() const {
  std::vector<PackageId> ids;
  for (const Installed& installed : installed_) {
    if (!installed.kept) ids.push_back(installed.id);
  }
  return ids;
}

// ---- the search ----------------------------------------------------------------------

void DebianSolver::solve() {
  const std::vector<Installed> requested = installed_;
  for (auto installed = requested.rbegin(); installed != requested.rend(); ++installed) {
    if (!installed->kept) push_needs(installed->id);
  }
  while (agenda_ != -1) {
    const Pending what = arena_[static_cast<std::size_t>(agenda_)];
    agenda_ = what.next;
    const Group& group = relations_of(what.parent).needs[what.group];
    if (satisfied(group, what.parent)) continue;
    Choice choice{what,
                  options_for(group, what.parent),
                  0,
                  false,
                  installed_.size(),
                  arena_.size(),
                  agenda_,
                  {}};
    choices_.push_back(std::move(choice));
    if (!advance(static_cast<Level>(choices_.size()) - 1)) backtrack();
  }
}

// Takes the next option of the last choice that nothing is in the way of.
bool DebianSolver::advance(Level level) {
  Choice& choice = choices_[static_cast<std::size_t>(level)];
  while (choice.next < choice.options.size()) {
    const PackageId id = choice.options[choice.next++];
    if (const auto found = obstacle(id)) {
      choice.culprits.insert(found->level);
      continue;
    }
    install(id, level, choice.what.parent, false);
    push_needs(id);
    return true;
  }
  if (choice.skipped || !relations_of(choice.what.parent).needs[choice.what.group].soft)
    return false;
  choice.skipped = true;
  return true;
}

// The last choice has no option left: back to the latest choice that is to blame.
void DebianSolver::backtrack() {
  while (true) {
    Choice& dead = choices_.back();
    note_dead_end(dead);
    std::set<Level> culprits = std::move(dead.culprits);
    culprits.insert(level_of(dead.what.parent));
    const Level last = *culprits.rbegin();
    if (last == k_given || ++dead_ends_ > k_max_dead_ends) throw story();
    culprits.erase(last);
    choices_.resize(static_cast<std::size_t>(last) + 1);
    Choice& blamed = choices_.back();
    uninstall_to(blamed.installed);
    arena_.resize(blamed.arena);
    agenda_ = blamed.agenda;
    blamed.culprits.insert(culprits.begin(), culprits.end());
    if (advance(last)) return;
  }
}

// ---- telling -------------------------------------------------------------------------

std::string DebianSolver::describe(PackageId id) const {
  const DebianPackage& package = universe_.package(id);
  std::string text(package.name);
  if (universe_.architecture_of(id) != universe_.native())
    text += fmt::format(":{}", package.architecture);
  return text + fmt::format(" {}", package.version);
}

// The first dead end tells most: what follows are attempts to get around it.
void DebianSolver::note_dead_end(const Choice& choice) {
  const Group& group = relations_of(choice.what.parent).needs[choice.what.group];
  if (!headline_.empty() || group.soft) return;
  headline_ = to_string(group.alternatives);
  std::vector<std::string> chain;
  chain.push_back(
      fmt::format("{} {} {}", describe(choice.what.parent), group.verb, headline_));
  for (PackageId id = choice.what.parent; id != k_none;) {
    const PackageId parent = installed_[position_[universe_.package(id).slot]].parent;
    if (parent == k_none) {
      chain.push_back(describe(id) + " is asked for");
    } else {
      chain.push_back(fmt::format("{} needs {}", describe(parent), describe(id)));
    }
    id = parent;
  }
  reasons_.assign(chain.rbegin(), chain.rend());
  for (const Relation& relation : group.alternatives) {
    std::string finding = fmt::format("no package {} is known", relation.name);
    for (const SlotId slot : universe_.slots_named(relation.name)) {
      const PackageId id = candidate(slot);
      if (id == k_none) continue;
      const auto found = is_installed(id) ? std::nullopt : obstacle(id);
      finding = found ? fmt::format("{} conflicts with {}", describe(id),
                                    describe(found->other))
                      : fmt::format("the candidate is {}", describe(id));
      break;
    }
    reasons_.push_back(finding);
  }
}

Error DebianSolver::story() const {
  Error error(Errc::bad_input, headline_.empty()
                                   ? "the packages cannot be installed together"
                                   : headline_ + " cannot be installed");
  error.number(code::k_unsatisfiable);
  for (const std::string& reason : reasons_)
    error.add_note(reason);
  if (dead_ends_ > k_max_dead_ends)
    error.add_note(fmt::format("the search was given up after {} dead ends", dead_ends_));
  return error;
}

}  // namespace lithify
