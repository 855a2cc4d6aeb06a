// memory_store: a map from digests to texts.
#include "oci/store/memory_store.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "oci/base/error.h"
#include "oci/store/blob_range.h"

namespace oci {

namespace {

class SharedTextSource final : public Source {
 public:
  SharedTextSource(std::shared_ptr<const std::string> text, std::size_t offset,
                   std::size_t size)
      : text_(std::move(text)), left_(text_->data() + offset, size) {}

  std::size_t read(std::span<std::byte> into) override {
    const std::size_t length = std::min(into.size(), left_.size());
    if (length > 0) std::memcpy(into.data(), left_.data(), length);
    left_.remove_prefix(length);
    return length;
  }

 private:
  std::shared_ptr<const std::string> text_;
  std::string_view left_;
};

}  // namespace

class MemoryStore::Writer final : public BlobWriter {
 public:
  explicit Writer(MemoryStore& store) : store_(store) {}

  void write(Bytes data) override {
    hasher_.update(data);
    text_.write(data);
  }

  BlobRef commit() override {
    const BlobRef blob{std::move(hasher_).finish(), text_.text.size()};
    const std::lock_guard lock(store_.mutex_);
    store_.blobs_.try_emplace(blob.digest,
                              std::make_shared<const std::string>(std::move(text_.text)));
    return blob;
  }

 private:
  MemoryStore& store_;
  Hasher hasher_;
  StringSink text_;
};

bool MemoryStore::has(const Digest& digest) const {
  const std::lock_guard lock(mutex_);
  return blobs_.count(digest) != 0;
}

std::unique_ptr<Source> MemoryStore::open(const BlobRef& blob) const {
  return open_range(blob, 0, blob.size);
}

std::unique_ptr<Source> MemoryStore::open_range(const BlobRef& blob, std::uint64_t offset,
                                                std::uint64_t size) const {
  const std::lock_guard lock(mutex_);
  const auto found = blobs_.find(blob.digest);
  if (found == blobs_.end()) throw no_such_blob(blob.digest, "memory");
  if (found->second->size() != blob.size) {
    throw wrong_blob_size(blob, found->second->size());
  }
  check_range(blob, offset, size);
  return std::make_unique<SharedTextSource>(found->second, offset, size);
}

std::unique_ptr<BlobWriter> MemoryStore::create() {
  return std::make_unique<Writer>(*this);
}

std::size_t MemoryStore::count() const {
  const std::lock_guard lock(mutex_);
  return blobs_.size();
}

}  // namespace oci
