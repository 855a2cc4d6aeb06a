// layout: what a directory adds to the shared suite: neighbours, damage and strangers.
#include "oci/image/layout.h"

#include <csignal>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/store/directory_store.h"

#include "tests/oci/image/repository_suite.h"
#include "tests/support/processes.h"
#include "tests/support/temporary_directory.h"

using oci::Descriptor;
using oci::Digest;
using oci::DirectoryStore;
using oci::Errc;
using repository_suite::copy_image;
using repository_suite::failure_of;
namespace fs = std::filesystem;

namespace {

void plant(const fs::path& path, const std::string& content) {
  fs::remove(path);
  std::ofstream(path) << content;
}

std::string text_of(const fs::path& path) {
  return oci::read_file(path, 1 << 24);
}

fs::path blob_path(const fs::path& layout, const Digest& digest) {
  return layout / "blobs/sha256" / digest.hex();
}

// One layer of these bytes, which need be no tar.
Descriptor put_image_of(oci::Repository& to, const std::string& bytes) {
  const oci::BlobRef layer = oci::put(to, bytes);
  oci::ImageConfig config{{"linux", "amd64", ""}, "1980-01-01T00:00:00Z"};
  config.diff_ids = {layer.digest};
  const std::string text = config.str();
  oci::put(to, text);
  const oci::Manifest manifest{
      "",
      "",
      oci::describe(text, oci::media_type::k_config),
      {{std::string(oci::media_type::k_layer), layer.digest, layer.size}}};
  return put_document(to, manifest.str(), oci::media_type::k_manifest);
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const oci::Error& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("a repository in memory is a repository") {
  repository_suite::run([] { return std::make_unique<MemoryRepository>(); });
}

TEST_CASE("a layout is a repository") {
  const TemporaryDirectory place;
  repository_suite::run([&] { return oci::create_layout(place.path() / "a/layout"); });
}

TEST_CASE("the store with names is a repository") {
  const TemporaryDirectory place;
  DirectoryStore store(place.path());
  repository_suite::run([&] { return oci::named_store(store); });
}

TEST_CASE("names in the store may be any text, and stay in their directory") {
  const TemporaryDirectory place;
  DirectoryStore store(place.path());
  const auto names = oci::named_store(store);
  const Descriptor image = put_small_image(*names, "x");
  const std::vector<std::string> tags = {
      ".", "..", "../../up", "a b", "host:5000/x:1", "\xc3\xa4", "%41"};
  for (const std::string& tag : tags) {
    names->set_tag(tag, image);
    CHECK(names->resolve(tag) == image);
  }
  std::vector<std::string> sorted = tags;
  std::sort(sorted.begin(), sorted.end());
  CHECK(names->tags() == sorted);
  CHECK(failure_of([&] { names->set_tag("", image); }) == Errc::bad_input);
  CHECK(failure_of([&] { names->set_tag(std::string(201, 'x'), image); }) ==
        Errc::bad_input);
  plant(place.path() / "names/%zz", "stray");
  CHECK(names->tags() == sorted);
  CHECK(oci::named_store(store)->resolve("host:5000/x:1") == image);
}

TEST_CASE("a damaged name in the store is told, replaced, and forgotten") {
  const TemporaryDirectory place;
  DirectoryStore store(place.path());
  const auto names = oci::named_store(store);
  const Descriptor image = put_small_image(*names, "x");
  plant(place.path() / "names/app", "{oops");
  CHECK(failure_of([&] { names->resolve("app"); }) == Errc::mismatch);
  names->set_tag("app", image);
  CHECK(names->resolve("app") == image);
  plant(place.path() / "names/app", "");
  CHECK(oci::remove_name(store, "app"));
  CHECK_FALSE(oci::remove_name(store, "app"));
  CHECK_FALSE(names->resolve("app").has_value());
}

TEST_CASE("a layout is written as the image-spec says, whatever the umask") {
  const TemporaryDirectory place;
  const mode_t before = ::umask(0077);
  const auto layout = oci::create_layout(place.path());
  const Descriptor image = put_small_image(*layout, "hello");
  layout->set_tag("latest", image);
  ::umask(before);
  CHECK(text_of(place.path() / "oci-layout") == R"({"imageLayoutVersion":"1.0.0"})");
  CHECK(text_of(place.path() / "index.json") ==
        R"({"manifests":[{"annotations":{"org.opencontainers.image.ref.name":"latest"},)"
        R"("digest":")" +
            image.digest.str() +
            R"(","mediaType":"application/vnd.oci.image.manifest.v1+json","size":)" +
            std::to_string(image.size) +
            R"(}],"mediaType":"application/vnd.oci.image.index.v1+json",)"
            R"("schemaVersion":2})");
  struct stat status {};
  for (const char* name : {"oci-layout", "index.json"}) {
    REQUIRE(::stat((place.path() / name).c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0644);
  }
}

TEST_CASE("a layout is only made where nothing else is") {
  const TemporaryDirectory place;
  plant(place.path() / "thesis.tex", "years");
  const auto make = [&] { oci::create_layout(place.path()); };
  CHECK(failure_of(make) == Errc::bad_input);
  CHECK_FALSE(fs::exists(place.path() / "blobs"));
  fs::rename(place.path() / "thesis.tex", place.path() / ".tmp-killed");
  make();  // a killed writer's leftover is no stranger
  CHECK_FALSE(fs::exists(place.path() / ".tmp-killed"));
}

TEST_CASE("what is no layout is refused") {
  const TemporaryDirectory place;
  const fs::path path = place.path() / "layout";
  const auto open = [&] { oci::open_layout(path); };
  CHECK(failure_of(open) == Errc::not_found);
  plant(path, "a file");
  CHECK(failure_of(open) == Errc::bad_input);
  fs::remove(path);
  fs::create_directory(path);
  CHECK(error_of(open) ==
        "no image layout in " + path.string() + ": there is no file `oci-layout`");
  oci::create_layout(path);
  open();
  SECTION("another version") {
    plant(path / "oci-layout", R"({"imageLayoutVersion":"2.0.0"})");
    CHECK(failure_of(open) == Errc::bad_input);
  }
  SECTION("no index") {
    fs::remove(path / "index.json");
    CHECK(failure_of(open) == Errc::not_found);
  }
  SECTION("half an index") {
    plant(path / "index.json", R"({"schemaVersion":2,"manif)");
    CHECK(failure_of(open) == Errc::bad_input);
  }
  SECTION("blobs elsewhere") {
    fs::rename(path / "blobs", place.path() / "elsewhere");
    fs::create_directory_symlink("../elsewhere", path / "blobs");
    CHECK(failure_of(open) == Errc::bad_input);
  }
}

TEST_CASE("the empty tag is the only image of a layout") {
  const TemporaryDirectory place;
  const auto layout = oci::create_layout(place.path());
  CHECK_FALSE(layout->resolve("").has_value());
  const Descriptor image = put_small_image(*layout, "x");
  layout->set_tag("a", image);
  CHECK(layout->resolve("") == image);
  layout->set_tag("b", image);
  CHECK(layout->resolve("") == image);
  layout->set_tag("b", put_small_image(*layout, "y"));
  CHECK_FALSE(layout->resolve("").has_value());
}

TEST_CASE("what other tools wrote into index.json stays there") {
  const TemporaryDirectory place;
  const auto layout = oci::create_layout(place.path());
  const Descriptor image = put_small_image(*layout, "x");
  const std::string strange = R"({"digest":")" + image.digest.str() +
                              R"(","mediaType":"application/x","size":3,)"
                              R"("urls":["https://a.example"]})";
  plant(place.path() / "index.json",
        R"({"schemaVersion":2,"annotations":{"k":"v"},"manifests":[)" + strange + "]}");
  layout->set_tag("b", image);
  layout->set_tag("a", image);
  const std::string index = text_of(place.path() / "index.json");
  CHECK(index.find(R"("annotations":{"k":"v"})") != std::string::npos);
  CHECK(index.find(strange) != std::string::npos);
  CHECK(layout->tags() == std::vector<std::string>{"a", "b"});
}

TEST_CASE("two manifests of one name are no answer") {
  const TemporaryDirectory place;
  const auto layout = oci::create_layout(place.path());
  const auto entry = [](const std::string& text) {
    return R"({"annotations":{"org.opencontainers.image.ref.name":"a"},"digest":")" +
           Digest::of(text).str() + R"(","mediaType":"application/x","size":3})";
  };
  plant(place.path() / "index.json",
        R"({"schemaVersion":2,"manifests":[)" + entry("one") + "," + entry("two") + "]}");
  CHECK(failure_of([&] { layout->resolve("a"); }) == Errc::bad_input);
}

TEST_CASE("a layout's bytes do not tell who wrote first") {
  const TemporaryDirectory place;
  for (const bool forward : {true, false}) {
    const auto layout = oci::create_layout(place.path() / (forward ? "f" : "b"));
    for (const char* name : {forward ? "x" : "y", forward ? "y" : "x"})
      layout->set_tag(name, put_small_image(*layout, name));
  }
  CHECK(text_of(place.path() / "f/index.json") == text_of(place.path() / "b/index.json"));
}

TEST_CASE("blobs of the store are shared with a layout, not copied") {
  const TemporaryDirectory place;
  DirectoryStore store(place.path() / "store");
  const auto names = oci::named_store(store);
  const Descriptor root = put_small_index(*names, "x");
  const fs::path path = place.path() / "layout";
  const auto layout = oci::create_layout(path, &store);
  copy_image(*names, root, *layout);
  for (const Descriptor& part : oci::closure(*names, root)) {
    CHECK(text_of(blob_path(path, part.digest)) == text_of(store.path_of(part.digest)));
  }
  const Digest layer = oci::closure(*names, root).at(1).digest;
  struct stat status {};
  REQUIRE(::stat(blob_path(path, layer).c_str(), &status) == 0);
  // Linked; or cloned, where the file system does that.
  CHECK((status.st_nlink == 2 || status.st_nlink == 1));
}

TEST_CASE("a damaged blob of the store is not shared with a layout") {
  const TemporaryDirectory place;
  const fs::path root = place.path() / "store";
  const Descriptor image = [&] {
    DirectoryStore store(root);
    return put_small_image(*oci::named_store(store), "x");
  }();
  DirectoryStore store(root);
  const Digest layer = oci::closure(*oci::named_store(store), image).at(1).digest;
  std::string text = text_of(store.path_of(layer));
  text[600] ^= 1;
  plant(store.path_of(layer), text);
  const auto layout = oci::create_layout(place.path() / "layout", &store);
  CHECK(failure_of([&] { copy_image(*oci::named_store(store), image, *layout); }) ==
        Errc::mismatch);
  CHECK_FALSE(layout->has_manifest(image.digest));
  CHECK_FALSE(fs::exists(blob_path(place.path() / "layout", layer)));
}

// The store heals itself by another file; what the layout shares with it does not.
TEST_CASE("a blob that was shared before the store healed is shared anew") {
  const TemporaryDirectory place;
  const std::size_t size = GENERATE(10'000, 2'000'000);
  const fs::path path = place.path() / "layout";
  DirectoryStore store(place.path() / "store");
  const auto names = oci::named_store(store);
  const Descriptor image = put_image_of(*names, std::string(size, 'x'));
  const Digest layer = oci::closure(*names, image).at(1).digest;
  copy_image(*names, image, *oci::create_layout(path, &store));
  plant(blob_path(path, layer), std::string(size, 'y'));
  const auto healed = fs::last_write_time(store.path_of(layer));
  fs::last_write_time(blob_path(path, layer), healed - std::chrono::seconds(1));
  const auto layout = oci::create_layout(path, &store);
  CHECK_FALSE(layout->has_manifest(image.digest));
  copy_image(*names, image, *layout);
  CHECK(layout->has_manifest(image.digest));
  CHECK(text_of(blob_path(path, layer)) == text_of(store.path_of(layer)));
}

TEST_CASE("a directory in the place of a blob makes room for it") {
  const TemporaryDirectory place;
  DirectoryStore store(place.path() / "store");
  const auto names = oci::named_store(store);
  const Descriptor image = put_small_image(*names, "x");
  const Digest layer = oci::closure(*names, image).at(1).digest;
  const fs::path blob = blob_path(place.path() / "layout", layer);
  fs::create_directories(blob / "inside");
  const auto layout = oci::create_layout(place.path() / "layout", &store);
  copy_image(*names, image, *layout);
  CHECK(text_of(blob) == text_of(store.path_of(layer)));
  const std::string content = text_of(blob);
  for (int i = 0; i < 2; ++i) {
    fs::remove(store.path_of(layer));
    fs::create_directories(store.path_of(layer) / "inside");
    oci::put(store, content);
    CHECK(text_of(store.path_of(layer)) == content);
  }
}

TEST_CASE("a blob that another tool left half written is written again") {
  const TemporaryDirectory place;
  DirectoryStore store(place.path() / "store");
  const auto names = oci::named_store(store);
  const Descriptor image = put_small_image(*names, "x");
  const fs::path path = place.path() / "layout";
  copy_image(*names, image, *oci::create_layout(path, &store));
  const auto parts = oci::closure(*names, image);
  const Descriptor damaged = parts.at(static_cast<std::size_t>(GENERATE(0, 1, 2)));
  const fs::path blob = blob_path(path, damaged.digest);
  const std::string whole = text_of(blob);
  SECTION("truncated") {
    plant(blob, whole.substr(0, whole.size() / 2));
  }
  SECTION("empty") {
    plant(blob, "");
  }
  SECTION("a symbolic link") {
    fs::remove(blob);
    fs::create_symlink("/etc/passwd", blob);
  }
  SECTION("gone") {
    fs::remove(blob);
  }
  CHECK_FALSE(oci::open_layout(path)->has_manifest(image.digest));
  const auto layout = oci::create_layout(path, &store);
  copy_image(*names, image, *layout);
  CHECK(layout->has_manifest(image.digest));
  CHECK(text_of(blob) == whole);
  CHECK(fs::symlink_status(blob).type() == fs::file_type::regular);
}

TEST_CASE(
    "without a store, damage shows when the manifest comes, and heals the next time") {
  const TemporaryDirectory place;
  MemoryRepository memory;
  const Descriptor image = put_small_image(memory, "x");
  const auto layout = oci::create_layout(place.path());
  copy_image(memory, image, *layout);
  const fs::path blob = blob_path(place.path(), oci::closure(memory, image).at(1).digest);
  fs::remove(blob_path(place.path(), image.digest));
  plant(blob, "half");
  CHECK(failure_of([&] { copy_image(memory, image, *layout); }) == Errc::mismatch);
  CHECK_FALSE(layout->has_manifest(image.digest));
  copy_image(memory, image, *layout);
  CHECK(layout->has_manifest(image.digest));
}

TEST_CASE("an opened layout is read, never changed") {
  const TemporaryDirectory place;
  const Descriptor image = put_small_image(*oci::create_layout(place.path()), "x");
  const auto layout = oci::open_layout(place.path());
  const Descriptor layer = oci::closure(*layout, image).at(1);
  plant(blob_path(place.path(), layer.digest), "liar");
  CHECK(failure_of([&] { layout->open({layer.digest, layer.size}); }) == Errc::mismatch);
  CHECK(fs::exists(blob_path(place.path(), layer.digest)));
}

TEST_CASE("processes that write one layout all keep their tags") {
  const TemporaryDirectory place;
  std::vector<pid_t> children;
  for (int c = 0; c < 5; ++c) {
    children.push_back(start_process([&place, c] {
      for (int i = 0; i < 4; ++i) {
        const auto layout = oci::create_layout(place.path() / "layout");
        const std::string name = std::to_string(c) + "." + std::to_string(i);
        layout->set_tag(name, put_small_image(*layout, i % 2 == 0 ? "same" : name));
      }
      return 0;
    }));
  }
  for (const pid_t child : children)
    CHECK(wait_for(child) == 0);
  const auto layout = oci::open_layout(place.path() / "layout");
  CHECK(layout->tags().size() == 20);
  for (const std::string& tag : layout->tags())
    CHECK(layout->has_manifest(layout->resolve(tag)->digest));
}

TEST_CASE("killing a writer at any moment leaves a valid layout") {
  const TemporaryDirectory place;
  DirectoryStore store(place.path() / "store");
  unsigned delay = 200;
  for (int round = 0; round < 40; ++round) {
    const pid_t child = start_process([&] {
      DirectoryStore mine(place.path() / "store");
      const auto names = oci::named_store(mine);
      for (int i = 0;; ++i) {
        const std::string name = std::to_string(round) + "." + std::to_string(i);
        const Descriptor root = put_small_index(*names, name);
        names->set_tag(name, root);
        const auto layout = oci::create_layout(place.path() / "layout", &mine);
        copy_image(*names, root, *layout);
        layout->set_tag(name, root);
      }
      return 0;
    });
    ::usleep(delay);
    delay = (delay * 7 + 131) % 30'000;
    ::kill(child, SIGKILL);
    wait_for(child);
  }
  const auto names = oci::named_store(store);
  const auto layout = oci::create_layout(place.path() / "layout");
  for (const std::string& tag : layout->tags()) {
    CHECK(layout->has_manifest(layout->resolve(tag)->digest));
    CHECK(names->resolve(tag) == layout->resolve(tag));
  }
  for (const fs::path& file : fs::directory_iterator(place.path() / "layout")) {
    const std::string name = file.filename().string();
    CHECK((name == "blobs" || name == "index.json" || name == "oci-layout"));
  }
}
