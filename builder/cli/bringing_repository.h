// BringingRepository: the store, and behind it the registries that hold what bases were
// built of.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "oci/image/repository.h"

namespace lithify {

// Reads as the store does; a blob that is not there is brought first. Layers of a base
// are only named by an image that stands on it, until somebody wants their bytes.
class BringingRepository final : public oci::Repository {
 public:
  // Puts a blob into `store`, or throws. Called from any thread.
  using Bring = std::function<void(const oci::BlobRef& blob)>;
  BringingRepository(oci::Repository& store, Bring bring)
      : store_(store), bring_(std::move(bring)) {}

  bool has(const oci::Digest& digest) const override { return store_.has(digest); }
  std::unique_ptr<oci::Source> open(const oci::BlobRef& blob) const override {
    see_to(blob);
    return store_.open(blob);
  }
  std::unique_ptr<oci::Source> open_range(const oci::BlobRef& blob, std::uint64_t offset,
                                          std::uint64_t size) const override {
    see_to(blob);
    return store_.open_range(blob, offset, size);
  }
  std::unique_ptr<oci::BlobWriter> create() override { return store_.create(); }

  std::string manifest(const oci::Descriptor& which) const override {
    see_to({which.digest, which.size});
    return store_.manifest(which);
  }
  bool has_manifest(const oci::Digest& digest) const override {
    return store_.has_manifest(digest);
  }
  void put_manifest(const oci::Descriptor& which, oci::Bytes content) override {
    store_.put_manifest(which, content);
  }
  std::optional<oci::Descriptor> resolve(std::string_view tag) const override {
    return store_.resolve(tag);
  }
  void set_tag(std::string_view tag, const oci::Descriptor& manifest) override {
    store_.set_tag(tag, manifest);
  }
  std::vector<std::string> tags() const override { return store_.tags(); }

 private:
  void see_to(const oci::BlobRef& blob) const {
    if (!store_.has(blob.digest)) bring_(blob);
  }

  oci::Repository& store_;
  Bring bring_;
};

}  // namespace lithify
