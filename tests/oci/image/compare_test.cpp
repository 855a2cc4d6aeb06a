// compare: each way in which two images can differ is told by its own name, once.
#include "oci/image/compare.h"

#include <functional>
#include <utility>
#include <vector>

#include "oci/base/error.h"
#include "oci/image/manifest.h"
#include "oci/layer/layer_writer.h"

#include "tests/support/catch.h"
#include "tests/support/memory_repository.h"
#include "tests/support/small_image.h"

using oci::ImageDifference;
using Kind = ImageDifference::Kind;

namespace {

struct TestFile {
  oci::Entry entry;
  std::string content = {};
};
using TestFiles = std::vector<TestFile>;

TestFile file(std::string path, std::string content) {
  oci::Entry entry;
  entry.path = std::move(path);
  entry.size = content.size();
  return {std::move(entry), std::move(content)};
}

TestFile symlink_to(std::string path, std::string target) {
  oci::Entry entry;
  entry.path = std::move(path);
  entry.type = oci::FileType::symlink;
  entry.link = std::move(target);
  return {std::move(entry)};
}

struct TestLayer {
  oci::Descriptor blob;
  oci::Digest diff_id;
};

TestLayer raw_layer(oci::BlobStore& to, const std::string& tar) {
  const oci::BlobRef blob = oci::put(to, tar);
  return {{std::string(oci::media_type::k_layer), blob.digest, blob.size}, blob.digest};
}

TestLayer layer_of(oci::BlobStore& to, const TestFiles& files,
                   oci::Compression compression = oci::Compression::zstd) {
  oci::WorkerPool workers(1);
  oci::LayerWriter writer(to, compression, workers);
  for (const TestFile& one : files) {
    if (one.entry.type == oci::FileType::regular) {
      oci::StringSource content(one.content);
      writer.add(one.entry, content);
    } else {
      writer.add(one.entry);
    }
  }
  const oci::Layer layer = std::move(writer).finish();
  return {layer.blob, layer.diff_id};
}

using Adjust = std::function<void(oci::ImageConfig&)>;

oci::Descriptor image_of(oci::Repository& to, const std::vector<TestLayer>& layers,
                         const Adjust& adjust = {},
                         const std::string& architecture = "amd64") {
  oci::ImageConfig config{{"linux", architecture, ""}, "1980-01-01T00:00:00Z"};
  std::vector<oci::Descriptor> blobs;
  for (const TestLayer& layer : layers) {
    config.diff_ids.push_back(layer.diff_id);
    blobs.push_back(layer.blob);
  }
  if (adjust) adjust(config);
  const std::string text = config.str();
  oci::put(to, text);
  const oci::Manifest manifest{"", "", oci::describe(text, oci::media_type::k_config),
                               blobs};
  return put_document(to, manifest.str(), oci::media_type::k_manifest);
}

std::vector<ImageDifference> differences(const MemoryRepository& images,
                                         const oci::Descriptor& a,
                                         const oci::Descriptor& b) {
  const auto found = oci::compare_images({images, a}, {images, b});
  CHECK_FALSE(found.equal());
  return found.differences;
}

// The one difference between two layers of these files.
ImageDifference only(const TestFiles& a, const TestFiles& b) {
  MemoryRepository images;
  const auto found = differences(images, image_of(images, {layer_of(images, a)}),
                                 image_of(images, {layer_of(images, b)}));
  REQUIRE(found.size() == 1);
  CHECK(found.front().layer == 1);
  CHECK(found.front().other_layer == 1);
  return found.front();
}

}  // namespace

TEST_CASE("equal images are equal without anything being read") {
  MemoryRepository empty;
  MemoryRepository images;
  const oci::Descriptor root = put_small_image(images, "a");
  const auto found = oci::compare_images({empty, root}, {empty, root});
  CHECK(found.equal());
  CHECK(found.differences.empty());
}

TEST_CASE("a member of the configuration is named by its path") {
  MemoryRepository images;
  const std::vector<TestLayer> layers = {layer_of(images, {file("a", "1")})};
  const auto a = image_of(images, layers, [](auto& config) {
    config.env = {{"A", "b"}};
    config.labels = {{"version", "1"}};
  });
  const auto b = image_of(images, layers, [](auto& config) {
    config.env = {{"A", "c"}, {"D", "e"}};
    config.labels = {{"version", "1"}};
  });
  const auto found = differences(images, a, b);
  REQUIRE(found.size() == 2);
  CHECK(found[0].document == "configuration");
  CHECK(found[0].field == "config.Env[0]");
  CHECK(found[0].first == "A=b");
  CHECK(found[0].second == "A=c");
  CHECK(found[1].field == "config.Env[1]");
  CHECK_FALSE(found[1].first);
  CHECK(found[1].second == "D=e");
}

TEST_CASE("a field of a header is named, whichever it is") {
  const auto with = [](auto change) {
    TestFile changed = file("a/b", "same");
    change(changed.entry.attributes);
    return changed;
  };
  const TestFile plain = file("a/b", "same");
  struct Row {
    TestFile changed;
    std::string field, first, second;
  };
  const Row rows[] = {
      {with([](auto& a) { a.mode = 0755; }), "mode", "0644", "0755"},
      {with([](auto& a) { a.uid = 7; }), "uid", "0", "7"},
      {with([](auto& a) { a.gid = 8; }), "gid", "0", "8"},
      {with([](auto& a) { a.mtime = 9; }), "mtime", "0", "9"},
      {with([](auto& a) { a.xattrs["user.x"] = "y"; }), "SCHILY.xattr.user.x", "", "y"},
  };
  for (const Row& row : rows) {
    const ImageDifference found = only({plain}, {row.changed});
    CHECK(found.kind == Kind::header);
    CHECK(found.path == "a/b");
    CHECK(found.field == row.field);
    CHECK(found.first.value_or("") == row.first);
    CHECK(found.second == row.second);
  }
  CHECK(only({symlink_to("l", "a")}, {symlink_to("l", "b")}).field == "linkname");
}

TEST_CASE("a byte of a file's content is found, with what stands around it") {
  const std::string long_text(200'000, 'x');
  const ImageDifference found = only({file("f", long_text + "built at 10:11:12\n")},
                                     {file("f", long_text + "built at 10:11:13\n")});
  CHECK(found.kind == Kind::content);
  CHECK(found.path == "f");
  CHECK(found.offset == 200'016);
  CHECK(found.before.substr(found.before.size() - 16) == "built at 10:11:1");
  CHECK(found.first == "2\n");
  CHECK(found.second == "3\n");
  CHECK(found.head == std::string(16, 'x'));
}

TEST_CASE("a longer file differs in its size and where the shorter one ends") {
  MemoryRepository images;
  const auto found =
      differences(images, image_of(images, {layer_of(images, {file("f", "abc")})}),
                  image_of(images, {layer_of(images, {file("f", "abcd")})}));
  REQUIRE(found.size() == 2);
  CHECK(found[0].field == "size");
  CHECK(found[1].kind == Kind::content);
  CHECK(found[1].offset == 3);
  CHECK(found[1].first->empty());
}

TEST_CASE("a member that only one has does not hide those behind it") {
  MemoryRepository images;
  const auto found = differences(
      images,
      image_of(images,
               {layer_of(images, {file("a", "1"), file("b", "1"), file("d", "1")})}),
      image_of(images,
               {layer_of(images, {file("b", "1"), file("c", "1"), file("d", "2")})}));
  REQUIRE(found.size() == 3);
  CHECK(found[0].path == "a");
  CHECK(found[0].kind == Kind::member);
  CHECK(found[0].first == "file");
  CHECK_FALSE(found[0].second);
  CHECK(found[1].path == "c");
  CHECK_FALSE(found[1].first);
  CHECK(found[2].path == "d");
  CHECK(found[2].kind == Kind::content);
}

TEST_CASE("one tar in two encodings is one difference, and no lie makes it so") {
  MemoryRepository images;
  const TestFiles files = {file("a", "1")};
  const TestLayer zstd = layer_of(images, files);
  const TestLayer gzip = layer_of(images, files, oci::Compression::gzip);
  auto found = differences(images, image_of(images, {zstd}), image_of(images, {gzip}));
  REQUIRE(found.size() == 2);  // the media type stands in the manifest
  CHECK(found[0].field == "layers[0].mediaType");
  CHECK(found[1].kind == Kind::encoding);
  CHECK(found[1].first->rfind("zstd, ", 0) == 0);
  // A configuration that claims the other layer's diff id.
  TestLayer liar = layer_of(images, {file("a", "2")});
  liar.diff_id = zstd.diff_id;
  found = differences(images, image_of(images, {zstd}), image_of(images, {liar}));
  REQUIRE(found.size() == 1);
  CHECK(found[0].kind == Kind::content);
}

TEST_CASE("members in another order, or in no order, are compared by name") {
  const std::string a = small_tar("b", "1").substr(0, 1024) + small_tar("a", "1");
  const std::string b = small_tar("b", "1").substr(0, 1024) + small_tar("a", "2");
  MemoryRepository images;
  auto found = differences(images, image_of(images, {raw_layer(images, a)}),
                           image_of(images, {raw_layer(images, b)}));
  REQUIRE(found.size() == 1);
  CHECK(found[0].kind == Kind::content);
  CHECK(found[0].path == "a");
  CHECK(found[0].first == "1");
  const std::string other_order =
      small_tar("a", "1").substr(0, 1024) + small_tar("b", "1");
  found = differences(images, image_of(images, {raw_layer(images, a)}),
                      image_of(images, {raw_layer(images, other_order)}));
  REQUIRE(found.size() == 1);
  CHECK(found[0].kind == Kind::framing);
  CHECK(found[0].field == "name");
}

TEST_CASE("what no member shows is told by the field of the tar header") {
  std::string a = small_tar("a", "1");
  std::string b = a;
  b.replace(265, 4, "root");  // uname
  // The checksum of the header: the sum of its bytes grew by that word.
  unsigned sum = 0;
  for (std::size_t i = 0; i < 512; ++i)
    sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(b[i]);
  for (int i = 5; i >= 0; --i, sum /= 8)
    b[148 + static_cast<std::size_t>(i)] = static_cast<char>('0' + sum % 8);
  MemoryRepository images;
  const auto found = differences(images, image_of(images, {raw_layer(images, b)}),
                                 image_of(images, {raw_layer(images, a)}));
  REQUIRE(found.size() == 1);
  CHECK(found[0].kind == Kind::framing);
  CHECK(found[0].path == "a");
  CHECK(found[0].field == "chksum");
  const auto padded =
      differences(images, image_of(images, {raw_layer(images, a)}),
                  image_of(images, {raw_layer(images, a + std::string(512, '\0'))}));
  REQUIRE(padded.size() == 1);
  CHECK(padded[0].field == "end of the tar");
}

TEST_CASE("a layer between others does not make those different") {
  MemoryRepository images;
  const TestLayer low = layer_of(images, {file("low", "1")});
  const TestLayer high = layer_of(images, {file("high", "1")});
  const TestLayer between = layer_of(images, {file("new", "1")});
  const auto found = differences(images, image_of(images, {low, high}),
                                 image_of(images, {low, between, high}));
  REQUIRE(found.size() == 1);
  CHECK(found[0].kind == Kind::layer);
  CHECK(found[0].layer == 0);
  CHECK(found[0].other_layer == 2);
}

TEST_CASE("platforms are paired by name, and one that is missing is told") {
  MemoryRepository images;
  const auto index_of = [&](const std::vector<oci::Descriptor>& manifests) {
    oci::Index index;
    index.manifests = manifests;
    return put_document(images, index.str(), oci::media_type::k_index);
  };
  const auto on = [&](const std::string& architecture, const std::string& content) {
    oci::Descriptor image =
        image_of(images, {layer_of(images, {file("a", content)})}, {}, architecture);
    image.platform = oci::Platform{"linux", architecture, ""};
    return image;
  };
  const auto found = differences(images, index_of({on("amd64", "1"), on("arm64", "1")}),
                                 index_of({on("arm64", "2"), on("riscv64", "1")}));
  REQUIRE(found.size() == 5);
  CHECK(found[0].kind == Kind::platform);
  CHECK(found[0].platform == "linux/amd64");
  CHECK(found[1].kind == Kind::content);
  CHECK(found[1].platform == "linux/arm64");
  CHECK(found[2].platform == "linux/riscv64");
  CHECK_FALSE(found[2].first);
  CHECK(found[3].document == "index");
  CHECK(found[3].field == "manifests[0].platform.architecture");
}

TEST_CASE("what an index says about its images counts where the images are the same") {
  MemoryRepository images;
  const auto index_of = [&](const std::vector<oci::Descriptor>& manifests) {
    oci::Index index;
    index.manifests = manifests;
    return put_document(images, index.str(), oci::media_type::k_index);
  };
  const auto image = [&](const std::string& content) {
    return image_of(images, {layer_of(images, {file("a", content)})});
  };
  const auto entry = [](oci::Descriptor manifest) {
    manifest.platform = oci::Platform{"linux", "amd64", ""};
    return manifest;
  };
  const auto about = [&](const oci::Descriptor& manifest, const std::string& what) {
    oci::Descriptor said = image_of(images, {raw_layer(images, what)});
    said.platform = oci::Platform{"unknown", "unknown", ""};
    said.annotations = {{"vnd.docker.reference.type", "attestation-manifest"},
                        {"vnd.docker.reference.digest", manifest.digest.str()}};
    return said;
  };
  const oci::Descriptor one = image("1"), two = image("2");
  const oci::Descriptor bare = index_of({entry(one)});
  const oci::Descriptor first = index_of({entry(one), about(one, "a")});
  const oci::Descriptor second = index_of({entry(one), about(one, "b")});
  for (const auto& [a, b] :
       {std::pair(first, second), std::pair(first, bare), std::pair(one, first)}) {
    const auto found = differences(images, a, b);
    REQUIRE(found.size() == 1);
    CHECK(found[0].document == "index");
    CHECK(found[0].field == "attestations");
  }
  const auto found = differences(images, first, index_of({entry(two), about(two, "b")}));
  REQUIRE(found.size() == 1);
  CHECK(found[0].kind == Kind::content);
  CHECK(differences(images, first, two).front().kind == Kind::content);
}

TEST_CASE("one document in two spellings is a difference, too") {
  MemoryRepository images;
  const TestLayer layer = layer_of(images, {file("a", "1")});
  const oci::Descriptor a = image_of(images, {layer});
  const std::string text = images.manifest(a);
  const oci::Descriptor b =
      put_document(images, "{ " + text.substr(1), oci::media_type::k_manifest);
  const auto found = differences(images, a, b);
  REQUIRE(found.size() == 1);
  CHECK(found[0].field == "spelling");
  CHECK(found[0].offset == 1);
}

TEST_CASE("no more differences are told than asked for") {
  MemoryRepository images;
  TestFiles a, b;
  for (int i = 100; i < 120; ++i) {
    a.push_back(file(std::to_string(i), "1"));
    b.push_back(file(std::to_string(i), "2"));
  }
  const auto root_a = image_of(images, {layer_of(images, a)});
  const auto root_b = image_of(images, {layer_of(images, b)});
  const auto found = oci::compare_images({images, root_a}, {images, root_b}, {}, 5);
  CHECK(found.differences.size() == 5);
  CHECK(found.left_out == 15);
}

TEST_CASE("comparing stops when it is told to") {
  MemoryRepository images;
  const auto a = image_of(images, {layer_of(images, {file("a", "1")})});
  const auto b = image_of(images, {layer_of(images, {file("a", "2")})});
  std::stop_source stop;
  stop.request_stop();
  CHECK_THROWS_AS(oci::compare_images({images, a}, {images, b}, stop.get_token()),
                  oci::Cancelled);
}
