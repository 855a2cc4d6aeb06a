#include "builder/run/import.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/plan/glob.h"
#include "builder/plan/key.h"

namespace lithify {

namespace {

constexpr std::uint64_t k_max_link = 4096;

// A symlink that was checked out as a file with its target in it.
Node made_symlink(const Node& file, const std::string& path,
                  const oci::BlobStore& store) {
  Node link;
  link.type = oci::FileType::symlink;
  link.attributes = file.attributes;
  link.attributes.mode = 0777;
  if (file.content) {
    link.link = oci::read_all(*open_content(*file.content, store), k_max_link, path);
  }
  if (link.link.empty() || link.link.find('\0') != std::string::npos) {
    throw oci::Error(oci::Errc::bad_input,
                     fmt::format("{} is a symlink for git, but holds no target", path));
  }
  return link;
}

Tree with_git_modes(const Tree& captured, const GitModes& modes,
                    const oci::BlobStore& store) {
  Tree::Nodes nodes = captured.nodes();
  for (auto& [path, node] : nodes) {
    const auto known = modes.find(path);
    if (known == modes.end() || node.type != oci::FileType::regular) continue;
    if (known->second == GitMode::symlink) {
      node = made_symlink(node, path, store);
    } else {
      node.attributes.mode = known->second == GitMode::executable ? 0755 : 0644;
    }
  }
  return Tree(std::move(nodes));
}

// Where git is asked about a source, which may be one file.
std::string directory_of(const std::string& path) {
  std::error_code problem;
  const std::filesystem::path source(path);
  return std::filesystem::is_directory(source, problem) ? path
                                                        : source.parent_path().string();
}

void warn_of_nothing(const Import& import, const Tree& tree, oci::Activity& activity) {
  const auto is_content = [](const auto& entry) { return !is_directory(entry.second); };
  const auto& nodes = tree.nodes();
  if (!import.include.empty() && std::none_of(nodes.begin(), nodes.end(), is_content))
    activity.warn("`include` takes no file of " + import.path);
}

}  // namespace

Tree perform_import(const Import& import, const ImportTools& tools) {
  const PathFilter filter(import.include, import.exclude);
  CaptureRequest request;
  request.path = import.path;
  request.keep_modes = import.modes == LocalSource::Modes::keep;
  request.now_ns = tools.now_ns;
  if (!filter.takes_all()) {
    request.takes = [&](std::string_view path) { return filter.takes(path); };
    request.descends = [&](std::string_view path) { return filter.descends(path); };
    request.filter_name = KeyDocument()
                              .field("include", import.include)
                              .field("exclude", import.exclude)
                              .text();
  }
  Tree captured = capture(request, tools.capture);
  warn_of_nothing(import, captured, tools.capture.activity);
  if (import.modes != LocalSource::Modes::git) return captured;
  return with_git_modes(captured, tools.git_index(directory_of(import.path)),
                        tools.store);
}

}  // namespace lithify
