// trees: small trees written as text, for tests.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "builder/tree/tree.h"

namespace lithify::testing {

// "d usr", "i usr" (an implied directory), "f usr/a=text", "l lib=usr/lib", "w gone",
// "o etc". A file's content names the digest of its text, in no store.
inline Tree tree_of(std::initializer_list<std::string_view> lines) {
  Tree::Nodes nodes;
  for (const std::string_view line : lines) {
    const std::string_view rest = line.substr(2);
    const std::size_t equals = rest.find('=');
    const std::string_view value =
        equals == std::string_view::npos ? "" : rest.substr(equals + 1);
    Node node;
    node.attributes.mtime = 315532800;
    switch (line.front()) {
      case 'd':
      case 'i':
      case 'o':
        node.type =
            line.front() == 'o' ? oci::FileType::opaque : oci::FileType::directory;
        node.attributes.mode = 0755;
        node.implied = line.front() == 'i';
        break;
      case 'l':
        node.type = oci::FileType::symlink;
        node.attributes.mode = 0777;
        node.link = std::string(value);
        break;
      case 'w':
        node.type = oci::FileType::whiteout;
        break;
      default:
        node.content = Slice{{oci::Digest::of(value), value.size()}, 0, value.size()};
    }
    nodes.emplace(std::string(rest.substr(0, equals)), std::move(node));
  }
  return Tree(std::move(nodes));
}

// The same text back, one line a node.
inline std::string shape_of(const Tree& tree) {
  std::string text;
  for (const auto& [path, node] : tree.nodes()) {
    switch (node.type) {
      case oci::FileType::directory:
        text += node.implied ? "i " : "d ";
        break;
      case oci::FileType::opaque:
        text += "o ";
        break;
      case oci::FileType::symlink:
        text += "l ";
        break;
      case oci::FileType::whiteout:
        text += "w ";
        break;
      default:
        text += "f ";
    }
    text += path;
    if (node.type == oci::FileType::symlink) text += "=" + node.link;
    text += '\n';
  }
  return text;
}

}  // namespace lithify::testing
