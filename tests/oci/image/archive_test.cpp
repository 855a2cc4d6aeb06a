// archive: images in one file, out and in.
#include "oci/image/archive.h"

#include <fstream>

#include "oci/base/worker_pool.h"
#include "oci/layer/layer_writer.h"

#include "tests/oci/image/repository_suite.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_directory.h"

using oci::Descriptor;
using oci::Digest;
using oci::Errc;
using repository_suite::copy_image;
using repository_suite::failure_of;
namespace fs = std::filesystem;

namespace {

fs::path plant(const TemporaryDirectory& place, const std::string& content) {
  const fs::path path = place.path() / "archive.tar";
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

std::string oci_archive(const oci::Repository& from, const Descriptor& root) {
  oci::StringSink sink;
  oci::write_oci_archive(from, root, "app:1", sink);
  return sink.text;
}

std::string docker_archive(const oci::Repository& from, const Descriptor& root) {
  oci::StringSink sink;
  oci::write_docker_archive(from, root, "app:1", sink);
  return sink.text;
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const oci::Error& e) {
    return e.what();
  }
  return "no error";
}

// The small image, its layer compressed by the real writer.
Descriptor put_compressed_image(oci::Repository& to, oci::Compression compression) {
  oci::WorkerPool workers(1);
  oci::LayerWriter writer(to, compression, workers);
  const std::string content(70'000, 'c');
  oci::StringSource source(content);
  writer.add({"file", oci::FileType::regular, {}, content.size()}, source);
  const oci::Layer layer = std::move(writer).finish();
  oci::ImageConfig config{{"linux", "amd64", ""}, "1980-01-01T00:00:00Z"};
  config.diff_ids = {layer.diff_id, layer.diff_id};  // twice: one member in the archive
  oci::put(to, config.str());
  const oci::Manifest manifest{"",
                               "",
                               oci::describe(config.str(), oci::media_type::k_config),
                               {layer.blob, layer.blob}};
  return put_document(to, manifest.str(), oci::media_type::k_manifest);
}

// Concatenates tars made by small_tar().
std::string tar_of(const std::vector<std::pair<std::string, std::string>>& members) {
  std::string tar;
  for (const auto& [name, content] : members) {
    const std::string one = small_tar(name, content);
    tar += one.substr(0, one.size() - 1024);
  }
  return tar + std::string(1024, '\0');
}

}  // namespace

TEST_CASE("format 1's archives have these bytes") {
  MemoryRepository memory;
  const Descriptor image = put_small_image(memory, "hello");
  check_golden("image/archives.txt",
               "oci " + Digest::of(oci_archive(memory, image)).str() + "\ndocker " +
                   Digest::of(docker_archive(memory, image)).str() + "\n");
}

TEST_CASE("an OCI archive gives back what went into it") {
  const TemporaryDirectory place;
  MemoryRepository memory;
  const Descriptor root = put_small_index(memory, "x");
  const auto archive = oci::open_archive(plant(place, oci_archive(memory, root)));
  CHECK(archive->tags() == std::vector<std::string>{"app:1"});
  CHECK(archive->resolve("app:1") == root);
  CHECK(archive->resolve("") == root);
  MemoryRepository back;
  copy_image(*archive, root, back);
  CHECK(oci::closure(back, root) == oci::closure(memory, root));
  CHECK(oci_archive(*archive, root) == oci_archive(memory, root));
  const Descriptor layer = oci::closure(memory, root).at(1);
  CHECK(oci::read_all(*archive->open_range({layer.digest, layer.size}, 512, 7), 7, "x") ==
        "content");
  CHECK(failure_of([&] { archive->create(); }) == Errc::internal);
}

TEST_CASE("a docker archive has the layers as plain tars") {
  const TemporaryDirectory place;
  const auto compression =
      GENERATE(oci::Compression::none, oci::Compression::gzip, oci::Compression::zstd);
  MemoryRepository memory;
  const Descriptor image = put_compressed_image(memory, compression);
  const auto archive = oci::open_archive(plant(place, docker_archive(memory, image)));
  CHECK(archive->tags() == std::vector<std::string>{"app:1"});
  const auto root = archive->resolve("app:1");
  REQUIRE(root.has_value());
  const auto manifest = oci::Manifest::parse(archive->manifest(*root), "manifest");
  const auto original = oci::Manifest::parse(memory.manifest(image), "manifest");
  CHECK(manifest.config == original.config);
  REQUIRE(manifest.layers.size() == 2);
  CHECK(manifest.layers[0].media_type == oci::media_type::k_layer);
  MemoryRepository back;
  copy_image(*archive, *root, back);
  CHECK(docker_archive(back, *root) == docker_archive(memory, image));
}

TEST_CASE("writing an archive stops when it is asked to") {
  MemoryRepository memory;
  const Descriptor image = put_compressed_image(memory, oci::Compression::zstd);
  std::stop_source stop;
  stop.request_stop();
  oci::StringSink sink;
  // Its layers are read once before the first byte is written.
  CHECK_THROWS_AS(
      oci::write_docker_archive(memory, image, "app:1", sink, stop.get_token()),
      oci::Cancelled);
  CHECK(sink.text.empty());
  CHECK_THROWS_AS(oci::write_oci_archive(memory, image, "app:1", sink, stop.get_token()),
                  oci::Cancelled);
}

TEST_CASE("a docker archive of an index is refused") {
  MemoryRepository memory;
  const Descriptor root = put_small_index(memory, "x");
  CHECK(failure_of([&] { docker_archive(memory, root); }) == Errc::bad_input);
}

TEST_CASE("a layer that is not what its configuration says is not archived") {
  MemoryRepository memory;
  const Descriptor image = put_compressed_image(memory, oci::Compression::zstd);
  auto manifest = oci::Manifest::parse(memory.manifest(image), "manifest");
  const oci::BlobRef other = oci::put(memory, small_tar("other", "x"));
  manifest.layers[0].digest = other.digest;
  manifest.layers[0].size = other.size;
  const Descriptor lie =
      put_document(memory, manifest.str(), oci::media_type::k_manifest);
  CHECK(failure_of([&] { docker_archive(memory, lie); }) == Errc::mismatch);
  manifest.layers.pop_back();
  const Descriptor shorter =
      put_document(memory, manifest.str(), oci::media_type::k_manifest);
  CHECK(failure_of([&] { docker_archive(memory, shorter); }) == Errc::bad_input);
}

TEST_CASE("archives of other tools: compressed layers, no name, ./ in front") {
  const TemporaryDirectory place;
  MemoryRepository memory;
  const Descriptor image = put_compressed_image(memory, oci::Compression::gzip);
  const auto manifest = oci::Manifest::parse(memory.manifest(image), "manifest");
  const auto text = [&](const Descriptor& which) {
    return blob_store_suite::text_of(memory, {which.digest, which.size});
  };
  const auto archive = oci::open_archive(plant(
      place, tar_of({{"./c.json", text(manifest.config)},
                     {"./l.tar.gz", text(manifest.layers[0])},
                     {"./manifest.json", R"([{"Config":"c.json","RepoTags":null,)"
                                         R"("Layers":["l.tar.gz","l.tar.gz"]}])"}})));
  CHECK(archive->tags().empty());
  const auto root = archive->resolve("");
  REQUIRE(root.has_value());
  CHECK(oci::Manifest::parse(archive->manifest(*root), "m").layers == manifest.layers);
}

TEST_CASE("a damaged archive shows when it is read") {
  const TemporaryDirectory place;
  MemoryRepository memory;
  const Descriptor image = put_small_image(memory, "x");
  std::string bytes = oci_archive(memory, image);
  const std::size_t at = bytes.find("content of x");
  REQUIRE(at != std::string::npos);
  bytes[at] = 'C';
  const auto archive = oci::open_archive(plant(place, bytes));
  MemoryRepository back;
  CHECK(failure_of([&] { copy_image(*archive, image, back); }) == Errc::mismatch);
  const Descriptor layer = oci::closure(memory, image).at(1);
  CHECK(failure_of([&] {
          archive->open_range({layer.digest, layer.size}, 0, 1);
        }) == Errc::mismatch);
}

TEST_CASE("what is no image archive is refused") {
  const TemporaryDirectory place;
  const auto open = [&](const std::string& content) {
    return error_of([&] { oci::open_archive(plant(place, content)); });
  };
  const std::string path = (place.path() / "archive.tar").string();
  CHECK(open(small_tar("a", "x")) ==
        path +
            " is no image archive: it has neither `oci-layout` and `index.json` nor "
            "`manifest.json`");
  CHECK(open("\x1f\x8b and so on") ==
        path + " is compressed with gzip, and cannot be read in place");
  CHECK(open(tar_of({{"a", "1"}, {"./a", "2"}})) == path + " has `a` twice");
  CHECK(open(tar_of({{"manifest.json", R"([{"Config":"c","Layers":[]}])"}})) ==
        path + " has no `c`");
  CHECK(open(std::string(5000, 'x')) != "no error");
  MemoryRepository memory;
  const std::string whole = oci_archive(memory, put_small_image(memory, "x"));
  for (const std::size_t size : {0, 100, 600, 1600, 3000})
    CHECK(open(whole.substr(0, size)) != "no error");
  CHECK(failure_of([&] { oci::open_archive(place.path()); }) == Errc::bad_input);
  CHECK(failure_of([&] { oci::open_archive(place.path() / "none"); }) == Errc::not_found);
}
