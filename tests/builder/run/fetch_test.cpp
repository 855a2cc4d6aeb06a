// fetch: bytes by digest from files, layouts and mirrors.
#include "builder/run/fetch.h"

#include <filesystem>
#include <fstream>

#include "oci/base/error.h"
#include "oci/store/memory_store.h"

#include "builder/run/fetched_tree.h"

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/trees.h"

namespace fs = std::filesystem;
using lithify::Fetch;

namespace {

// Answers from a map of URLs.
class MapHttp final : public oci::HttpClient {
 public:
  oci::HttpResponse send(const oci::HttpRequest& request, oci::Sink& body,
                         std::stop_token) override {
    asked.push_back(request.url);
    oci::HttpResponse response;
    const auto found = files.find(request.url);
    response.status = found == files.end() ? 404 : 200;
    if (found != files.end()) {
      body.write(oci::as_bytes(found->second));
      response.bytes = found->second.size();
    }
    return response;
  }
  std::map<std::string, std::string> files;
  std::vector<std::string> asked;
};

struct Bench {
  TemporaryDirectory directory;
  oci::MemoryStore store;
  MapHttp http;
  oci::Downloader downloader{http, store, directory.path() / "partial"};
  lithify::Mirrors mirrors;
  bool offline = false;
  std::vector<std::string> brought;  // repositories of registries

  lithify::Tree fetch(const std::string& location) {
    oci::SilentReporter silent;
    oci::Activity activity(silent, "fetch");
    const Fetch what{location, oci::Digest::of("bytes"), 5, "file.bin"};
    const lithify::BringBlob from_registry = [this](const std::string& repository,
                                                    const oci::BlobRef& blob,
                                                    oci::Activity&, std::stop_token) {
      CHECK(blob == oci::BlobRef{oci::Digest::of("bytes"), 5});
      brought.push_back(repository);
      oci::put(store, "bytes");
    };
    const lithify::FetchTools tools{store, offline ? nullptr : &downloader, mirrors,
                                    offline ? lithify::BringBlob() : from_registry};
    return perform_fetch(what, tools, activity, {});
  }
  std::string refusal(const std::string& location) {
    try {
      fetch(location);
    } catch (const oci::Error& e) {
      CHECK(store.count() == 0);
      CHECK_FALSE(e.hint().empty());
      return e.what();
    }
    return "fetched";
  }
  void write(const std::string& path, const std::string& text) {
    fs::create_directories((directory.path() / path).parent_path());
    std::ofstream(directory.path() / path) << text;
  }
};

}  // namespace

TEST_CASE("a fetch gives the file that its lock entry promised") {
  Bench bench;
  bench.write("a", "bytes");
  const auto tree = bench.fetch("file:" + (bench.directory.path() / "a").string());
  CHECK(lithify::testing::shape_of(tree) == "f file.bin\n");
  CHECK(bench.store.has(oci::Digest::of("bytes")));
  const auto source = open_content(*tree.find("file.bin")->content, bench.store);
  CHECK(oci::read_all(*source, 10, "file") == "bytes");
  SECTION("and what the store has is not fetched") {
    CHECK(bench.fetch("file:/nowhere").digest() == tree.digest());
  }
}

TEST_CASE("a file that is not what the lock says leaves no trace") {
  Bench bench;
  for (const char* const text : {"BYTES", "byte", "bytes!", ""}) {
    bench.write("a", text);
    const std::string path = (bench.directory.path() / "a").string();
    CHECK(bench.refusal("file:" + path).find(path) != std::string::npos);
  }
}

TEST_CASE("a blob of a layout is copied, symlinks are not followed") {
  Bench bench;
  const std::string layout = (bench.directory.path() / "layout").string();
  const std::string blob = "layout/blobs/sha256/" + oci::Digest::of("bytes").hex();
  SECTION("there") {
    bench.write(blob, "bytes");
    CHECK(bench.fetch("layout:" + layout).nodes().size() == 1);
  }
  SECTION("a symlink") {
    bench.write("elsewhere", "bytes");
    bench.write("layout/blobs/sha256/x", "");
    fs::create_symlink(bench.directory.path() / "elsewhere",
                       bench.directory.path() / blob);
    CHECK_THROWS_AS(bench.fetch("layout:" + layout), oci::Error);
  }
}

TEST_CASE("layers of registries' images are brought from their repository") {
  Bench bench;
  bench.fetch("image:localhost:5000/a/b");
  CHECK(bench.store.has(oci::Digest::of("bytes")));
  bench.fetch("image:localhost:5000/a/b");
  CHECK(bench.brought == std::vector<std::string>{"localhost:5000/a/b"});
}

TEST_CASE("packages come from the mirrors of their source") {
  Bench bench;
  bench.mirrors["debian"] = {"http://wrong.invalid"};
  bench.mirrors["debian@linux/arm64"] = {"http://one.invalid/debian",
                                         "http://two.invalid/debian/"};
  bench.http.files["http://two.invalid/debian/pool/b/b.deb"] = "bytes";
  bench.fetch("apt:debian@linux/arm64/pool/b/b.deb");
  CHECK(bench.store.has(oci::Digest::of("bytes")));
  CHECK(bench.http.asked ==
        std::vector<std::string>{"http://one.invalid/debian/pool/b/b.deb",
                                 "http://two.invalid/debian/pool/b/b.deb"});
}

TEST_CASE("what cannot be fetched says so") {
  Bench bench;
  CHECK(bench.refusal("apt:debian/pool/x.deb") ==
        "no mirror is known for apt:debian/pool/x.deb");
  bench.offline = true;
  CHECK(bench.refusal("https://example.invalid/x") ==
        "file.bin is not in the store and cannot be fetched offline");
  CHECK(bench.refusal("image:x.example/a") ==
        "file.bin " + oci::Digest::of("bytes").brief() +
            " of x.example/a is not in the store and cannot be fetched offline");
}
