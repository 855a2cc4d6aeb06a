#include "builder/pack/write_layer.h"

#include <map>
#include <utility>
#include <vector>

#include "oci/base/error.h"
#include "oci/layer/tar.h"

namespace lithify {

namespace {

using oci::FileType;

struct Member {
  oci::Entry entry;
  const Node* node;
};

oci::Entry entry_of(const std::string& path, const Node& node) {
  oci::Entry entry;
  entry.path = path;
  entry.type = node.type;
  entry.attributes = node.attributes;
  entry.size = node.content ? size_of(*node.content) : 0;
  entry.link = node.link;
  entry.device_major = node.device_major;
  entry.device_minor = node.device_minor;
  return entry;
}

// Everything the layer will have, in the order of the tar.
std::map<std::string, Member> members_of(const Tree& change) {
  std::map<std::string, Member> members;
  for (const auto& [path, node] : change.nodes()) {
    Member member{entry_of(path, node), &node};
    if (node.type == FileType::opaque && !node.implied) {
      Member directory = member;
      directory.entry.type = FileType::directory;
      members.emplace(oci::member_path(directory.entry), std::move(directory));
    }
    members.emplace(oci::member_path(member.entry), std::move(member));
  }
  return members;
}

// Finds the names of one file. They are one only while nothing about them differs.
class Links {
 public:
  // The first name of the file, if this is not it.
  const std::string* first_name(const Member& member) {
    if (member.node->file_id == 0 || member.node->type != FileType::regular) {
      return nullptr;
    }
    for (const Member* known : files_[member.node->file_id]) {
      if (known->node->attributes == member.node->attributes &&
          known->node->content == member.node->content) {
        return &known->entry.path;
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

std::uint64_t content_of(const std::map<std::string, Member>& members) {
  std::uint64_t total = 0;
  for (const auto& [path, member] : members)
    total += member.entry.size;
  return total;
}

}  // namespace

oci::Layer write_layer(const Tree& change, oci::BlobStore& store,
                       const LayerOptions& options, oci::Activity& activity,
                       std::stop_token stop) {
  const auto members = members_of(change);
  const std::uint64_t total = content_of(members);
  std::uint64_t done = 0;
  oci::LayerWriter writer(store, options.compression, options.workers);
  Links links;
  for (const auto& [path, member] : members) {
    if (stop.stop_requested()) throw oci::Cancelled();
    if (const std::string* first = links.first_name(member)) {
      writer.add(hard_link(member.entry, *first));
    } else if (member.node->content && member.entry.type == FileType::regular) {
      const auto content = open_content(*member.node->content, store);
      oci::during([&path = path] { return "packing /" + path; },
                  [&] { writer.add(member.entry, *content); });
    } else {
      writer.add(member.entry);
    }
    done += member.entry.size;
    activity.advance(done, total);
  }
  return std::move(writer).finish();
}

}  // namespace lithify
