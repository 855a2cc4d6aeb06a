// registry_server: the registry of the tests, asked with plain requests.
#include "tests/support/registry_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <fmt/format.h>

#include "oci/base/digest.h"
#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/registry/http_client.h"
#include "oci/registry/origin.h"

#include "tests/support/catch.h"

using namespace oci;
using namespace std::chrono_literals;

namespace {

using Lines = std::vector<std::string>;

const std::string k_text = "0123456789";
const std::string k_digest = Digest::of(k_text).str();
const std::string k_type = "application/vnd.oci.image.manifest.v1+json";

struct World {
  explicit World(RegistryOptions options = {}) : server(std::move(options)) {}

  RegistryServer server;
  std::unique_ptr<HttpClient> client = curl_http_client();
  std::string body;  // of the last answer

  HttpResponse ask(const std::string& method, const std::string& target,
                   HttpHeaders headers = {}, std::optional<std::string> sent = {}) {
    HttpRequest request;
    request.url = target.front() == '/' ? server.url(target) : target;
    request.method = method;
    request.headers = std::move(headers);
    request.stall_timeout = 1s;
    if (sent) request.body = body_of(*sent);
    StringSink sink;
    HttpResponse answer = client->send(request, sink, {});
    body = std::move(sink.text);
    return answer;
  }
  // The URL of a fresh upload.
  std::string start(const std::string& repository = "a") {
    return location(
        ask("POST", "/v2/" + repository + "/blobs/uploads/", {}, std::string()));
  }
  std::string location(const HttpResponse& answer) {
    return resolve_url(server.url("/"), header(answer, "location")).value();
  }
  static std::string header(const HttpResponse& answer, std::string_view name) {
    const std::string* value = answer.header(name);
    return value == nullptr ? "(none)" : *value;
  }
  bool breaks(const std::string& method, const std::string& target,
              std::optional<std::string> sent = {}) {
    try {
      ask(method, target, {}, std::move(sent));
      return false;
    } catch (const Error& e) {
      return e.code() == Errc::unavailable;
    }
  }
};

// What comes back until the server ends the connection.
std::string raw(int port, const std::string& bytes) {
  const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  REQUIRE(::connect(socket.get(), reinterpret_cast<sockaddr*>(&address),
                    sizeof address) == 0);
  REQUIRE(::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0);
  std::string answer;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::recv(socket.get(), buffer, sizeof buffer, 0)) > 0;)
    answer.append(buffer, static_cast<std::size_t>(n));
  return answer;
}

std::string done(const std::string& url) {
  return with_query(url, "digest", k_digest);
}

}  // namespace

TEST_CASE("the registry gives a blob, or a stretch of it") {
  World world;
  world.server.content().put_blob("a/b", k_text);
  const std::string target = "/v2/a/b/blobs/" + k_digest;
  CHECK(world.ask("GET", target).status == 200);
  CHECK(world.body == k_text);
  const HttpResponse head = world.ask("HEAD", target);
  CHECK(head.status == 200);
  CHECK(World::header(head, "content-length") == "10");
  CHECK(World::header(head, "docker-content-digest") == k_digest);
  const HttpResponse part = world.ask("GET", target, {{"Range", "bytes=4-"}});
  CHECK(part.status == 206);
  CHECK(World::header(part, "content-range") == "bytes 4-9/10");
  CHECK(world.body == "456789");
  CHECK(world.ask("GET", target, {{"Range", "bytes=10-"}}).status == 416);
  CHECK(world.ask("HEAD", "/v2/b/blobs/" + k_digest).status == 404);
  CHECK(world.server.connections() == 1);
}

TEST_CASE("the registry takes a blob in one piece") {
  World world;
  const HttpResponse answer = world.ask("PUT", done(world.start()), {}, k_text);
  CHECK(answer.status == 201);
  CHECK(World::header(answer, "location") == "/v2/a/blobs/" + k_digest);
  CHECK(world.server.content().blob("a", k_digest) == k_text);
  CHECK(world.server.content().sessions() == 0);
  const std::string brief = Digest::of(k_text).hex().substr(0, 8);
  CHECK(world.server.log() ==
        Lines{"POST /v2/a/blobs/uploads/",
              "PUT /v2/a/blobs/uploads/1?_state=…&digest=sha256:" + brief + "…"});
  CHECK(world.server.events().back().received == 10);
}

TEST_CASE("the registry takes a blob in chunks and says where it stands") {
  World world;
  std::string url = world.start();
  CHECK(World::header(world.ask("GET", url), "range") == "0-0");
  HttpResponse answer = world.ask("PATCH", url, {{"Content-Range", "0-3"}}, "0123");
  CHECK(answer.status == 202);
  CHECK(World::header(answer, "range") == "0-3");
  CHECK(world.ask("PATCH", url, {{"Content-Range", "4-5"}}, "45").status == 416);
  url = world.location(answer);
  CHECK(world.ask("PATCH", url, {{"Content-Range", "5-6"}}, "56").status == 416);
  CHECK(world.ask("PATCH", url, {{"Content-Range", "4-9"}}, "4").status == 400);
  answer = world.ask("PATCH", url, {}, "456789");
  CHECK(answer.status == 202);
  url = world.location(answer);
  answer = world.ask("GET", url);
  CHECK(answer.status == 204);
  CHECK(World::header(answer, "range") == "0-9");
  CHECK(world.ask("PUT", done(url), {}, "").status == 201);
  CHECK(world.server.content().blob("a", k_digest) == k_text);
}

TEST_CASE("the registry takes a body of unknown length") {
  World world;
  std::string target = world.start();
  target.erase(0, target.find("/v2/"));
  const std::string answer =
      raw(world.server.port(), "PATCH " + target +
                                   " HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
                                   "Connection: close\r\n\r\n"
                                   "4\r\n0123\r\n6;x=y\r\n456789\r\n0\r\n\r\n");
  CHECK(answer.rfind("HTTP/1.1 202 ", 0) == 0);
  CHECK(answer.find("\r\nRange: 0-9\r\n") != std::string::npos);
  CHECK(world.server.events().back().received == 10);
}

TEST_CASE("what is no HTTP ends the connection") {
  const RegistryServer server;
  CHECK(raw(server.port(), "hello\r\n\r\n").empty());
  CHECK(raw(server.port(), "PUT /v2/ HTTP/1.1\r\nContent-Length: x\r\n\r\n").empty());
}

TEST_CASE("the state of an upload must come back unchanged") {
  World world;
  const std::string url = world.start();
  std::string changed = url;
  changed.erase(changed.find("%3D"), 1);
  CHECK(world.ask("PATCH", changed, {}, k_text).status == 404);
  CHECK(world.ask("PATCH", url, {}, k_text).status == 202);
}

TEST_CASE("a wrong digest ends an upload") {
  World world;
  const std::string url = world.start();
  const HttpResponse answer = world.ask("PUT", done(url), {}, "other");
  CHECK(answer.status == 400);
  CHECK(answer.problem.find("DIGEST_INVALID") != std::string::npos);
  CHECK(world.ask("GET", url).status == 404);
}

TEST_CASE("an upload can be given up") {
  World world;
  CHECK(world.ask("DELETE", world.start()).status == 204);
  CHECK(world.server.content().sessions() == 0);
}

TEST_CASE("a blob is mounted from where it is") {
  World world;
  world.server.content().put_blob("from", k_text);
  const auto mount = [&](const std::string& from) {
    return world
        .ask("POST", "/v2/a/blobs/uploads/?mount=" + k_digest + "&from=" + from, {}, "")
        .status;
  };
  CHECK(mount("other") == 202);
  CHECK_FALSE(world.server.content().blob("a", k_digest));
  CHECK(mount("from") == 201);
  CHECK(world.server.content().blob("a", k_digest) == k_text);
}

TEST_CASE("a manifest needs its blobs and is found by tag and digest") {
  World world;
  const std::string manifest =
      fmt::format(R"({{"config":{{"digest":"{}"}},"layers":[]}})", k_digest);
  const HttpHeaders type = {{"Content-Type", k_type}};
  const HttpResponse refused = world.ask("PUT", "/v2/a/manifests/1", type, manifest);
  CHECK(refused.status == 400);
  CHECK(refused.problem.find("MANIFEST_BLOB_UNKNOWN") != std::string::npos);
  world.server.content().put_blob("a", k_text);
  CHECK(world.ask("PUT", "/v2/a/manifests/1", type, manifest).status == 201);
  const std::string digest = Digest::of(manifest).str();
  const HttpResponse by_tag = world.ask("GET", "/v2/a/manifests/1");
  CHECK(World::header(by_tag, "docker-content-digest") == digest);
  CHECK(World::header(by_tag, "content-type") == k_type);
  CHECK(world.body == manifest);
  CHECK(world.ask("HEAD", "/v2/a/manifests/" + digest).status == 200);
  CHECK(world
            .ask("GET", "/v2/a/manifests/1",
                 {{"If-None-Match", World::header(by_tag, "etag")}})
            .status == 304);
  CHECK(world.ask("PUT", "/v2/a/manifests/" + k_digest, type, manifest).status == 400);
  CHECK(world.ask("PUT", "/v2/a/manifests/2", type, "no JSON").status == 400);
  CHECK(world.ask("GET", "/v2/a/manifests/2").status == 404);
}

TEST_CASE("tags are listed in pages") {
  World world;
  for (const char* tag : {"c", "a", "b"})
    world.server.content().put_manifest("a", tag, "{}", k_type);
  const HttpResponse first = world.ask("GET", "/v2/a/tags/list?n=2");
  CHECK(world.body == R"({"name":"a","tags":["a","b"]})");
  CHECK(World::header(first, "link") == "</v2/a/tags/list?n=2&last=b>; rel=\"next\"");
  const HttpResponse second = world.ask("GET", "/v2/a/tags/list?n=2&last=b");
  CHECK(world.body == R"({"name":"a","tags":["c"]})");
  CHECK(World::header(second, "link") == "(none)");
  CHECK(world.ask("GET", "/v2/b/tags/list").status == 404);
}

TEST_CASE("referrers are listed where the registry knows them") {
  const bool known = GENERATE(true, false);
  World world({.referrers = known, .validate = false});
  const std::string manifest =
      fmt::format(R"({{"artifactType":"text/x","subject":{{"digest":"{}"}}}})", k_digest);
  const HttpResponse put =
      world.ask("PUT", "/v2/a/manifests/x", {{"Content-Type", k_type}}, manifest);
  CHECK(World::header(put, "oci-subject") == (known ? k_digest : "(none)"));
  const HttpResponse list = world.ask("GET", "/v2/a/referrers/" + k_digest);
  CHECK(list.status == (known ? 200 : 404));
  CHECK((world.body.find(Digest::of(manifest).str()) != std::string::npos) == known);
  if (!known) return;
  const HttpResponse none =
      world.ask("GET", "/v2/a/referrers/" + k_digest + "?artifactType=text/y");
  CHECK(World::header(none, "oci-filters-applied") == "artifactType");
  CHECK(world.body.find("\"manifests\":[]") != std::string::npos);
}

TEST_CASE("a password is asked for") {
  World world({.auth = RegistryOptions::Auth::basic});
  const HttpResponse refused = world.ask("GET", "/v2/");
  CHECK(refused.status == 401);
  CHECK(World::header(refused, "www-authenticate") == "Basic realm=\"test\"");
  CHECK(world.ask("GET", "/v2/", {{"Authorization", "Basic bWU6c2VjcmV0"}}).status ==
        200);
  CHECK_FALSE(world.server.events().front().has("authorization"));
  CHECK(world.server.events().back().has("authorization"));
}

TEST_CASE("a token opens what it was made for, until it ends") {
  World world({.auth = RegistryOptions::Auth::bearer});
  world.server.content().put_blob("a", k_text);
  const std::string blob = "/v2/a/blobs/" + k_digest;
  const HttpResponse refused = world.ask("GET", blob);
  CHECK(refused.status == 401);
  CHECK(World::header(refused, "www-authenticate") ==
        fmt::format("Bearer realm=\"{}\",service=\"test\",scope=\"repository:a:pull\"",
                    world.server.url("/token")));
  CHECK(world.ask("GET", "/token?scope=repository:a:pull").status == 401);
  CHECK(world
            .ask("GET", "/token?service=test&scope=repository%3Aa%3Apull",
                 {{"Authorization", "Basic bWU6c2VjcmV0"}})
            .status == 200);
  CHECK(world.body == R"({"access_token":"token-1","expires_in":300,"token":"token-1"})");
  const HttpHeaders shown = {{"Authorization", "Bearer token-1"}};
  CHECK(world.ask("GET", blob, shown).status == 200);
  const HttpResponse more = world.ask("POST", "/v2/a/blobs/uploads/", shown, "");
  CHECK(more.status == 401);
  CHECK(World::header(more, "www-authenticate").find("insufficient_scope") !=
        std::string::npos);
  world.server.content().expire_tokens();
  CHECK(world.ask("GET", blob, shown).status == 401);
  CHECK(world.server.content().tokens() == 1);
}

TEST_CASE("a token is given for a refresh token, or to read without a name") {
  World world({.auth = RegistryOptions::Auth::bearer, .anonymous_pull = true});
  CHECK(world
            .ask("POST", "/token", {},
                 "grant_type=refresh_token&refresh_token=refresh-me&"
                 "scope=repository:a:push")
            .status == 200);
  CHECK(world.ask("POST", "/token", {}, "grant_type=refresh_token&refresh_token=x")
            .status == 401);
  CHECK(world.ask("GET", "/token?scope=repository:a:pull,push").status == 200);
  const HttpHeaders shown = {{"Authorization", "Bearer token-2"}};
  CHECK(world.ask("GET", "/v2/a/blobs/" + k_digest, shown).status == 404);
  CHECK(world.ask("POST", "/v2/a/blobs/uploads/", shown, "").status == 401);
}

TEST_CASE("a rule skips, fires and is used up") {
  World world;
  world.server.add(
      {.method = "GET",
       .part = "/manifests/",
       .skip = 1,
       .times = 2,
       .action = {.status = 503, .headers = {{"Retry-After", "7"}}, .body = "later"}});
  world.server.add({.pattern = "^/v2/$", .action = {.headers = {{"Warning", "299"}}}});
  std::vector<int> statuses;
  for (int i = 0; i < 4; ++i)
    statuses.push_back(world.ask("GET", "/v2/a/manifests/1").status);
  CHECK(statuses == std::vector{404, 503, 503, 404});
  CHECK(World::header(world.ask("GET", "/v2/"), "warning") == "299");
  CHECK(World::header(world.ask("GET", "/v2/"), "warning") == "(none)");
}

TEST_CASE("an answer is cut, stalled, reset, dropped or of a false length") {
  World world;
  world.server.content().put_blob("a", k_text);
  Action action;
  SECTION("cut") {
    action.cut_sent = 4;
  }
  SECTION("reset in the middle") {
    action.cut_sent = 4;
    action.reset = true;
  }
  SECTION("reset") {
    action.reset = true;
  }
  SECTION("dropped") {
    action.drop_answer = true;
  }
  SECTION("longer than it is") {
    action.content_length = 20;
  }
  SECTION("stalled") {
    action.stall = true;
  }
  world.server.add({.action = action});
  CHECK(world.breaks("GET", "/v2/a/blobs/" + k_digest));
  CHECK_FALSE(world.breaks("GET", "/v2/a/blobs/" + k_digest));
}

TEST_CASE("what came before an upload broke can be asked for, or is lost") {
  const bool resumable = GENERATE(true, false);
  World world({.resumable = resumable});
  const std::string url = world.start();
  world.server.add({.method = "PATCH", .action = {.cut_received = 4}});
  CHECK(world.breaks("PATCH", url, k_text));
  const HttpResponse answer = world.ask("GET", url);
  CHECK(answer.status == (resumable ? 204 : 404));
  CHECK(World::header(answer, "range") == (resumable ? "0-3" : "(none)"));
  CHECK(world.server.events()[1].received == 4);
  if (!resumable) return;
  const std::string next = world.location(answer);
  CHECK(world.ask("PUT", done(next), {{"Content-Range", "4-9"}}, "456789").status == 201);
}

TEST_CASE("a request whose answer is dropped was performed") {
  World world;
  const std::string url = done(world.start());
  world.server.add({.method = "PUT", .action = {.drop_answer = true}});
  CHECK(world.breaks("PUT", url, k_text));
  CHECK(world.server.content().blob("a", k_digest) == k_text);
}

TEST_CASE("an answer comes before the body") {
  World world;
  const std::string url = world.start();
  world.server.add({.method = "PATCH", .action = {.status = 413, .early = true}});
  CHECK(world.ask("PATCH", url, {}, std::string(8'000'000, 'x')).status == 413);
  CHECK(world.ask("PATCH", url, {}, k_text).status == 202);
}

TEST_CASE("an answer can be late") {
  World world;
  world.server.add({.action = {.delay = 50ms}});
  const auto before = std::chrono::steady_clock::now();
  CHECK(world.ask("GET", "/v2/").status == 200);
  CHECK(std::chrono::steady_clock::now() - before >= 50ms);
}

TEST_CASE("a client that asks before sending is answered before sending") {
  World world({.auth = RegistryOptions::Auth::basic});
  const HttpHeaders expect = {{"Expect", "100-continue"}};
  CHECK(world.ask("POST", "/v2/a/blobs/uploads/", expect, k_text).status == 401);
  CHECK(world.server.events().back().received == 0);
  HttpHeaders known = expect;
  known.emplace_back("Authorization", "Basic bWU6c2VjcmV0");
  CHECK(world.ask("POST", "/v2/a/blobs/uploads/", known, k_text).status == 202);
  CHECK(world.server.events().back().received == 10);
}

TEST_CASE("servers are strangers to each other, and one has two names") {
  World here;
  RegistryServer there;
  here.server.content().put_blob("a", k_text);
  CHECK(here.ask("GET", there.url("/v2/a/blobs/" + k_digest)).status == 404);
  CHECK(here.ask("GET", here.server.url("/v2/a/blobs/" + k_digest, "localhost")).status ==
        200);
  CHECK(here.server.events().back().header("host") == here.server.domain("localhost"));
  CHECK(there.log("GET").size() == 1);
  there.clear_log();
  CHECK(there.log().empty());
}
