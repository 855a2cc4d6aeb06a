#include "builder/run/edit.h"

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/debian/debian_install.h"
#include "builder/debian/debian_scripted.h"
#include "builder/run/edit_users.h"
#include "builder/run/fetched_tree.h"
#include "builder/tree/tree_path.h"
#include "builder/tree/tree_text.h"

namespace lithify {

using oci::Errc;
using oci::Error;
using oci::FileType;

namespace {

// A name that begins so is a mark in a layer, never a file.
bool is_mark(std::string_view name) {
  return name.starts_with(".wh.");
}

// What an archive, a package or a script names is not what a layer can hold.
Tree fit_for_layer(Tree change) {
  for (const auto& [path, node] : change.nodes()) {
    const char* problem = path_problem(path);
    if (is_mark(path) || path.find("/.wh.") != std::string::npos) {
      problem = "begins a name with \".wh.\", which means a deletion in an image";
    }
    if (problem == nullptr) continue;
    const std::string whose =
        node.origin.empty() ? "" : fmt::format("package {}: ", node.origin);
    throw Error(Errc::bad_input, fmt::format("{}the path \"/{}\" {}", whose,
                                             path.substr(0, 200), problem));
  }
  return change;
}

// Applies actions one after another; the later see the earlier.
class Editor {
 public:
  Editor(const EditContext& context, std::span<const Tree> below, bool on_base)
      : context_(context), below_(below), on_base_(on_base) {}

  void perform(const FileAction& action) {
    if (context_.stop.stop_requested()) throw oci::Cancelled();
    Tree change = std::visit(*this, action);
    const bool layer = std::holds_alternative<UnpackLayerAction>(action);
    change_ = change_.nodes().empty()
                  ? std::move(change)
                  : merge(change_, change, true,
                          layer ? OnSymlink::replace : OnSymlink::follow);
  }
  Tree finish() && { return std::move(change_); }

  Tree operator()(const CopyAction& action) {
    return fit_for_layer(copy_files(action, context_.input(action.input), context_));
  }
  Tree operator()(const UnpackAction& action) { return unpack_archive(action, context_); }
  Tree operator()(const UnpackLayerAction& action) {
    return unpack_layer(action, context_);
  }
  Tree operator()(const WriteAction& action) { return write_text(action.what, context_); }
  Tree operator()(const MakeDirectoryAction& action) {
    return make_directory(action.what, context_);
  }
  Tree operator()(const SymlinkAction& action) {
    return make_symlink(action.what, context_);
  }
  Tree operator()(const RemoveAction& action) {
    return remove_files(action.what, seen(), context_);
  }
  Tree operator()(const SetAttributesAction& action) {
    return set_attributes(action.what, seen(), context_);
  }
  Tree operator()(const UnpackDebAction& action) {
    return unpack_deb(action, context_.input(action.input), debian());
  }
  Tree operator()(const InstallDebianAction& action) {
    const std::size_t count = action.packages.size();
    if (count == 0) return {};
    context_.input(action.first + count - 1);  // all of them are there
    return fit_for_layer(install_debian(
        action, context_.inputs.subspan(action.first, count), seen(), debian()));
  }
  Tree operator()(const BootstrapDebianAction& action) {
    return fit_for_layer(
        bootstrap_debian(action.set, archives(action.set), seen(), debian()));
  }
  Tree operator()(const ArrangeDebianAction& action) {
    return arrange_debian(action.set, archives(action.set), seen(), debian());
  }
  Tree operator()(const DropPackagedAction& action) {
    if (action.count != 0) context_.input(action.first + action.count - 1);
    return drop_packaged(action, context_.inputs.subspan(action.first, action.count),
                         seen());
  }
  Tree operator()(const MergeAction&) { return seen(); }
  Tree operator()(const AddUsersAction& action) {
    return fit_for_layer(
        add_users(action.what, seen(), context_.store, context_.edit.mtime));
  }
  Tree operator()(const AddGroupsAction& action) {
    return add_groups(action.what, seen(), context_.store, context_.edit.mtime);
  }

 private:
  std::span<const Tree> archives(const DebianSet& set) const {
    if (!set.packages.empty()) context_.input(set.first + set.packages.size() - 1);
    return context_.inputs.subspan(set.first, set.packages.size());
  }

  DebianContext debian() const {
    return {context_.store, context_.activity, context_.edit.mtime, context_.edit.clamp,
            context_.stop};
  }

  // The full tree as it is before the next action.
  Tree seen() const {
    std::vector<Tree> all(below_.begin(), below_.end());
    all.push_back(change_);
    return merge_below(all, on_base_);
  }

  const EditContext& context_;
  std::span<const Tree> below_;
  const bool on_base_;
  Tree change_;
};

Tree single(const std::string& path, Node node) {
  Tree::Nodes nodes;
  add_implied_parents(nodes, path, k_constant_time);
  nodes.emplace(path, std::move(node));
  return Tree(std::move(nodes));
}

Node made(FileType type, const Owner& owner, std::uint32_t mode,
          const EditContext& context) {
  Node node;
  node.type = type;
  node.attributes.mode = mode;
  node.attributes.uid = owner.uid;
  node.attributes.gid = owner.gid;
  node.attributes.mtime = context.edit.mtime;
  return node;
}

std::string path_below_root(std::string_view written) {
  std::string path = tree_path(written);
  if (path.empty()) {
    throw Error(Errc::bad_input, fmt::format("\"{}\" is the root directory", written));
  }
  return path;
}

}  // namespace

const Tree& EditContext::input(InputIndex index) const {
  if (index >= inputs.size()) {
    throw Error(Errc::internal,
                fmt::format("an action names input {} of {}", index, inputs.size()));
  }
  return inputs[index];
}

void EditContext::warn(const std::string& text) const {
  activity.warn(place.file.empty() || place.line == 0
                    ? text
                    : fmt::format("{}:{}: {}", place.file, place.line, text));
}

Tree perform_edit(const Step& step, const Edit& edit, std::span<Tree> inputs,
                  oci::BlobStore& store, oci::Activity& activity, std::stop_token stop) {
  if (step.below > inputs.size() || (step.on_base && step.below == 0)) {
    throw Error(Errc::internal, "a step stands on more trees than it has inputs");
  }
  const EditContext context{edit, inputs, store, activity, std::move(stop), step.place};
  // A copy alone in its step is the last to want its input, and may use it up.
  if (edit.actions.size() == 1 && step.below == 0) {
    if (const auto* copy = std::get_if<CopyAction>(&edit.actions.front())) {
      context.input(copy->input);  // it is there
      return fit_for_layer(copy_files(*copy, std::move(inputs[copy->input]), context));
    }
  }
  Editor editor(context, inputs.last(step.below), step.on_base);
  for (const FileAction& action : edit.actions)
    editor.perform(action);
  return std::move(editor).finish();
}

Tree write_text(const FileStep& what, const EditContext& context) {
  Node node = made(FileType::regular, what.owner, what.mode, context);
  if (!what.text.empty()) {
    const oci::BlobRef blob = oci::put(context.store, what.text);
    node.content = Slice{blob, 0, blob.size};
  }
  return single(path_below_root(what.path), std::move(node));
}

Tree make_directory(const DirStep& what, const EditContext& context) {
  Node node = made(FileType::directory, what.owner, what.mode, context);
  return single(tree_path(what.path), std::move(node));
}

Tree make_symlink(const SymlinkStep& what, const EditContext& context) {
  if (what.target.empty() || what.target.find('\0') != std::string::npos) {
    throw Error(
        Errc::bad_input,
        fmt::format("the target of the symlink {} is empty or holds a NUL", what.path));
  }
  Node node = made(FileType::symlink, what.owner, 0777, context);
  node.link = what.target;
  return single(path_below_root(what.path), std::move(node));
}

}  // namespace lithify
