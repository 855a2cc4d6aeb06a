// golden_layer: the test vectors of oci/README.md, held by files of tests/golden/layer.
#include <fstream>

#include <fmt/format.h>

#include "oci/layer/layer_writer.h"
#include "oci/layer/tar.h"

#include "tests/oci/layer/layer_doubles.h"
#include "tests/support/catch.h"
#include "tests/support/golden.h"

using layer_test::entry;
using layer_test::File;
using layer_test::file;
using oci::Compression;
using oci::FileType;

namespace {

// "Vector 1": one of most kinds.
std::vector<File> vector_1() {
  File hello = file("bin/hello", "hello\n");
  hello.entry.attributes.mode = 0755;
  File big_owner = file(
      "gr\xc3\xbc\xc3\x9f"
      "e",
      "");
  big_owner.entry.attributes.uid = 2097152;
  big_owner.entry.attributes.xattrs = {{"user.note", "x"}};
  return {{entry("", FileType::directory)},
          {entry("old", FileType::whiteout)},
          {entry("bin", FileType::directory)},
          hello,
          {entry("bin/hi", FileType::hardlink, "bin/hello")},
          {entry("etc", FileType::directory)},
          {entry("etc/motd", FileType::symlink, "../bin/hello")},
          big_owner};
}

// "Vector 2": enough for several frames. File dNNNN has 10,000 bytes of value NNNN mod
// 256; `large` has 10,000,000 of value 122.
std::vector<File> vector_2() {
  std::vector<File> files;
  for (int i = 0; i < 2000; ++i) {
    files.push_back(
        file(fmt::format("d{:04}", i), std::string(10'000, static_cast<char>(i % 256))));
  }
  files.push_back(file("large", std::string(10'000'000, 'z')));
  files.push_back(file("small", "s"));
  return files;
}

std::string names_of(const layer_test::Written& written) {
  return fmt::format("{} {}\n", written.layer.blob.digest.str(), written.layer.blob.size);
}

// Every frame is written on its own.
class FrameSizes final : public oci::BlobStore {
 public:
  bool has(const oci::Digest&) const override { return false; }
  std::unique_ptr<oci::Source> open(const oci::BlobRef&) const override {
    return std::make_unique<oci::StringSource>("");
  }
  std::unique_ptr<oci::Source> open_range(const oci::BlobRef& blob, std::uint64_t,
                                          std::uint64_t) const override {
    return open(blob);
  }
  std::unique_ptr<oci::BlobWriter> create() override {
    return std::make_unique<Writer>(*this);
  }
  std::string sizes;

 private:
  class Writer final : public oci::BlobWriter {
   public:
    explicit Writer(FrameSizes& to) : to_(to) {}
    void write(oci::Bytes data) override {
      to_.sizes += fmt::format("{}\n", data.size());
    }
    oci::BlobRef commit() override { return {oci::Digest::of(""), 0}; }

   private:
    FrameSizes& to_;
  };
};

std::string frame_sizes(const std::vector<File>& files) {
  FrameSizes store;
  oci::WorkerPool pool(1);
  oci::LayerWriter writer(store, Compression::none, pool);
  for (const File& f : files) {
    oci::StringSource content(f.content);
    writer.add(f.entry, content);
  }
  std::move(writer).finish();
  return store.sizes;
}

}  // namespace

TEST_CASE("the tar of format 1 has not changed") {
  std::string text;
  for (const File& f : vector_1()) {
    text += fmt::format("header {} {}\n", oci::Digest::of(oci::tar_header(f.entry)).hex(),
                        oci::member_path(f.entry));
  }
  text += "diff id 1 " + names_of(write(vector_1(), Compression::none));
  text += "diff id 2 " + names_of(write(vector_2(), Compression::none));
  check_golden("layer/tar.txt", text);
}

TEST_CASE("the frames of format 1 have not changed") {
  check_golden("layer/frames.txt", frame_sizes(vector_2()));
}

TEST_CASE("the blobs of format 1 have not changed, for each known encoder") {
  for (const Compression compression : {Compression::gzip, Compression::zstd}) {
    const std::string golden = "layer/" + oci::encoder_identity(compression) + ".txt";
    const std::string known = LITHIFY_SOURCE_DIR "/tests/golden/" + golden;
    if (!std::ifstream(known) && std::getenv("LITHIFY_ACCEPT") == nullptr) {
      WARN("no golden blobs for this encoder: " << golden);
      continue;
    }
    check_golden(golden, "blob 1 " + names_of(write(vector_1(), compression)) +
                             "blob 2 " + names_of(write(vector_2(), compression)));
  }
}
