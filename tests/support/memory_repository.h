// MemoryRepository: a repository in maps, and a small image to put into one.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>

#include "oci/base/error.h"
#include "oci/image/manifest_graph.h"
#include "oci/image/repository.h"
#include "oci/store/memory_store.h"

class MemoryRepository final : public oci::Repository {
 public:
  bool has(const oci::Digest& digest) const override { return blobs_.has(digest); }
  std::unique_ptr<oci::Source> open(const oci::BlobRef& blob) const override {
    return blobs_.open(blob);
  }
  std::unique_ptr<oci::Source> open_range(const oci::BlobRef& blob, std::uint64_t offset,
                                          std::uint64_t size) const override {
    return blobs_.open_range(blob, offset, size);
  }
  std::unique_ptr<oci::BlobWriter> create() override {
    ++writers;
    return blobs_.create();
  }

  std::string manifest(const oci::Descriptor& which) const override {
    return oci::read_manifest(manifests_, which);
  }
  bool has_manifest(const oci::Digest& digest) const override {
    return manifests_.has(digest);
  }
  void put_manifest(const oci::Descriptor& which, oci::Bytes content) override {
    oci::write_manifest(manifests_, which, content);
    const std::lock_guard lock(mutex_);
    put_order.push_back(which.digest);
    documents_.insert_or_assign(which.digest.str(), which);
  }

  // Digests too, as registries do.
  std::optional<oci::Descriptor> resolve(std::string_view tag) const override {
    const std::lock_guard lock(mutex_);
    for (const auto* names : {&tags_, &documents_}) {
      const auto found = names->find(std::string(tag));
      if (found != names->end()) return found->second;
    }
    return std::nullopt;
  }
  void set_tag(std::string_view tag, const oci::Descriptor& manifest) override {
    if (!has_manifest(manifest.digest)) {
      throw oci::Error(oci::Errc::not_found,
                       "no manifest " + manifest.digest.str() + " in memory");
    }
    const std::lock_guard lock(mutex_);
    tags_.insert_or_assign(std::string(tag), manifest);
  }
  std::vector<std::string> tags() const override {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> names;
    for (const auto& tag : tags_)
      names.push_back(tag.first);
    return names;
  }

  std::atomic<int> writers = 0;
  std::vector<oci::Digest> put_order;

 private:
  oci::MemoryStore blobs_;
  oci::MemoryStore manifests_;
  mutable std::mutex mutex_;
  std::map<std::string, oci::Descriptor> tags_;
  std::map<std::string, oci::Descriptor> documents_;  // by the text of their digest
};
