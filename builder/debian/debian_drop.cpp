// DropRules: by path alone, so that a rule can be told in a sentence.
#include "builder/debian/debian_drop.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "oci/base/error.h"

namespace lithify {
namespace {

using oci::FileType;

bool below(std::string_view path, std::string_view directory) {
  return path.size() > directory.size() && path.starts_with(directory) &&
         path[directory.size()] == '/';
}

// The component of `path` after `directory`, which it is below.
std::string_view next_component(std::string_view path, std::string_view directory) {
  path.remove_prefix(directory.size() + 1);
  return path.substr(0, path.find('/'));
}

bool is_manual_section(std::string_view path) {
  constexpr std::string_view k_man = "usr/share/man/man";
  return path.size() == k_man.size() + 1 && path.starts_with(k_man);
}

}  // namespace

DropRules::DropRules(const std::vector<std::string>& drop,
                     std::vector<std::string> keep_locales)
    : keep_(std::move(keep_locales)) {
  for (const std::string& word : drop) {
    if (word == "docs") {
      docs_ = true;
    } else if (word == "man") {
      man_ = true;
    } else if (word == "info") {
      info_ = true;
    } else if (word == "locales") {
      locales_ = true;
    } else {
      throw oci::Error(
          oci::Errc::bad_input,
          fmt::format("'{}' cannot be dropped: expected docs, man, info or locales",
                      word));
    }
  }
}

bool DropRules::unwanted_locale(std::string_view locale) const {
  return std::none_of(keep_.begin(), keep_.end(), [&](const std::string& kept) {
    return locale == kept ||
           (locale.starts_with(kept) &&
            std::string_view("_@.").find(locale[kept.size()]) != std::string_view::npos);
  });
}

bool DropRules::dropped(std::string_view path, const Node& node) const {
  constexpr std::string_view k_doc = "usr/share/doc";
  constexpr std::string_view k_man = "usr/share/man";
  constexpr std::string_view k_locale = "usr/share/locale";
  if (docs_) {
    for (const char* more : {"doc-base", "gtk-doc", "lintian", "linda"}) {
      if (below(path, fmt::format("usr/share/{}", more))) return true;
    }
    if (below(path, k_doc)) {
      const std::string_view name = path.substr(path.rfind('/') + 1);
      const std::string_view package = next_component(path, k_doc);
      const bool is_top = path.size() == k_doc.size() + 1 + package.size();
      return name != "copyright" && !(is_top && node.type == FileType::symlink);
    }
  }
  if (man_ && below(path, k_man)) return true;
  if (info_ && below(path, "usr/share/info")) return true;
  if (!locales_) return false;
  if (below(path, k_man)) {
    const std::string_view part = next_component(path, k_man);
    return !part.starts_with("man") && unwanted_locale(part);
  }
  if (!below(path, k_locale)) return false;
  const std::string_view part = next_component(path, k_locale);
  return part != "locale.alias" && unwanted_locale(part);
}

void DropRules::apply(Tree::Nodes& nodes) const {
  if (!docs_ && !man_ && !info_ && !locales_) return;
  std::set<std::string, std::less<>> emptied;  // directories that lost something
  const auto lost = [&](std::string_view path) {
    const std::size_t slash = path.rfind('/');
    if (slash != std::string_view::npos) emptied.emplace(path.substr(0, slash));
  };
  for (auto at = nodes.begin(); at != nodes.end();) {
    if (at->second.type != FileType::directory && dropped(at->first, at->second)) {
      lost(at->first);
      at = nodes.erase(at);
    } else {
      ++at;
    }
  }
  // Deepest first: taking one out may leave its parent empty.
  while (!emptied.empty()) {
    const std::string path = *emptied.rbegin();
    emptied.erase(std::prev(emptied.end()));
    const auto at = nodes.find(path);
    if (at == nodes.end() || at->second.type != FileType::directory) continue;
    const auto next = nodes.lower_bound(path + "/");
    const bool has_more = next != nodes.end() && below(next->first, path);
    if (has_more || is_manual_section(path) || !dropped(path, at->second)) continue;
    lost(path);
    nodes.erase(at);
  }
}

}  // namespace lithify
