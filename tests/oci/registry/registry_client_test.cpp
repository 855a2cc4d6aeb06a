// RegistryClient against an honest registry: what every repository must do, and proxies
// on the way.
#include "oci/registry/registry_client.h"

#include <cstdlib>

#include "tests/oci/image/repository_suite.h"
#include "tests/support/catch.h"
#include "tests/support/registry_bench.h"

using namespace oci;

namespace {

// The suite wants something to own.
class Owned final : public Repository {
 public:
  explicit Owned(RegistryOptions options) : bench_(std::move(options)) {
    bench_.login();
    bench_.client();  // made here, before threads ask for it
  }

  bool has(const Digest& digest) const override { return client().has(digest); }
  std::unique_ptr<Source> open(const BlobRef& blob) const override {
    return client().open(blob);
  }
  std::unique_ptr<Source> open_range(const BlobRef& blob, std::uint64_t offset,
                                     std::uint64_t size) const override {
    return client().open_range(blob, offset, size);
  }
  std::unique_ptr<BlobWriter> create() override { return client().create(); }
  bool take(const BlobStore& from, const BlobRef& blob, Activity& activity,
            std::stop_token stop) override {
    return client().take(from, blob, activity, std::move(stop));
  }
  std::string manifest(const Descriptor& which) const override {
    return client().manifest(which);
  }
  bool has_manifest(const Digest& digest) const override {
    return client().has_manifest(digest);
  }
  void put_manifest(const Descriptor& which, Bytes content) override {
    client().put_manifest(which, content);
  }
  std::optional<Descriptor> resolve(std::string_view tag) const override {
    return client().resolve(tag);
  }
  void set_tag(std::string_view tag, const Descriptor& manifest) override {
    client().set_tag(tag, manifest);
  }
  std::vector<std::string> tags() const override { return client().tags(); }

 private:
  RegistryClient& client() const { return bench_.client(); }

  mutable RegistryBench bench_;
};

class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    ::setenv(name, value.c_str(), 1);
  }
  ~Variable() { ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

}  // namespace

TEST_CASE("a registry is a repository") {
  repository_suite::run([] { return std::make_unique<Owned>(RegistryOptions{}); });
}

TEST_CASE("a registry with tokens is a repository") {
  repository_suite::run([] {
    return std::make_unique<Owned>(
        RegistryOptions{.auth = RegistryOptions::Auth::bearer});
  });
}

TEST_CASE("a push of an image that is there is one question") {
  RegistryBench bench;
  MemoryRepository origin;
  const Descriptor root = put_small_index(origin, "app");
  replicate(origin, root, bench.client(), bench.activity);
  bench.server.clear_log();
  replicate(origin, root, *bench.open("a/b"), bench.activity);
  CHECK(bench.log() == Lines{"HEAD manifest sha256 200"});
}

TEST_CASE("a push and a pull of many blobs at once share their connections") {
  RegistryBench bench({.auth = RegistryOptions::Auth::bearer});
  bench.login();
  MemoryRepository origin;
  Index index;
  for (int i = 0; i < 8; ++i)
    index.manifests.push_back(put_small_image(origin, "app" + std::to_string(i)));
  const Descriptor root = put_document(origin, index.str(), media_type::k_index);
  replicate(origin, root, bench.client(), bench.activity, {}, 4);
  CHECK(bench.server.content().tokens() == 1);
  CHECK(bench.server.connections() <= 6);
  MemoryRepository back;
  replicate(*bench.open("a/b"), root, back, bench.activity, {}, 4);
  CHECK(closure(back, root) == closure(origin, root));
}

TEST_CASE("a proxy is asked for the registry, and its refusals are told") {
  RegistryServer proxy;
  const std::string address = "http://" + proxy.domain();
  RegistryBench bench;
  bench.settings.retry.attempts = 2;
  const auto look = [&] {
    return failure_in([&] {
      bench.registries().open("registry.test/a", Access::pull)->has(Digest::of("x"));
    });
  };
  SECTION("http: 502 is tried again") {
    const Variable variable("http_proxy", address);
    bench.http.next = curl_http_client();
    HttpRequest request;
    request.url = "http://registry.test/v2/";
    Rule away{"GET", "registry.test"};
    away.action.status = 502;
    proxy.add(away);
    NullSink nothing;
    CHECK(bench.http.send(request, nothing, {}).status == 502);
    CHECK(proxy.events()[0].target == "http://registry.test/v2/");
  }
  SECTION("https: 407 and 502 to CONNECT are no answer of the registry") {
    const int status = GENERATE(407, 502);
    const Variable variable("https_proxy", address);
    bench.http.next = curl_http_client();
    Rule refuses{"CONNECT"};
    refuses.times = 100;
    refuses.action.status = status;
    proxy.add(refuses);
    const Failure failure = look();
    CHECK(failure.code == Errc::unavailable);
    CHECK(failure.text.find(std::to_string(status)) != std::string::npos);
    CHECK(proxy.log("CONNECT").size() == 2);
    CHECK(proxy.events()[0].target == "registry.test:443");
    CHECK_FALSE(saw_secrets(proxy));
  }
  SECTION("https: one that ends the tunnel is tried again") {
    const Variable variable("https_proxy", address);
    bench.http.next = curl_http_client();
    Rule cuts{"CONNECT"};
    cuts.times = 100;
    cuts.action.reset = true;
    proxy.add(cuts);
    CHECK(look().code == Errc::unavailable);
    CHECK(proxy.log("CONNECT").size() == 2);
  }
}
