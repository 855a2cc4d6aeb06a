// open_archive: an OCI archive or a docker archive as a repository, in place.
#include <algorithm>
#include <array>
#include <mutex>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/error.h"
#include "oci/base/json.h"
#include "oci/image/archive.h"
#include "oci/image/document_node.h"
#include "oci/image/layout_index.h"
#include "oci/image/manifest_graph.h"
#include "oci/image/tar_index.h"
#include "oci/store/blob_range.h"

namespace oci {

namespace {

constexpr std::string_view k_blobs = "blobs/sha256/";

// What both kinds come to: stretches of the file and documents by digest, and names.
class Archive final : public Repository {
 public:
  explicit Archive(const std::filesystem::path& file) : tar_(file) {
    if (tar_.find("oci-layout") && tar_.find("index.json")) {
      read_oci();
    } else if (tar_.find("manifest.json")) {
      read_docker();
    } else {
      throw Error(Errc::bad_input,
                  tar_.name() +
                      " is no image archive: it has neither `oci-layout` and "
                      "`index.json` nor `manifest.json`");
    }
  }

  bool has(const Digest& digest) const override {
    return blobs_.count(digest) != 0 || documents_.count(digest) != 0;
  }
  std::unique_ptr<Source> open(const BlobRef& blob) const override {
    const auto document = documents_.find(blob.digest);
    if (document != documents_.end()) {
      return verified(std::make_unique<StringSource>(document->second), blob.digest,
                      blob.size);
    }
    const TarIndex::Member& member = member_of(blob);
    return verified(tar_.open(member, 0, member.size), blob.digest, blob.size);
  }
  std::unique_ptr<Source> open_range(const BlobRef& blob, std::uint64_t offset,
                                     std::uint64_t size) const override {
    check_range(blob, offset, size);
    check_whole(blob);
    const auto document = documents_.find(blob.digest);
    if (document != documents_.end())
      return std::make_unique<StringSource>(document->second.substr(offset, size));
    return tar_.open(member_of(blob), offset, size);
  }

  std::string manifest(const Descriptor& which) const override {
    return read_manifest(*this, which);
  }
  bool has_manifest(const Digest& digest) const override { return has(digest); }
  std::optional<Descriptor> resolve(std::string_view tag) const override {
    return index_.find(tag);
  }
  std::vector<std::string> tags() const override { return index_.tags(); }

  std::unique_ptr<BlobWriter> create() override { refuse_writing(); }
  void put_manifest(const Descriptor&, Bytes) override { refuse_writing(); }
  void set_tag(std::string_view, const Descriptor&) override { refuse_writing(); }

 private:
  [[noreturn]] void refuse_writing() const {
    throw Error(Errc::internal, tar_.name() + " is an archive, which is only read");
  }

  const TarIndex::Member& member_of(const BlobRef& blob) const {
    const auto member = blobs_.find(blob.digest);
    if (member == blobs_.end()) throw no_such_blob(blob.digest, tar_.name());
    if (member->second.size != blob.size)
      throw wrong_blob_size(blob, member->second.size);
    return member->second;
  }

  void check_whole(const BlobRef& blob) const {
    {
      const std::lock_guard lock(mutex_);
      if (checked_.count(blob) != 0) return;
    }
    NullSink nowhere;
    copy(*open(blob), nowhere);
    const std::lock_guard lock(mutex_);
    checked_.insert(blob);
  }

  void read_oci() {
    check_layout_marker(tar_.text("oci-layout", 4096), tar_.name());
    index_ = LayoutIndex::parse(tar_.text("index.json", k_max_json),
                                tar_.name() + "/index.json");
    for (const auto& [name, member] : tar_.members()) {
      if (name.rfind(k_blobs, 0) != 0) continue;
      if (const auto digest = Digest::parse_hex(name.substr(k_blobs.size())))
        blobs_.emplace(*digest, member);
    }
  }

  // moby's "image/spec/v1.2.md", "Combined Image JSON + Filesystem Changeset Format".
  void read_docker() {
    const std::string what = tar_.name() + "/manifest.json";
    const auto json = parse_json(tar_.text("manifest.json", k_max_json), what);
    for (const DocumentNode& image : DocumentNode(json, what).items()) {
      const Descriptor manifest = read_docker_image(image);
      const auto names = image.find("RepoTags");
      const auto tags = names ? names->texts() : std::vector<std::string>();
      if (tags.empty()) index_.add_nameless(manifest);
      for (const std::string& tag : tags)
        index_.set(tag, manifest);
    }
  }

  // The manifest that the image would have had in a registry, layers as they are.
  Descriptor read_docker_image(const DocumentNode& image) {
    const DocumentNode config_name = image.require("Config");
    const std::string text = tar_.text(config_name.text(), k_max_json);
    const ImageConfig config = ImageConfig::parse(text, config_name.text());
    const std::vector<std::string> names = image.require("Layers").texts();
    if (names.size() != config.diff_ids.size()) {
      image.refuse(fmt::format("{} layers were expected as in {}, not {}",
                               config.diff_ids.size(), config_name.text(), names.size()));
    }
    Manifest manifest{"", "", add_document(text, media_type::k_config)};
    for (std::size_t i = 0; i < names.size(); ++i)
      manifest.layers.push_back(add_layer(names[i], config.diff_ids[i]));
    return add_document(manifest.str(), media_type::k_manifest);
  }

  Descriptor add_document(const std::string& text, std::string_view media_type) {
    Descriptor which = describe(text, media_type);
    documents_.emplace(which.digest, text);
    return which;
  }

  // A plain tar has its diff id for a name, checked when it is read; a compressed one
  // (ggcr writes those) has to be hashed.
  Descriptor add_layer(const std::string& name, const Digest& diff_id) {
    const TarIndex::Member member = tar_.require(name);
    std::array<std::byte, 4> start{};
    tar_.open(member, 0, member.size)->read(start);
    const std::string_view magic(reinterpret_cast<const char*>(start.data()),
                                 start.size());
    const bool gzip = magic.substr(0, 2) == "\x1f\x8b";
    const bool zstd = magic == "\x28\xb5\x2f\xfd";
    const Digest digest = gzip || zstd ? hash(member) : diff_id;
    blobs_.emplace(digest, member);
    return {std::string(gzip   ? media_type::k_layer_gzip
                        : zstd ? media_type::k_layer_zstd
                               : media_type::k_layer),
            digest, member.size};
  }

  Digest hash(const TarIndex::Member& member) const {
    NullSink nowhere;
    HashingSink hashing(nowhere);
    copy(*tar_.open(member, 0, member.size), hashing);
    return std::move(hashing).finish();
  }

  TarIndex tar_;
  LayoutIndex index_;
  std::map<Digest, TarIndex::Member> blobs_;
  std::map<Digest, std::string> documents_;
  mutable std::mutex mutex_;
  mutable std::set<BlobRef> checked_;
};

}  // namespace

std::unique_ptr<Repository> open_archive(const std::filesystem::path& file) {
  return during([&] { return "opening the image archive " + file.string(); },
                [&] { return std::make_unique<Archive>(file); });
}

}  // namespace oci
