// finish_libraries: the links from a library's SONAME to its file that ldconfig makes.
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "builder/debian/finishers.h"
#include "builder/debian/lines.h"
#include "builder/debian/shared_library.h"

namespace lithify {
namespace {

using oci::FileType;

bool is_library_name(std::string_view name) {
  return (name.starts_with("lib") || name.starts_with("ld-")) &&
         name.find(".so") != std::string_view::npos;
}

// Directories of /etc/ld.so.conf.d and the ones the loader knows by itself, as places in
// the root.
std::set<std::string> library_directories(const InstalledRoot& root) {
  std::set<std::string> directories;
  const auto add = [&](std::string_view path) {
    if (root.is_directory(path)) directories.insert(*root.resolve(path));
  };
  for (const char* path : {"lib", "lib32", "lib64", "libx32", "usr/lib", "usr/lib32",
                           "usr/lib64", "usr/libx32"}) {
    add(path);
  }
  for (const std::string& path : root.below("etc/ld.so.conf.d")) {
    if (!path.ends_with(".conf")) continue;
    const std::string text = root.read(path).value_or("");
    for (const std::string_view line : lines_of(text)) {
      if (line.starts_with('/')) add(line.substr(0, line.find_last_not_of(" \t\r") + 1));
    }
  }
  return directories;
}

// Library files directly in `directory` that no link there leads to yet.
std::vector<std::string> unlinked_libraries(const InstalledRoot& root,
                                            const std::string& directory) {
  std::set<std::string> files;
  std::set<std::string> targets;
  for (const std::string& path : root.below(directory)) {
    const std::string name = path.substr(directory.size() + 1);
    if (name.find('/') != std::string::npos) continue;
    const Node* node = root.find_link(path);
    if (node->type == FileType::symlink) targets.insert(node->link);
    if (node->type == FileType::regular && is_library_name(name)) files.insert(name);
  }
  std::vector<std::string> rest;
  std::set_difference(files.begin(), files.end(), targets.begin(), targets.end(),
                      std::back_inserter(rest));
  return rest;
}

}  // namespace

void finish_libraries(Finishing& finishing) {
  InstalledRoot& root = finishing.root;
  for (const std::string& directory : library_directories(root)) {
    for (const std::string& name : unlinked_libraries(root, directory)) {
      const std::string path = fmt::format("{}/{}", directory, name);
      const auto soname = soname_of([&](std::uint64_t offset, std::uint64_t size) {
        return root.read_range(path, offset, size);
      });
      if (!soname || *soname == name || soname->find('/') != std::string::npos) continue;
      const std::string link = fmt::format("{}/{}", directory, *soname);
      if (root.find_link(link) == nullptr) root.symlink(link, name);
    }
  }
}

}  // namespace lithify
