#include "builder/pack/write_layer.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "oci/base/error.h"
#include "oci/layer/tar.h"

namespace lithify {

namespace {

using oci::FileType;

// One member of the layer to be; what it holds stays in the tree.
struct Member {
  const std::string* path;
  const Node* node;
  FileType type;
};

oci::Entry entry_of(const Member& member) {
  const Node& node = *member.node;
  oci::Entry entry;
  entry.path = *member.path;
  entry.type = member.type;
  entry.attributes = node.attributes;
  entry.size = node.content ? size_of(*node.content) : 0;
  entry.link = node.link;
  entry.device_major = node.device_major;
  entry.device_minor = node.device_minor;
  return entry;
}

bool has_own_name(const Member& member) {
  return member.type == FileType::whiteout || member.type == FileType::opaque;
}

// Everything the layer will have, in the order of the tar: that of the tree, but for
// the marks, whose names in the tar are others.
std::vector<Member> members_of(const Tree& change) {
  std::vector<Member> members;
  members.reserve(change.nodes().size());
  bool marks = false;
  for (const auto& [path, node] : change.nodes()) {
    if (node.type == FileType::opaque && !node.implied) {
      members.push_back({&path, &node, FileType::directory});
    }
    members.push_back({&path, &node, node.type});
    marks = marks || has_own_name(members.back());
  }
  if (!marks) return members;
  const auto name = [](const Member& member) {
    return has_own_name(member) ? oci::member_path(entry_of(member)) : *member.path;
  };
  std::sort(members.begin(), members.end(),
            [&](const Member& a, const Member& b) { return name(a) < name(b); });
  return members;
}

// Finds the names of one file. They are one only while nothing about them differs.
class Links {
 public:
  // The first name of the file, if this is not it.
  const std::string* first_name(const Member& member) {
    if (member.node->file_id == 0 || member.type != FileType::regular) return nullptr;
    for (const Member* known : files_[member.node->file_id]) {
      if (known->node->attributes == member.node->attributes &&
          known->node->content == member.node->content) {
        return known->path;
      }
    }
    files_[member.node->file_id].push_back(&member);
    return nullptr;
  }

 private:
  std::map<std::uint64_t, std::vector<const Member*>> files_;
};

oci::Entry hard_link(oci::Entry entry, const std::string& first) {
  entry.type = FileType::hardlink;
  entry.size = 0;
  entry.link = first;
  return entry;
}

std::uint64_t content_of(const Tree& change) {
  std::uint64_t total = 0;
  for (const auto& [path, node] : change.nodes())
    total += node.content ? size_of(*node.content) : 0;
  return total;
}

}  // namespace

oci::Layer write_layer(const Tree& change, oci::BlobStore& store,
                       const LayerOptions& options, oci::Activity& activity,
                       std::stop_token stop) {
  const std::vector<Member> members = members_of(change);
  const std::uint64_t total = content_of(change);
  std::uint64_t done = 0;
  oci::LayerWriter writer(store, options.compression, options.workers);
  Links links;
  for (const Member& member : members) {
    if (stop.stop_requested()) throw oci::Cancelled();
    const oci::Entry entry = entry_of(member);
    if (const std::string* first = links.first_name(member)) {
      writer.add(hard_link(entry, *first));
    } else if (member.node->content && entry.type == FileType::regular) {
      const auto content = open_content(*member.node->content, store);
      oci::during([&] { return "packing /" + entry.path; },
                  [&] { writer.add(entry, *content); });
    } else {
      writer.add(entry);
    }
    done += entry.size;
    activity.advance(done, total);
  }
  return std::move(writer).finish();
}

}  // namespace lithify
