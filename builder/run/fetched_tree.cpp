#include "builder/run/fetched_tree.h"

namespace lithify {

Tree fetched_tree(const Fetch& fetch) {
  Node file;
  file.attributes.mtime = k_constant_time;
  file.content = Slice{{fetch.expected, fetch.size}, 0, fetch.size};
  Tree::Nodes nodes;
  nodes.emplace(fetch.file_name, std::move(file));
  return Tree(std::move(nodes));
}

}  // namespace lithify
