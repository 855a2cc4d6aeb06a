// layer_doubles: a store that keeps one blob in sight, and layers made of a few words.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "oci/base/error.h"
#include "oci/layer/layer_writer.h"
#include "oci/store/blob_store.h"

namespace layer_test {

// Keeps the last committed blob. Fails the write that goes beyond `full_at` bytes.
class OneBlobStore final : public oci::BlobStore {
 public:
  explicit OneBlobStore(std::size_t full_at = SIZE_MAX) : full_at_(full_at) {}

  bool has(const oci::Digest&) const override { return false; }
  std::unique_ptr<oci::Source> open(const oci::BlobRef&) const override {
    return std::make_unique<oci::StringSource>(blob);
  }
  std::unique_ptr<oci::Source> open_range(const oci::BlobRef&, std::uint64_t at,
                                          std::uint64_t size) const override {
    return std::make_unique<oci::StringSource>(blob.substr(at, size));
  }
  std::unique_ptr<oci::BlobWriter> create() override {
    return std::make_unique<Writer>(*this);
  }

  std::string blob;
  int commits = 0;

 private:
  class Writer final : public oci::BlobWriter {
   public:
    explicit Writer(OneBlobStore& to) : to_(to) {}
    void write(oci::Bytes data) override {
      if (text_.size() + data.size() > to_.full_at_) {
        throw oci::Error(oci::Errc::machine, "the store is full");
      }
      text_.append(reinterpret_cast<const char*>(data.data()), data.size());
    }
    oci::BlobRef commit() override {
      to_.blob = text_;
      ++to_.commits;
      return {oci::Digest::of(text_), text_.size()};
    }

   private:
    OneBlobStore& to_;
    std::string text_;
  };

  std::size_t full_at_;
};

// Gives its text in pieces of at most `step` bytes.
class StingySource final : public oci::Source {
 public:
  StingySource(std::string text, std::size_t step)
      : text_(std::move(text)), step_(step) {}
  std::size_t read(std::span<std::byte> into) override {
    return text_.read(into.first(std::min(into.size(), step_)));
  }

 private:
  oci::StringSource text_;
  std::size_t step_;
};

struct File {
  oci::Entry entry;
  std::string content = {};
};

inline oci::Entry entry(std::string path, oci::FileType type, std::string link = "") {
  oci::Entry made;
  made.path = std::move(path);
  made.type = type;
  made.link = std::move(link);
  const bool searched = type == oci::FileType::directory;
  made.attributes.mode = searched ? 0755 : type == oci::FileType::symlink ? 0777 : 0644;
  made.attributes.mtime = 315532800;
  return made;
}

inline File file(std::string path, std::string content) {
  File made{entry(std::move(path), oci::FileType::regular), std::move(content)};
  made.entry.size = made.content.size();
  return made;
}

struct Written {
  oci::Layer layer;
  std::string blob;
};

inline Written write(const std::vector<File>& files, oci::Compression compression,
                     unsigned workers = 2, std::size_t step = SIZE_MAX) {
  OneBlobStore store;
  oci::WorkerPool pool(workers);
  oci::LayerWriter writer(store, compression, pool);
  for (const File& f : files) {
    StingySource content(f.content, step);
    writer.add(f.entry, content);
  }
  oci::Layer layer = std::move(writer).finish();
  return {std::move(layer), store.blob};
}

// Bytes that compress like text does, the same for the same seed everywhere.
inline std::string text_of(std::size_t size, std::uint32_t seed) {
  std::string text;
  text.reserve(size + 16);
  std::uint32_t state = seed * 2654435761U + 1;
  const auto next = [&state] { return (state = state * 1664525 + 1013904223) >> 8; };
  while (text.size() < size) {
    std::uint32_t word = next() % 5000 * 2654435761U;
    for (std::uint32_t i = 0; i < 3 + word % 9; ++i) {
      word = word * 1664525 + 1013904223;
      text += static_cast<char>('a' + (word >> 27) % 26);
    }
    text += ' ';
  }
  text.resize(size);
  return text;
}

}  // namespace layer_test
