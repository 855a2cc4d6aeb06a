// BorrowedRepository: what a function that opens repositories gives, of one that a test
// keeps; it notes what is asked.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "oci/image/repository.h"

class BorrowedRepository final : public oci::Repository {
 public:
  // `asked` gets "resolve 12", "manifest 6f2c1d0e…", "blob 9f86d081…"; nullptr: nobody
  // wants to know. Both outlive this.
  BorrowedRepository(oci::Repository& from, std::vector<std::string>* asked)
      : from_(from), asked_(asked) {}

  bool has(const oci::Digest& digest) const override { return from_.has(digest); }
  std::unique_ptr<oci::Source> open(const oci::BlobRef& blob) const override {
    note("blob " + blob.digest.brief());
    return from_.open(blob);
  }
  std::unique_ptr<oci::Source> open_range(const oci::BlobRef& blob, std::uint64_t offset,
                                          std::uint64_t size) const override {
    note("blob " + blob.digest.brief());
    return from_.open_range(blob, offset, size);
  }
  std::unique_ptr<oci::BlobWriter> create() override { return from_.create(); }
  std::string manifest(const oci::Descriptor& which) const override {
    note("manifest " + which.digest.brief());
    return from_.manifest(which);
  }
  bool has_manifest(const oci::Digest& digest) const override {
    return from_.has_manifest(digest);
  }
  void put_manifest(const oci::Descriptor& which, oci::Bytes content) override {
    from_.put_manifest(which, content);
  }
  std::optional<oci::Descriptor> resolve(std::string_view tag) const override {
    note("resolve " + std::string(tag));
    return from_.resolve(tag);
  }
  void set_tag(std::string_view tag, const oci::Descriptor& manifest) override {
    from_.set_tag(tag, manifest);
  }
  std::vector<std::string> tags() const override { return from_.tags(); }

 private:
  void note(std::string what) const {
    if (asked_ != nullptr) asked_->push_back(std::move(what));
  }

  oci::Repository& from_;
  std::vector<std::string>* asked_;
};
