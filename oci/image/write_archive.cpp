// write_archive: images as tar files of bytes that depend on the image alone.
#include <algorithm>
#include <functional>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/error.h"
#include "oci/base/json.h"
#include "oci/base/stoppable_sink.h"
#include "oci/image/archive.h"
#include "oci/image/layout_index.h"
#include "oci/image/manifest_graph.h"
#include "oci/layer/decompress.h"
#include "oci/layer/tar.h"

namespace oci {

namespace {

constexpr std::int64_t k_mtime = 315'532'800;  // 1980-01-01T00:00:00Z, as in layers

// A regular member, opened when its turn comes.
struct Member {
  std::uint64_t size;
  std::function<std::unique_ptr<Source>()> open;
};

Member text_member(const std::string& text) {
  return {text.size(), [text] { return std::make_unique<StringSource>(text); }};
}

void write_zeros(Sink& to, std::size_t count) {
  to.write(as_bytes(std::string(count, '\0')));
}

void write_directory(Sink& to, const std::string& path) {
  const Entry entry{path, FileType::directory, {0755, 0, 0, k_mtime}};
  to.write(as_bytes(tar_header(entry)));
}

using Members = std::map<std::string, Member>;

// std::map's order is the order of bytes that the archives promise.
void write_members(Sink& to, const Members& members) {
  for (const auto& [name, member] : members) {
    const Entry entry{name, FileType::regular, {0644, 0, 0, k_mtime}, member.size};
    to.write(as_bytes(tar_header(entry)));
    const std::uint64_t written = copy(*member.open(), to);
    if (written != member.size) {
      throw Error(Errc::mismatch, fmt::format("{} has {} bytes, expected {}", name,
                                              written, member.size));
    }
    write_zeros(to, tar_padding(member.size));
  }
  write_zeros(to, 2 * k_tar_block);
}

std::uint64_t size_of(const Members& members) {
  std::uint64_t bytes = 2 * k_tar_block;
  for (const auto& [name, member] : members)
    bytes += k_tar_block + member.size + tar_padding(member.size);
  return bytes;
}

// Who runs out of space is told how much would have been enough.
void write_archive(Sink& to, const Members& members, std::stop_token stop) {
  StoppableSink stoppable(to, std::move(stop));
  try {
    write_members(stoppable, members);
  } catch (Error& e) {
    if (e.code() == Errc::machine)
      e.add_note(fmt::format("the archive has {} bytes", size_of(members)));
    throw;
  }
}

std::uint64_t size_of_layer(Source& layer, const Digest& diff_id, std::stop_token stop) {
  NullSink nowhere;
  HashingSink hashing(nowhere);
  StoppableSink stoppable(hashing, std::move(stop));
  const std::uint64_t size = copy(layer, stoppable);
  const Digest found = std::move(hashing).finish();
  if (found != diff_id) {
    throw Error(Errc::mismatch,
                fmt::format("the layer has diff id {}, its configuration says {}",
                            found.str(), diff_id.str()));
  }
  return size;
}

// tar wants the size before the content, so compressed layers are read twice.
Member layer_member(const Repository& from, const Descriptor& layer,
                    const Digest& diff_id, std::stop_token stop) {
  const auto open = [&from, layer] {
    const BlobRef blob{layer.digest, layer.size};
    return decompressed(from.open(blob), Filters::layer, "layer " + layer.digest.brief(),
                        ArchiveLimits());
  };
  const std::uint64_t size = layer.digest == diff_id
                                 ? layer.size
                                 : size_of_layer(*open(), diff_id, std::move(stop));
  return {size, [open, diff_id, size] { return verified(open(), diff_id, size); }};
}

}  // namespace

void write_oci_archive(const Repository& from, const Descriptor& root,
                       const std::string& name, Sink& to, std::stop_token stop) {
  Members members;
  for (const Descriptor& part : closure(from, root)) {
    const std::string path = "blobs/sha256/" + part.digest.hex();
    if (is_document(part.media_type)) {
      members.emplace(path, text_member(from.manifest(part)));
    } else {
      members.emplace(path, Member{part.size, [&from, part] {
                                     return from.open({part.digest, part.size});
                                   }});
    }
  }
  LayoutIndex index;
  index.set(name, root);
  members.emplace("index.json", text_member(index.str()));
  members.emplace("oci-layout", text_member(std::string(k_layout_marker)));
  write_directory(to, "blobs");
  write_directory(to, "blobs/sha256");
  write_archive(to, members, std::move(stop));
}

void write_docker_archive(const Repository& from, const Descriptor& root,
                          const std::string& reference, Sink& to, std::stop_token stop) {
  if (is_index(root.media_type)) {
    throw Error(Errc::bad_input,
                "a docker archive holds an image for one platform, and "
                "this is an index of several")
        .add_hint("choose one with --platform");
  }
  const Manifest manifest =
      Manifest::parse(from.manifest(root), "manifest " + root.digest.brief());
  const std::string text =
      read_all(*from.open({manifest.config.digest, manifest.config.size}), k_max_json,
               "an image configuration");
  const ImageConfig config = ImageConfig::parse(text, "image configuration");
  if (config.diff_ids.size() != manifest.layers.size()) {
    throw Error(Errc::bad_input, fmt::format("manifest {} has {} layers, its "
                                             "configuration {}",
                                             root.digest.brief(), manifest.layers.size(),
                                             config.diff_ids.size()));
  }
  Members members;
  nlohmann::json layers = nlohmann::json::array();
  for (std::size_t i = 0; i < config.diff_ids.size(); ++i) {
    const std::string path = config.diff_ids[i].hex() + ".tar";
    layers.push_back(path);
    if (members.count(path) == 0) {
      members.emplace(path,
                      layer_member(from, manifest.layers[i], config.diff_ids[i], stop));
    }
  }
  const std::string config_path = manifest.config.digest.hex() + ".json";
  members.emplace(config_path, text_member(text));
  const nlohmann::json image{
      {"Config", config_path}, {"Layers", layers}, {"RepoTags", {reference}}};
  members.emplace("manifest.json",
                  text_member(canonical_json(nlohmann::json::array({image}))));
  write_archive(to, members, std::move(stop));
}

}  // namespace oci
