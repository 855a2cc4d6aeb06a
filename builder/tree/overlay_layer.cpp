#include "builder/tree/overlay_layer.h"

#include <string>

namespace lithify {

using oci::FileType;

namespace {

// As files on the disk, where nobody asks which step brought them.
bool same_file(const Node& a, const Node& b) {
  return is_directory(a) == is_directory(b) && (is_directory(a) || a.type == b.type) &&
         a.attributes == b.attributes && a.content == b.content && a.link == b.link &&
         a.device_major == b.device_major && a.device_minor == b.device_minor;
}

// Directories above what is in `layer`, which would else be made with other attributes.
void add_parents(Tree::Nodes& layer, const Tree& after) {
  for (const auto& [path, node] : Tree::Nodes(layer)) {
    for (std::string_view above = parent_of(path); !above.empty();
         above = parent_of(above)) {
      if (layer.find(above) != layer.end()) break;
      layer.emplace(std::string(above), *after.find(above));
    }
  }
}

}  // namespace

Tree overlay_layer(const Tree& before, const Tree& after) {
  Tree::Nodes layer;
  for (const auto& [path, node] : after.nodes()) {
    const Node* was = before.find(path);
    if (was != nullptr && same_file(*was, node)) continue;
    Node made = node;
    if (was != nullptr && is_directory(made) && !is_directory(*was))
      made.type = FileType::opaque;
    layer.emplace(path, std::move(made));
  }
  for (const auto& [path, node] : before.nodes()) {
    if (path.empty() || after.find(path) != nullptr) continue;
    const Node* above = after.find(parent_of(path));
    const bool goes_with_its_parent =
        !parent_of(path).empty() && (above == nullptr || !is_directory(*above));
    if (goes_with_its_parent) continue;
    Node gone;
    gone.type = FileType::whiteout;
    layer.emplace(path, std::move(gone));
  }
  add_parents(layer, after);
  return Tree(std::move(layer));
}

}  // namespace lithify
