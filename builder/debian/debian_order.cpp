// debian_order: topological by Pre-Depends and Depends; circles are cut where names say.
#include "builder/debian/debian_order.h"

#include <algorithm>
#include <map>
#include <string>
#include <tuple>

namespace lithify {
namespace {

using Indices = std::vector<std::size_t>;
using Set = std::set<std::size_t>;

// The names of "a (>= 1) | b:any, c" as [[a, b], [c]].
std::vector<std::vector<std::string>> relation_names(const std::string* field) {
  std::vector<std::vector<std::string>> groups;
  if (field == nullptr) return groups;
  const std::string_view text = *field;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    const std::string_view group = text.substr(at, comma - at);
    std::vector<std::string>& names = groups.emplace_back();
    for (std::size_t from = 0; from < group.size();) {
      const std::size_t bar = std::min(group.find('|', from), group.size());
      std::string_view one = group.substr(from, bar - from);
      const std::size_t start = one.find_first_not_of(" \t\r\n");
      if (start != std::string_view::npos) {
        one.remove_prefix(start);
        names.emplace_back(one.substr(0, one.find_first_of(" \t\r\n(:[")));
      }
      from = bar + 1;
    }
    at = comma + 1;
  }
  return groups;
}

class Order {
 public:
  explicit Order(std::span<const UnpackedPackage> packages) : packages_(packages) {
    for (std::size_t i = 0; i < packages.size(); ++i)
      by_name_.push_back(i);
    std::sort(by_name_.begin(), by_name_.end(), [&](std::size_t a, std::size_t b) {
      const auto key = [&](std::size_t i) {
        return std::tie(packages_[i].name, packages_[i].architecture,
                        packages_[i].version);
      };
      return key(a) < key(b);
    });
    for (const std::size_t i : by_name_) {
      named_[packages[i].name].push_back(i);
      for (const auto& group : relation_names(packages[i].field("Provides"))) {
        for (const std::string& name : group)
          provided_[name].push_back(i);
      }
    }
    for (std::size_t i = 0; i < packages.size(); ++i) {
      before_unpacking_.push_back(targets(i, "Pre-Depends"));
      before_configuring_.push_back(targets(i, "Depends"));
    }
  }

  Set bootstrap() const {
    Set needed;
    for (const std::size_t i : by_name_) {
      const std::string* essential = packages_[i].field("Essential");
      if ((essential != nullptr && *essential == "yes") || packages_[i].name == "dpkg")
        add_closure(i, needed);
    }
    return needed;
  }

  std::vector<DpkgCall> calls(const Set& bootstrap) const {
    std::vector<DpkgCall> made;
    Indices waiting;
    for (const std::size_t i : sorted()) {
      if (!bootstrap.contains(i)) waiting.push_back(i);
    }
    if (!bootstrap.empty()) {
      DpkgCall& first = made.emplace_back(DpkgCall{DpkgCall::What::install, {}});
      for (const std::size_t i : sorted()) {
        if (bootstrap.contains(i)) first.packages.push_back(i);
      }
    }
    Set configured = bootstrap;
    Set unpacked = bootstrap;
    while (!waiting.empty()) {
      DpkgCall unpack = next_to_unpack(waiting, configured);
      for (const std::size_t i : unpack.packages) {
        unpacked.insert(i);
        waiting.erase(std::find(waiting.begin(), waiting.end(), i));
      }
      made.push_back(std::move(unpack));
      DpkgCall configure = next_to_configure(waiting, unpacked, configured);
      configured.insert(configure.packages.begin(), configure.packages.end());
      if (!configure.packages.empty()) made.push_back(std::move(configure));
    }
    return made;
  }

 private:
  // One alternative of each group: the first that is there by its name, else the first
  // that another package provides.
  Indices targets(std::size_t of, std::string_view field) const {
    Indices found;
    for (const auto& group : relation_names(packages_[of].field(field))) {
      const Indices* chosen = nullptr;
      for (const auto* known : {&named_, &provided_}) {
        for (const std::string& name : group) {
          const auto at = known->find(name);
          if (chosen == nullptr && at != known->end()) chosen = &at->second;
        }
      }
      if (chosen == nullptr) continue;
      for (const std::size_t i : *chosen) {
        if (i != of && fits(i, of, *chosen)) found.push_back(i);
      }
    }
    return found;
  }

  // Of a package for several architectures the one of its user's counts.
  bool fits(std::size_t i, std::size_t of, const Indices& all) const {
    const std::string& wanted = packages_[of].architecture;
    const bool same_there = std::any_of(all.begin(), all.end(), [&](std::size_t other) {
      return packages_[other].name == packages_[i].name &&
             packages_[other].architecture == wanted;
    });
    return !same_there || packages_[i].architecture == wanted;
  }

  void add_closure(std::size_t from, Set& to) const {
    Indices open = {from};
    while (!open.empty()) {
      const std::size_t i = open.back();
      open.pop_back();
      if (!to.insert(i).second) continue;
      for (const auto* edges : {&before_unpacking_, &before_configuring_})
        open.insert(open.end(), (*edges)[i].begin(), (*edges)[i].end());
    }
  }

  // All that must be configured before `of` is unpacked.
  Set needs(std::size_t of) const {
    Set all;
    for (const std::size_t i : before_unpacking_[of])
      add_closure(i, all);
    all.erase(of);
    return all;
  }

  // Depth first with a stack of our own: chains may be long.
  Indices sorted() const {
    Indices order;
    std::vector<bool> seen(packages_.size(), false);
    struct Frame {
      std::size_t package;
      Indices rest;  // to visit, the next one last
    };
    std::vector<Frame> stack;
    const auto enter = [&](std::size_t i) {
      if (seen[i]) return;
      seen[i] = true;
      Indices rest = before_configuring_[i];
      by_names(rest);
      Indices sooner = before_unpacking_[i];
      by_names(sooner);
      rest.insert(rest.end(), sooner.begin(), sooner.end());
      stack.push_back({i, std::move(rest)});
    };
    for (const std::size_t root : by_name_) {
      enter(root);
      while (!stack.empty()) {
        if (stack.back().rest.empty()) {
          order.push_back(stack.back().package);
          stack.pop_back();
          continue;
        }
        const std::size_t next = stack.back().rest.back();
        stack.back().rest.pop_back();
        enter(next);
      }
    }
    return order;
  }

  // Last name first, because frames are worked off from their ends.
  void by_names(Indices& some) const {
    std::sort(some.begin(), some.end(), [&](std::size_t a, std::size_t b) {
      return std::tie(packages_[b].name, packages_[b].architecture) <
             std::tie(packages_[a].name, packages_[a].architecture);
    });
  }

  DpkgCall next_to_unpack(const Indices& waiting, const Set& configured) const {
    DpkgCall call;
    for (const std::size_t i : waiting) {
      const Set wanted = needs(i);
      if (std::includes(configured.begin(), configured.end(), wanted.begin(),
                        wanted.end()))
        call.packages.push_back(i);
    }
    // A circle of pre-dependencies, which no archive should have: dpkg says what it is.
    if (call.packages.empty()) call.packages.push_back(waiting.front());
    return call;
  }

  // What somebody who waits needs, as far as it is all unpacked.
  DpkgCall next_to_configure(const Indices& waiting, const Set& unpacked,
                             const Set& configured) const {
    Set wanted;
    for (const std::size_t i : waiting) {
      for (const std::size_t before : before_unpacking_[i]) {
        Set closure;
        add_closure(before, closure);
        if (std::includes(unpacked.begin(), unpacked.end(), closure.begin(),
                          closure.end()))
          wanted.insert(closure.begin(), closure.end());
      }
    }
    DpkgCall call{DpkgCall::What::configure, {}};
    for (const std::size_t i : sorted()) {
      if (wanted.contains(i) && !configured.contains(i)) call.packages.push_back(i);
    }
    return call;
  }

  const std::span<const UnpackedPackage> packages_;
  Indices by_name_;
  std::map<std::string, Indices, std::less<>> named_;
  std::map<std::string, Indices, std::less<>> provided_;
  std::vector<Indices> before_unpacking_;
  std::vector<Indices> before_configuring_;
};

}  // namespace

std::set<std::size_t> bootstrap_packages(std::span<const UnpackedPackage> packages) {
  return Order(packages).bootstrap();
}

std::vector<DpkgCall> dpkg_calls(std::span<const UnpackedPackage> packages,
                                 const std::set<std::size_t>& bootstrap) {
  return Order(packages).calls(bootstrap);
}

}  // namespace lithify
