// edit_unpack: archives and layers into trees.
#include "builder/run/edit_unpack.h"

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/layer/archive_digest.h"
#include "oci/layer/decompress.h"

#include "builder/run/archive_tree.h"
#include "builder/run/edit.h"
#include "builder/run/fetched_tree.h"
#include "builder/tree/tree_path.h"

namespace lithify {

using oci::Errc;
using oci::Error;
using oci::FileType;

namespace {

// `path` without its first `strip` components; nullopt if nothing is left.
std::optional<std::string_view> stripped(std::string_view path, int strip) {
  for (; strip > 0; --strip) {
    const std::size_t slash = path.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    path.remove_prefix(slash + 1);
  }
  return path;
}

// `path` relative to the directory `above`; nullopt if it is not below or at it.
std::optional<std::string_view> below(std::string_view path, std::string_view above) {
  if (above.empty()) return path;
  if (path.substr(0, above.size()) != above) return std::nullopt;
  path.remove_prefix(above.size());
  if (path.empty()) return path;
  if (path.front() != '/') return std::nullopt;
  return path.substr(1);
}

// A file as it was imported, or a whole blob as it was fetched.
oci::Digest digest_of(const Node& node) {
  if (!node.content) return oci::Digest::of("");
  if (const auto* local = std::get_if<LocalFile>(&*node.content)) return local->digest;
  return std::get<Slice>(*node.content).blob.digest;
}

void check_archive(const UnpackAction& action, const Node& archive,
                   const oci::BlobStore& store) {
  if (action.sha256 && digest_of(archive) != *action.sha256) {
    throw Error(Errc::mismatch,
                fmt::format("{} has digest {}, the build file says {}", action.name,
                            digest_of(archive).hex(), action.sha256->hex()))
        .add_hint("compare with the digest its publisher gives before you change sha256");
  }
  if (!action.tree) return;
  const auto reader = oci::read_archive(open_node(archive, store), action.name);
  const oci::Digest found = oci::archive_digest(*reader);
  if (found == *action.tree) return;
  throw Error(Errc::mismatch, fmt::format("the content of {} has digest {}, the lock "
                                          "says {}",
                                          action.name, found.hex(), action.tree->hex()))
      .add_hint("restore the lock from version control, or `lithify lock --update`");
}

// Passes a layer's tar on and compares it, at its end, with the name its image gave it.
class NamedTar final : public oci::Source {
 public:
  NamedTar(std::unique_ptr<oci::Source> from, const oci::Digest& diff_id,
           std::string name)
      : from_(std::move(from)), diff_id_(diff_id), name_(std::move(name)) {}

  std::size_t read(std::span<std::byte> into) override {
    if (ended_ || into.empty()) return 0;
    const std::size_t got = from_->read(into);
    hasher_.update(into.first(got));
    ended_ = got == 0;
    if (!ended_) return got;
    const oci::Digest found = std::move(hasher_).finish();
    if (found == diff_id_) return 0;
    throw Error(Errc::mismatch, fmt::format("{} unpacks to {}, but its image says {}",
                                            name_, found.brief(), diff_id_.brief()));
  }

 private:
  std::unique_ptr<oci::Source> from_;
  oci::Digest diff_id_;
  std::string name_;
  oci::Hasher hasher_;
  bool ended_ = false;
};

}  // namespace

const Node& only_file(const Tree& tree, std::string_view name) {
  const Node* found = nullptr;
  for (const auto& [path, node] : tree.nodes()) {
    if (node.type != FileType::regular) continue;
    if (found) {
      throw Error(Errc::bad_input, fmt::format("{} is not one file but several", name));
    }
    found = &node;
  }
  if (!found) throw Error(Errc::not_found, fmt::format("{} is no file", name));
  return *found;
}

std::unique_ptr<oci::Source> open_node(const Node& node, const oci::BlobStore& store) {
  if (!node.content) return std::make_unique<oci::StringSource>(std::string());
  return open_content(*node.content, store);
}

Tree::Nodes unpack_members(const Node& archive, const UnpackRules& rules,
                           const EditContext& context) {
  const std::string subdir = tree_path(rules.subdir);
  ArchiveTreeRequest request;
  request.name = rules.name;
  request.implied_mtime = k_constant_time;
  request.place = [&](const std::string& path) -> std::optional<std::string> {
    const auto left = stripped(path, rules.strip);
    const auto taken = left ? below(*left, subdir) : std::nullopt;
    if (!taken) return std::nullopt;
    return std::string(*taken);
  };
  request.adjust = [&](const oci::Entry& entry, oci::Attributes& attributes) {
    const bool executable =
        entry.type == FileType::directory || (attributes.mode & 0100) != 0;
    attributes.mode = entry.type == FileType::symlink ? 0777 : executable ? 0755 : 0644;
    attributes.uid = 0;
    attributes.gid = 0;
    attributes.xattrs.clear();
    attributes.mtime = std::min(attributes.mtime, context.edit.clamp);
  };
  const auto reader = oci::read_archive(open_node(archive, context.store), rules.name);
  Tree::Nodes nodes = read_archive_tree(*reader, context.store, request, context.stop);
  if (nodes.empty() && (rules.strip > 0 || !subdir.empty())) {
    const std::string what =
        subdir.empty() ? fmt::format("`strip: {}`", rules.strip)
        : rules.strip == 0
            ? fmt::format("`subdir: {}`", rules.subdir)
            : fmt::format("`strip: {}` and `subdir: {}`", rules.strip, rules.subdir);
    throw Error(Errc::not_found,
                fmt::format("nothing of {} is left after {}", rules.name, what));
  }
  return nodes;
}

Tree unpack_archive(const UnpackAction& action, const EditContext& context) {
  const Node& archive = only_file(context.input(action.input), action.name);
  check_archive(action, archive, context.store);
  Tree::Nodes nodes =
      oci::during([&] { return "unpacking " + action.name; },
                  [&] {
                    return unpack_members(
                        archive, {action.strip, action.subdir, action.name}, context);
                  });
  // An archive is a directory, whether or not it says so.
  Node root;
  root.type = FileType::directory;
  root.attributes.mode = 0755;
  root.attributes.mtime = k_constant_time;
  nodes.emplace("", std::move(root));
  return Tree(std::move(nodes));
}

Tree unpack_layer(const UnpackLayerAction& action, const EditContext& context) {
  const Tree& input = context.input(action.input);
  const Node& blob = only_file(input, "the layer");
  const std::string name = input.nodes().begin()->first;
  ArchiveTreeRequest request;
  request.name = name;
  request.implied_mtime = k_constant_time;
  request.place = [](const std::string& path) { return std::optional(path); };
  request.adjust = [](const oci::Entry&, oci::Attributes&) {};
  auto tar = std::make_unique<NamedTar>(
      oci::decompressed(open_node(blob, context.store), oci::Filters::layer, name, {}),
      action.diff_id, name);
  const auto reader = oci::read_layer(std::move(tar), name);
  return Tree(read_archive_tree(*reader, context.store, request, context.stop));
}

}  // namespace lithify
