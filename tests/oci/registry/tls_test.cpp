// https: whom the client believes, what it shows, and that it never goes on in the clear.
#include <fstream>

#include "tests/support/catch.h"
#include "tests/support/registry_bench.h"
#include "tests/support/tls_front.h"

using namespace oci;

namespace {

const std::string k_text = "0123456789";
const std::string k_blob = "/v2/a/b/blobs/" + Digest::of(k_text).str();
const std::string k_names = "IP:127.0.0.1,DNS:localhost";

// A registry with a password behind TLS.
struct World {
  explicit World(const std::string& names = k_names, int days = 1,
                 const std::string& clients = "")
      : authority(make_authority("lithify test authority")),
        backend({.auth = RegistryOptions::Auth::basic}),
        front(backend.port(), make_identity(authority, names, days), clients) {
    backend.content().put_blob("a/b", k_text);
    keys.credential = RegistryBench::of("secret");
  }

  std::filesystem::path host_directory() const {
    return directory.path() / "certs.d" / front.domain();
  }
  // What the client knows of the host; a directory alone makes it one with https.
  void know(const std::string& file, const std::string& text) {
    std::filesystem::create_directories(host_directory());
    std::ofstream(host_directory() / file) << text;
  }
  void trust() { know("ca.crt", authority.certificate); }

  RegistryClient& client() {
    if (registries) return *made;
    RegistryConfigPlaces places{.system = {}, .certificates = {}};
    places.certificates = {directory.path() / "certs.d"};
    config = std::make_unique<RegistryConfig>(std::move(places));
    RegistrySettings settings;
    settings.retry = {2, std::chrono::milliseconds(1), std::chrono::milliseconds(2),
                      std::chrono::milliseconds(2)};
    registries = std::make_unique<Registries>(*http, keys, *config, settings);
    made = registries->open(front.domain() + "/a/b", Access::push);
    return *made;
  }
  std::string pull() {
    return read_all(*client().open({Digest::of(k_text), k_text.size()}), 100, "blob");
  }
  void push(const std::string& text) { put(client(), text); }
  void lead(const std::string& method, const std::string& part, const std::string& to,
            int status) {
    Rule rule{method, part};
    rule.action.status = status;
    rule.action.headers = {{"Location", to}};
    backend.add(rule);
  }

  TemporaryDirectory directory;
  TlsIdentity authority;
  RegistryServer backend;
  RegistryServer other;  // in the clear
  TlsFront front;
  BenchKeychain keys;
  std::unique_ptr<HttpClient> http = curl_http_client();
  std::unique_ptr<RegistryConfig> config;
  std::unique_ptr<Registries> registries;
  std::unique_ptr<RegistryClient> made;
};

}  // namespace

TEST_CASE("an authority of certs.d is believed, for its host") {
  World world;
  world.trust();
  CHECK(world.pull() == k_text);
  world.push("new");
  CHECK(world.backend.content().blob("a/b", Digest::of("new").str()) == "new");
}

TEST_CASE("who is not believed is sent nothing at all") {
  SECTION("nobody knows the authority") {
    World world;
    world.know("ca.crt", make_authority("another").certificate);
    CHECK(failure_in([&] { world.pull(); }).code == Errc::denied);
    CHECK(world.backend.events().empty());
  }
  SECTION("it has another name") {
    World world("DNS:other.example");
    world.trust();
    CHECK(failure_in([&] { world.pull(); }).code == Errc::denied);
    CHECK(world.backend.events().empty());
  }
  SECTION("its time has ended") {
    World world(k_names, -1);
    world.trust();
    CHECK(failure_in([&] { world.pull(); }).code == Errc::denied);
    CHECK(world.backend.events().empty());
  }
}

TEST_CASE("a server that wants a certificate is shown that of certs.d") {
  const TlsIdentity clients = make_authority("authority of clients");
  World world(k_names, 1, clients.certificate);
  world.trust();
  SECTION("which opens it") {
    const TlsIdentity me = make_identity(clients, "DNS:me.example");
    world.know("client.cert", me.certificate);
    world.know("client.key", me.key);
    CHECK(world.pull() == k_text);
  }
  SECTION("and without one it stays closed") {
    const Errc code = failure_in([&] { world.pull(); }).code;
    CHECK((code == Errc::unavailable || code == Errc::denied));
    CHECK(world.backend.events().empty());
  }
}

TEST_CASE("a registry with https leads nobody to http") {
  World world;
  world.trust();
  world.client().has(Digest::of("x"));  // logs in
  SECTION("by a redirect of a download") {
    world.lead("GET", "/blobs/", world.other.url(k_blob), 307);
    CHECK(failure_in([&] { world.pull(); }).code == Errc::denied);
  }
  SECTION("by a redirect of a manifest") {
    world.lead("GET", "/manifests/", world.other.url("/v2/a/b/manifests/t"), 307);
    CHECK(failure_in([&] { world.client().resolve("t"); }).code == Errc::denied);
  }
  SECTION("by the Location of an upload") {
    world.lead("POST", "/uploads/", world.other.url("/up"), 202);
    CHECK(failure_in([&] { world.push("new"); }).code == Errc::denied);
  }
  SECTION("by a redirect of an upload") {
    world.lead("PUT", "/uploads/", world.other.url("/up"), 307);
    CHECK(failure_in([&] { world.push("new"); }).code == Errc::denied);
  }
  SECTION("nor to itself in the clear") {
    world.lead("GET", "/blobs/", "http://" + world.front.domain() + k_blob, 307);
    CHECK(failure_in([&] { world.pull(); }).code == Errc::denied);
  }
  CHECK(world.other.events().empty());
}

TEST_CASE("a registry with https has no token server with http") {
  World world;
  world.trust();
  Rule asks{"", "/v2/"};
  asks.times = 10;
  asks.action.status = 401;
  asks.action.headers = {
      {"WWW-Authenticate", "Bearer realm=\"" + world.other.url("/token") + "\""}};
  world.backend.add(asks);
  CHECK(failure_in([&] { world.pull(); }).code == Errc::denied);
  CHECK(world.other.events().empty());
}

TEST_CASE("the authority of one host is not that of another it leads to") {
  World world;
  world.trust();
  RegistryServer storage;
  storage.content().put_blob("a/b", k_text);
  const TlsFront elsewhere(storage.port(), make_identity(world.authority, k_names));
  world.client().has(Digest::of("x"));
  world.lead("GET", "/blobs/", "https://" + elsewhere.domain() + k_blob, 307);
  CHECK(failure_in([&] { world.pull(); }).code == Errc::denied);
  CHECK(storage.events().empty());
}
