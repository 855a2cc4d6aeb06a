// unpack_deb: one .deb to a tree whose contents are slices of one blob.
#include <vector>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/debian/deb_archive.h"
#include "builder/debian/debian_install.h"

namespace lithify {
namespace {

using oci::Errc;
using oci::Error;
using oci::FileType;

struct OneFile {
  const std::string& name;
  const Content& content;
};

OneFile only_file(const Tree& input) {
  const std::string* name = nullptr;
  const Content* content = nullptr;
  for (const auto& [path, node] : input.nodes()) {
    if (node.type != FileType::regular) continue;
    if (content != nullptr || !node.content) {
      throw Error(Errc::internal, "a package to unpack is not one file");
    }
    name = &path;
    content = &*node.content;
  }
  if (content == nullptr) throw Error(Errc::internal, "a package to unpack has no file");
  return {*name, *content};
}

const oci::Digest& digest_of(const Content& content) {
  if (const auto* slice = std::get_if<Slice>(&content)) return slice->blob.digest;
  return std::get<LocalFile>(content).digest;
}

// Collects nodes and writes their contents one behind the other.
class Unpacker {
 public:
  Unpacker(const UnpackDebAction& action, oci::Digest deb, const DebianContext& context)
      : origin_(action.package),
        deb_(deb),
        context_(context),
        writer_(context.store.create()) {}

  void control(oci::ArchiveReader& reader) {
    while (auto entry = next(reader)) {
      if (entry->type == FileType::directory && entry->path.empty()) continue;
      if (entry->type != FileType::regular) {
        throw Error(Errc::bad_input,
                    fmt::format("the control member '{}' is no file", entry->path));
      }
      add(reader, *entry, "control");
    }
  }

  void data(oci::ArchiveReader& reader) {
    while (auto entry = next(reader))
      add(reader, *entry, "data");
  }

  Tree finish() && {
    const oci::BlobRef blob = writer_->commit();
    for (const Extent& extent : extents_) {
      // A later member of the same name may have replaced a file by something else.
      Node& node = nodes_.at(extent.path);
      if (node.type == FileType::regular) {
        node.content = Slice{blob, extent.offset, extent.size};
      }
    }
    for (const auto& [name, first] : links_)
      link(name, first);
    add_parts();
    return Tree(std::move(nodes_));
  }

 private:
  struct Extent {
    std::string path;
    std::uint64_t offset;
    std::uint64_t size;
  };

  std::optional<oci::Entry> next(oci::ArchiveReader& reader) const {
    if (context_.stop.stop_requested()) throw oci::Cancelled();
    return reader.next();
  }

  void add(oci::ArchiveReader& reader, oci::Entry& entry, std::string_view part) {
    const std::string path =
        entry.path.empty() ? std::string(part) : fmt::format("{}/{}", part, entry.path);
    if (entry.path.empty() && entry.type != FileType::directory) {
      throw Error(Errc::bad_input, "the root of the package is no directory");
    }
    Node node;
    node.type = entry.type;
    node.attributes = std::move(entry.attributes);
    node.attributes.xattrs.clear();
    node.link = std::move(entry.link);
    node.device_major = entry.device_major;
    node.device_minor = entry.device_minor;
    node.origin = origin_;
    if (node.type == FileType::regular) {
      const std::uint64_t size = oci::copy(reader.content(), *writer_);
      extents_.push_back({path, offset_, size});
      offset_ += size;
    } else if (node.type == FileType::hardlink) {
      links_.emplace_back(path, fmt::format("{}/{}", part, node.link));
    }
    nodes_.insert_or_assign(path, std::move(node));
    add_implied_parents(nodes_, path, 0);
  }

  // Turns the hard link `name` into one more node of the file `first`.
  void link(const std::string& name, const std::string& first) {
    Node& target = nodes_.at(name);
    if (target.type != FileType::hardlink) return;
    const auto source = nodes_.find(first);
    if (source == nodes_.end() || source->second.type != FileType::regular) {
      throw Error(Errc::bad_input,
                  fmt::format("the hard link '{}' leads to no file", name));
    }
    if (source->second.file_id == 0) source->second.file_id = hard_link_id(deb_, first);
    target = source->second;
  }

  void add_parts() {
    for (const std::string_view part : {"control", "data"}) {
      Node directory;
      directory.type = FileType::directory;
      directory.attributes.mode = 0755;
      directory.origin = origin_;
      nodes_.emplace(part, std::move(directory));
    }
  }

  std::string origin_;
  oci::Digest deb_;
  const DebianContext& context_;
  std::unique_ptr<oci::BlobWriter> writer_;
  std::uint64_t offset_ = 0;
  Tree::Nodes nodes_;
  std::vector<Extent> extents_;
  std::vector<std::pair<std::string, std::string>> links_;  // name, first name
};

}  // namespace

Tree unpack_deb(const UnpackDebAction& action, const Tree& input,
                const DebianContext& context) {
  const OneFile file = only_file(input);
  Unpacker unpacker(action, digest_of(file.content), context);
  read_deb(
      open_content(file.content, context.store), action.package,
      [&](oci::ArchiveReader& reader) { unpacker.control(reader); },
      [&](oci::ArchiveReader& reader) { unpacker.data(reader); });
  return std::move(unpacker).finish();
}

}  // namespace lithify
