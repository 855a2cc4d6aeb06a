// Where servers send us, and that no credential goes along (RFC 9110, 15.4; the
// distribution specification's words on Location).
#include "oci/registry/http_get.h"

#include "tests/support/catch.h"
#include "tests/support/http_script.h"
#include "tests/support/registry_bench.h"

using namespace oci;

namespace {

const std::string k_text = "0123456789";
const std::string k_blob = "/v2/a/b/blobs/" + Digest::of(k_text).str();

Rule away(const std::string& method, const std::string& part, const std::string& to,
          int status = 307) {
  Rule rule{method, part};
  rule.action.status = status;
  rule.action.headers = {{"Location", to}};
  return rule;
}

// A registry with a login, and a server that is none of its business.
struct World : RegistryBench {
  explicit World(RegistryOptions::Auth auth = RegistryOptions::Auth::basic)
      : RegistryBench({.auth = auth}) {
    login();
    server.content().put_blob("a/b", k_text);
    other.content().put_blob("a/b", k_text);
  }
  RegistryServer other;
};

// What http_get makes of a web of pages.
struct Web {
  explicit Web(HttpScript::Script script, bool is_private = false)
      : http([script = std::move(script), is_private](const HttpRequest& request) {
          HttpResponse answer = script(request);
          answer.from_private = is_private;
          return answer;
        }) {}
  HttpScript http;
};

HttpResponse redirect(const std::string& to) {
  return HttpScript::answer(302, "", {{"location", to}});
}

}  // namespace

TEST_CASE("a blob is fetched from where the registry leads, without the login") {
  const int status = GENERATE(301, 302, 303, 307, 308);
  const auto auth = GENERATE(RegistryOptions::Auth::basic, RegistryOptions::Auth::bearer);
  const std::string host = GENERATE("127.0.0.1", "localhost");
  World world(auth);
  const std::string target = k_blob + "?X-Signature=abc%3D%2F~";
  Rule rule = away("GET", "/blobs/", world.other.url(target, host), status);
  // Whoever has not logged in is not led anywhere.
  rule.skip = 1;
  world.server.add(rule);
  CHECK(world.pull(k_text) == k_text);
  REQUIRE(world.other.events().size() == 1);
  CHECK(world.other.events()[0].target == target);
  CHECK_FALSE(saw_secrets(world.other));
}

TEST_CASE("a redirect within the registry keeps the login") {
  const std::size_t which = GENERATE(0, 1, 2);
  World world;
  const std::string to = std::vector{k_blob, world.server.url(k_blob),
                                     "./" + k_blob.substr(k_blob.rfind('/') + 1)}[which];
  Rule rule = away("GET", "/blobs/", to);
  rule.skip = 1;
  world.server.add(rule);
  CHECK(world.pull(k_text) == k_text);
  CHECK(world.server.events().back().has("authorization"));
}

TEST_CASE("the registry under another name is another server") {
  World world;
  Rule rule = away("GET", "/blobs/", world.server.url(k_blob, "localhost"));
  rule.skip = 1;
  world.server.add(rule);
  CHECK(failure_in([&] { world.pull(k_text); }).code == Errc::denied);
  CHECK_FALSE(world.server.events().back().has("authorization"));
}

TEST_CASE("the login does not come back after a detour") {
  World world;
  // Back at the registry it may be shown again: that is where it belongs. On a third
  // server it is not.
  RegistryServer third;
  third.content().put_blob("a/b", k_text);
  Rule first = away("GET", "/blobs/", world.other.url("/one"));
  first.skip = 1;
  world.server.add(first);
  world.other.add(away("GET", "/one", world.server.url("/two")));
  world.server.add(away("GET", "/two", third.url(k_blob)));
  CHECK(world.pull(k_text) == k_text);
  CHECK_FALSE(saw_secrets(world.other));
  CHECK_FALSE(saw_secrets(third));
}

TEST_CASE("a login in the address that a registry leads to is not used") {
  const std::string scheme = GENERATE("http:", "");
  World world;
  const std::string to = scheme + "//me:secret@" + world.other.domain() + k_blob;
  Rule rule = away("GET", "/blobs/", to);
  rule.skip = 1;
  rule.times = 100;
  world.server.add(rule);
  const Failure failure = failure_in([&] { world.pull(k_text); });
  CHECK((failure.code == Errc::denied || failure.code == Errc::unavailable));
  CHECK(failure.text.find("secret") == std::string::npos);
  CHECK(world.other.events().empty());
}

TEST_CASE("a resumed download is asked of the registry again") {
  World world;
  world.client().has(Digest::of("x"));  // logs in
  world.server.add(away("GET", "/blobs/", world.other.url(k_blob + "?one")));
  world.server.add(away("GET", "/blobs/", world.other.url(k_blob + "?two")));
  Rule broken{"GET", "?one"};
  broken.action.cut_sent = 4;
  world.other.add(broken);
  CHECK(world.pull(k_text) == k_text);
  REQUIRE(world.other.events().size() == 2);
  CHECK(world.other.events()[1].header("range") == "bytes=4-");
  CHECK_FALSE(saw_secrets(world.other));
}

TEST_CASE("manifests and questions for blobs are led on too") {
  World world;
  const std::string text = R"({"schemaVersion":2,"manifests":[]})";
  world.other.content().put_manifest("x", "t", text, std::string(media_type::k_index));
  Rule manifest = away("", "/a/b/manifests/t", world.other.url("/v2/x/manifests/t"));
  manifest.times = 100;
  Rule blob = away("HEAD", "/blobs/", world.other.url(k_blob));
  blob.times = 100;
  world.server.add(manifest);
  world.server.add(blob);
  CHECK(world.client().resolve("t")->digest == Digest::of(text));
  CHECK(world.client().digest_of("t") == Digest::of(text));
  CHECK(world.client().has(Digest::of(k_text)));
  CHECK_FALSE(saw_secrets(world.other));
  CHECK(world.other.events()[0].header("accept").find("manifest.v1+json") !=
        std::string::npos);
}

TEST_CASE("circles and long ways have an end") {
  RegistryBench bench;
  SECTION("a circle") {
    Rule circle = away("GET", "/blobs/", k_blob);
    circle.times = 1000;
    bench.server.add(circle);
    bench.settings.retry.attempts = 1;
    CHECK(failure_in([&] { bench.pull(k_text); }).code == Errc::unavailable);
    CHECK(bench.server.events().size() == 11);
  }
  SECTION("ten are not too many") {
    bench.server.content().put_blob("a/b", k_text);
    Rule ten = away("GET", "/blobs/", k_blob);
    ten.times = 10;
    bench.server.add(ten);
    CHECK(bench.pull(k_text) == k_text);
  }
}

TEST_CASE("a redirect to nowhere is told") {
  RegistryBench bench;
  bench.settings.retry.attempts = 1;
  const std::string to = GENERATE("", "file:///etc/passwd", "ftp://a/", "gopher://a/");
  Rule rule = away("GET", "/blobs/", to);
  if (to.empty()) rule.action.headers.clear();
  bench.server.add(rule);
  CHECK(failure_in([&] { bench.pull(k_text); }).code == Errc::unavailable);
}

TEST_CASE("a server outside cannot lead us inside") {
  const std::string host = GENERATE("127.0.0.1", "localhost");
  World world;
  world.http.answered = [](HttpResponse& answer) { answer.from_private = false; };
  SECTION("by a redirect of a download") {
    Rule rule = away("GET", "/blobs/", world.other.url(k_blob, host));
    rule.skip = 1;
    world.server.add(rule);
    CHECK(failure_in([&] { world.pull(k_text); }).code == Errc::denied);
  }
  SECTION("by the Location of an upload") {
    Rule rule = away("POST", "/uploads/", world.other.url("/up", host), 202);
    rule.skip = 0;
    world.server.add(rule);
    CHECK(failure_in([&] { world.push("new"); }).code == Errc::denied);
  }
  SECTION("by a redirect of an upload") {
    world.server.add(away("PUT", "/uploads/", world.other.url("/up", host)));
    CHECK(failure_in([&] { world.push("new"); }).code == Errc::denied);
  }
  CHECK(world.other.events().empty());
}

TEST_CASE("https never leads to http") {
  Web web([](const HttpRequest& request) {
    return request.url.starts_with("https") ? redirect("http://storage.example/x")
                                            : HttpScript::answer(200, k_text);
  });
  StringSink body;
  const Failure failure =
      failure_in([&] { http_get(web.http, {"https://r.example/x"}, body, {}); });
  CHECK(failure.code == Errc::denied);
  CHECK(failure.text.find("from https to http") != std::string::npos);
  CHECK(http_get(web.http, {"http://r.example/x"}, body, {}).status == 200);
}

TEST_CASE("headers of a request stay at its origin, but for what is no secret") {
  std::vector<HttpRequest> seen;
  Web web([&](const HttpRequest& request) {
    seen.push_back(request);
    if (seen.size() == 1) return redirect("/two");
    if (seen.size() == 2) return redirect("https://other.example/three");
    return HttpScript::answer(200, k_text);
  });
  HttpRequest request;
  request.url = "https://r.example/one";
  request.headers = {{"Authorization", "Bearer x"}, {"X-Own", "y"}, {"Accept", "z"}};
  request.tls.certificate = "/mine.pem";
  StringSink body;
  std::string last;
  send_following(web.http, request, body, {}, &last);
  CHECK(last == "https://other.example/three");
  REQUIRE(seen.size() == 3);
  CHECK(seen[1].headers == request.headers);
  CHECK(seen[1].tls == request.tls);
  CHECK(seen[2].headers == HttpHeaders{{"Accept", "z"}});
  CHECK(seen[2].tls == TlsSettings{});
  CHECK(seen[2].public_only);
}

TEST_CASE("an upload goes where its Location says, which is used as it is") {
  const std::size_t which = GENERATE(0, 1, 2, 3, 4, 5);
  World world;
  const std::string up = "/put/1?_state=a%3D.b/~&x=";
  const std::vector<std::string> ways = {up,
                                         world.server.url(up),
                                         "//" + world.server.domain() + up,
                                         world.server.url(up, "localhost"),
                                         world.other.url(up),
                                         world.other.url(up, "localhost")};
  CAPTURE(ways[which]);
  world.client().has(Digest::of("x"));  // logs in
  world.server.add(away("POST", "/uploads/", ways[which], 202));
  Rule takes{"PUT", "/put/1"};
  takes.action.status = 201;
  world.server.add(takes);
  world.other.add(takes);
  world.push("new");
  const Event put =
      which > 3 ? world.other.events().back() : world.server.events().back();
  CHECK(put.method == "PUT");
  CHECK(put.target == up + "&digest=" + url_encode(Digest::of("new").str()));
  CHECK(put.received == 3);
  CHECK(put.has("authorization") == (which < 3));
  CHECK_FALSE(saw_secrets(world.other));
}

TEST_CASE("chunks and the end of an upload elsewhere go without the login") {
  World world;
  world.settings.chunk_size = 4;
  world.server.add(
      away("POST", "/uploads/", world.other.url("/v2/x/blobs/uploads/"), 202));
  // The first PUT is too large; then the other server has a session of its own.
  Rule large{"PUT", "/v2/x/"};
  large.action.status = 413;
  world.other.add(large);
  world.server.add(away("POST", "/uploads/", world.other.url("/chunks/1"), 202));
  Rule chunk{"PATCH", "/chunks/"};
  chunk.times = 2;
  chunk.action.status = 202;
  chunk.action.headers = {{"Location", "/chunks/next"}};
  world.other.add(chunk);
  Rule end{"PUT", "/chunks/next"};
  end.action.status = 201;
  world.other.add(end);
  world.push("12345678");
  CHECK(RegistryBench::log_of(world.other) ==
        Lines{"PUT session 413", "PATCH /chunks/1 [0-3] 202",
              "PATCH /chunks/next [4-7] 202", "PUT /chunks/next 201"});
  CHECK_FALSE(saw_secrets(world.other));
}

TEST_CASE("a PUT that is led on sends its body there, without the login") {
  World world;
  const int status = GENERATE(307, 308);
  world.server.add(away("PUT", "/uploads/", world.other.url("/put?sig=a%2Fb"), status));
  Rule takes{"PUT", "/put"};
  takes.action.status = 201;
  world.other.add(takes);
  world.push("new");
  REQUIRE(world.other.events().size() == 1);
  CHECK(world.other.events()[0].target == "/put?sig=a%2Fb");
  CHECK(world.other.events()[0].received == 3);
  CHECK_FALSE(saw_secrets(world.other));
}

TEST_CASE("a PUT that is led on as if it were a GET is refused") {
  World world;
  const int status = GENERATE(301, 302, 303);
  world.server.add(away("PUT", "/uploads/", world.other.url("/put"), status));
  CHECK(failure_in([&] { world.push("new"); }).code == Errc::bad_input);
  CHECK(world.other.events().empty());
}

TEST_CASE("an upload without a Location, or with one that is no address, is told") {
  World world;
  world.settings.retry.attempts = 1;
  const std::string to = GENERATE("", "file:///tmp/x", "http://me:secret@127.0.0.1:1/");
  Rule rule = away("POST", "/uploads/", to, 202);
  if (to.empty()) rule.action.headers.clear();
  world.server.add(rule);
  const Failure failure = failure_in([&] { world.push("new"); });
  CHECK((failure.code == Errc::denied || failure.code == Errc::unavailable));
  CHECK(failure.text.find("secret") == std::string::npos);
}

TEST_CASE("the query of an address that was signed is in no message") {
  RegistryBench bench;
  Rule rule = away("GET", "/blobs/", bench.server.url("/storage?X-Signature=abc"));
  rule.times = 100;
  bench.server.add(rule);
  Rule refuses{"GET", "/storage"};
  refuses.times = 100;
  refuses.action.status = 403;
  bench.server.add(refuses);
  const Failure failure = failure_in([&] { bench.pull(k_text); });
  CHECK(failure.code == Errc::denied);
  CHECK(failure.text.find("X-Signature") == std::string::npos);
}
