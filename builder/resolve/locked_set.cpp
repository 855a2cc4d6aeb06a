#include "builder/resolve/locked_set.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "oci/base/error.h"

namespace lithify {

namespace {

struct MemberName {
  std::string_view name;
  std::string_view architecture;
  std::string_view version;
};

MemberName split(std::string_view text) {
  MemberName member;
  if (const auto equals = text.find('='); equals != std::string_view::npos) {
    member.version = text.substr(equals + 1);
    text = text.substr(0, equals);
  }
  if (const auto colon = text.find(':'); colon != std::string_view::npos) {
    member.architecture = text.substr(colon + 1);
    text = text.substr(0, colon);
  }
  member.name = text;
  return member;
}

bool is_native(const LockedPackage& package, std::string_view architecture) {
  return package.architecture == architecture || package.architecture == "all";
}

using ByName = std::multimap<std::string_view, const LockedPackage*>;

ByName index(const Lock& lock, std::string_view source) {
  ByName by_name;
  for (const LockedPackage& package : lock.packages) {
    if (package.source == source) by_name.emplace(package.name, &package);
  }
  return by_name;
}

const LockedPackage& find(const ByName& by_name, const LockedSet& set,
                          const std::string& text, std::string_view architecture) {
  const MemberName member = split(text);
  const LockedPackage* found = nullptr;
  const auto [first, last] = by_name.equal_range(member.name);
  for (auto it = first; it != last; ++it) {
    const LockedPackage& package = *it->second;
    const bool fits = member.architecture.empty()
                          ? is_native(package, architecture)
                          : package.architecture == member.architecture;
    if (!fits || (!member.version.empty() && package.version != member.version)) continue;
    if (found != nullptr) {
      throw oci::Error(
          oci::Errc::stale,
          fmt::format("set `{}` of the lock names `{}`, which could be {} or {}", set.key,
                      text, found->version, package.version))
          .add_hint("run `lithify lock --update` to write the set anew");
    }
    found = &package;
  }
  if (found == nullptr) {
    throw oci::Error(oci::Errc::stale,
                     fmt::format("set `{}` of the lock names `{}`, but no "
                                 "package of the lock is that",
                                 set.key, text))
        .add_hint("run `lithify lock` to complete it");
  }
  return *found;
}

}  // namespace

std::string_view source_of(const LockedSet& set) {
  const std::string_view request = set.request;
  return request.substr(0, request.find(':'));
}

std::vector<LockedPackage> members(const LockedSet& set, const Lock& lock,
                                   std::string_view source,
                                   std::string_view architecture) {
  const ByName by_name = index(lock, source);
  std::vector<LockedPackage> packages;
  packages.reserve(set.packages.size());
  for (const auto& text : set.packages) {
    packages.push_back(find(by_name, set, text, architecture));
  }
  return packages;
}

std::vector<std::string> member_names(const std::vector<LockedPackage>& packages,
                                      const Lock& lock, std::string_view architecture) {
  if (packages.empty()) return {};
  const ByName by_name = index(lock, packages.front().source);
  std::vector<std::string> names;
  for (const LockedPackage& package : packages) {
    const bool native = is_native(package, architecture);
    const auto [first, last] = by_name.equal_range(package.name);
    const auto rivals = std::count_if(first, last, [&](const auto& entry) {
      return native ? is_native(*entry.second, architecture)
                    : entry.second->architecture == package.architecture;
    });
    std::string name = package.name;
    if (!native) name += ":" + package.architecture;
    if (rivals > 1) name += "=" + package.version;
    names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace lithify
