// Conversations between an authorizer, a registry that challenges, and a token server.
#include "oci/registry/authorizer.h"

#include <atomic>
#include <thread>

#include "oci/base/base64.h"
#include "oci/base/error.h"

#include "tests/support/catch.h"
#include "tests/support/http_script.h"

using namespace std::chrono_literals;
using oci::Authorizer;
using oci::Credential;
using oci::Errc;
using oci::Error;
using oci::HttpRequest;
using oci::HttpResponse;
using oci::Scopes;
using oci::Secret;

namespace {

const Scopes k_pull = {"repository:app:pull"};
const Scopes k_push = {"repository:app:pull,push"};
const std::string k_realm = "https://auth.r.example/token";

class FixedKeychain final : public oci::Keychain {
 public:
  std::optional<Credential> credential;
  std::optional<Credential> fresh;  // what a fresh look finds
  int fresh_looks = 0;

  std::optional<Credential> find(const std::string&, const std::string&, bool again,
                                 std::stop_token) override {
    if (again) ++fresh_looks;
    return again && fresh ? fresh : credential;
  }
  std::vector<std::string> places() const override { return {"/a/config.json"}; }
};

Credential password(const std::string& text) {
  return {Credential::Kind::password, "me", Secret(text),
          "/a/config.json, key r.example"};
}

std::string basic(const std::string& text) {
  return "Basic " + oci::base64_encode("me:" + text);
}

// A registry's 401.
HttpResponse challenge(const std::string& text) {
  return HttpScript::answer(401, "", {{"www-authenticate", text}});
}

HttpResponse bearer(const std::string& scope = "", const std::string& realm = k_realm) {
  return challenge("Bearer realm=\"" + realm + "\",service=\"s\"" +
                   (scope.empty() ? "" : ",scope=\"" + scope + "\""));
}

HttpResponse token(const std::string& text, int seconds = 300) {
  return HttpScript::answer(
      200, R"({"token":")" + text + R"(","expires_in":)" + std::to_string(seconds) + "}");
}

// One authorizer of r.example, whose token server follows `script`.
struct Bench {
  explicit Bench(HttpScript::Script script, std::optional<Credential> known = {},
                 std::vector<std::string> trusted = {},
                 const std::string& origin = "https://r.example")
      : http(std::move(script)) {
    keys.credential = std::move(known);
    oci::AuthorizerSettings settings;
    settings.origin = *oci::Origin::of(origin);
    settings.domain = "r.example";
    settings.path = "app";
    settings.trusted_realms = std::move(trusted);
    settings.clock = [this] { return now; };
    authorizer = std::make_unique<Authorizer>(http, keys, std::move(settings));
  }

  std::string header(const Scopes& scopes, std::chrono::seconds needed = 0s) {
    const std::optional<Secret> found = authorizer->header(scopes, needed, {});
    return found ? found->reveal() : "";
  }
  // The registry answers a request that had what header() gives.
  void challenged(const HttpResponse& answer, const std::string& sent,
                  const Scopes& scopes) {
    std::optional<Secret> header;
    if (!sent.empty()) header = Secret(sent);
    authorizer->challenged(answer, header, scopes, {});
  }
  std::string failure(const HttpResponse& answer, const std::string& sent,
                      const Scopes& scopes) {
    return failure_of([&] { challenged(answer, sent, scopes); });
  }
  std::string header_failure(const Scopes& scopes) {
    return failure_of([&] { header(scopes); });
  }

  // Message, notes and hint of an Errc::denied.
  static std::string failure_of(const std::function<void()>& body) {
    try {
      body();
    } catch (const Error& e) {
      CHECK(e.code() == Errc::denied);
      std::string text = e.what();
      for (const std::string& note : e.notes())
        text += "\n" + note;
      return text + "\n" + e.hint();
    }
    return "";
  }

  std::chrono::steady_clock::time_point now = std::chrono::steady_clock::now();
  HttpScript http;
  FixedKeychain keys;
  std::unique_ptr<Authorizer> authorizer;
};

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// Numbers its tokens: t1, t2, …
HttpScript::Script numbered(int seconds = 300) {
  return [n = 0, seconds](const HttpRequest&) mutable {
    return token("t" + std::to_string(++n), seconds);
  };
}

}  // namespace

TEST_CASE("nothing is sent before a server asks") {
  Bench bench(numbered(), password("pw"));
  CHECK(bench.header(k_pull).empty());
  CHECK(bench.http.asked().empty());
}

TEST_CASE("a token is asked for once, with the password, and kept") {
  Bench bench(numbered(), password("pw"));
  bench.challenged(bearer("repository:app:pull"), "", k_push);
  CHECK(bench.header(k_push) == "Bearer t1");
  CHECK(bench.header({"repository:app:push,pull"}) == "Bearer t1");
  REQUIRE(bench.http.asked().size() == 1);
  const HttpAsked asked = bench.http.asked()[0];
  CHECK(asked.method == "GET");
  CHECK(asked.url == k_realm +
                         "?service=s&scope=repository%3Aapp%3Apull%2Cpush"
                         "&client_id=lithify&account=me");
  CHECK(asked.header("Authorization") == basic("pw"));
  CHECK(asked.public_only);
  CHECK(bench.authorizer->credential_used() ==
        "the password of me from /a/config.json, key r.example");
}

TEST_CASE("without credentials a token is asked for anonymously") {
  Bench bench(numbered());
  bench.challenged(bearer(), "", k_pull);
  CHECK(bench.header(k_pull) == "Bearer t1");
  CHECK(bench.http.asked()[0].header("Authorization").empty());
  CHECK_FALSE(has(bench.http.asked()[0].url, "account"));
  CHECK(bench.authorizer->credential_used() ==
        "no credentials (looked in /a/config.json)");
  const std::string text = bench.failure(bearer(), "Bearer t1", k_pull);
  CHECK(has(text, "r.example refuses repository:app:pull to an anonymous token"));
  CHECK(has(text, "lithify login r.example"));
}

TEST_CASE("an access_token is a token, and one without a lifetime lives for a minute") {
  Bench bench([n = 0](const HttpRequest&) mutable {
    return HttpScript::answer(200, R"({"access_token":"a)" + std::to_string(++n) + "\"}");
  });
  bench.challenged(bearer(), "", k_pull);
  CHECK(bench.header(k_pull) == "Bearer a1");
  bench.now += 53s;
  CHECK(bench.header(k_pull) == "Bearer a1");
  bench.now += 2s;
  CHECK(bench.header(k_pull) == "Bearer a2");
}

TEST_CASE("a token is renewed before it ends, and before a long upload") {
  Bench bench(numbered(1000));
  bench.challenged(bearer(), "", k_pull);
  CHECK(bench.header(k_pull) == "Bearer t1");
  bench.now += 600s;
  CHECK(bench.header(k_pull) == "Bearer t1");
  CHECK(bench.header(k_pull, 500s) == "Bearer t2");
  CHECK(bench.header(k_pull, 5000s) == "Bearer t2");  // a newer one is no better
  bench.now += 971s;
  CHECK(bench.header(k_pull) == "Bearer t3");
}

TEST_CASE("a scope that the server adds is asked for once") {
  Bench bench(numbered());
  bench.challenged(bearer(), "", k_pull);
  CHECK(bench.header(k_pull) == "Bearer t1");
  const HttpResponse more =
      challenge("Bearer realm=\"" + k_realm +
                "\",service=\"s\",scope=\"repository:app:pull repository:other:pull\""
                ",error=\"insufficient_scope\"");
  bench.challenged(more, "Bearer t1", k_pull);
  CHECK(bench.header(k_pull) == "Bearer t2");
  CHECK(has(bench.http.asked()[1].url,
            "scope=repository%3Aapp%3Apull&scope=repository%3Aother%3Apull"));
  CHECK(has(bench.failure(more, "Bearer t2", k_pull), "refuses"));
}

TEST_CASE("a server that always wants more is refused in the end") {
  Bench bench(numbered());
  bench.challenged(bearer(), "", k_pull);
  int rounds = 0;
  for (; rounds < 100; ++rounds) {
    const std::string sent = bench.header(k_pull);
    const std::string scope = "repository:x" + std::to_string(rounds) + ":pull";
    if (!bench.failure_of([&] { bench.challenged(bearer(scope), sent, k_pull); }).empty())
      break;
  }
  CHECK(rounds < 10);
}

TEST_CASE("an old token that is refused is renewed, a new one is not") {
  Bench bench(numbered());
  bench.challenged(bearer(), "", k_pull);
  CHECK(bench.header(k_pull) == "Bearer t1");
  bench.now += 60s;
  bench.challenged(bearer(), "Bearer t1", k_pull);
  CHECK(bench.header(k_pull) == "Bearer t2");
  CHECK_FALSE(bench.failure(bearer(), "Bearer t2", k_pull).empty());
}

TEST_CASE("a refusal of what was sent before the last token is no refusal") {
  Bench bench(numbered());
  bench.challenged(bearer(), "", k_pull);
  CHECK(bench.header(k_pull) == "Bearer t1");
  bench.challenged(bearer(), "", k_pull);
  bench.challenged(bearer(), "Bearer t0", k_pull);
  CHECK(bench.header(k_pull) == "Bearer t1");
}

TEST_CASE("a foreign realm never sees the secret") {
  for (const auto kind : {Credential::Kind::password, Credential::Kind::identity_token}) {
    Credential known = password("hunter22");
    known.kind = kind;
    Bench bench(numbered(), known);
    bench.challenged(bearer("", "https://evil.example.net/t"), "", k_pull);
    CHECK(bench.header(k_pull) == "Bearer t1");
    const HttpAsked asked = bench.http.asked()[0];
    CHECK(asked.method == "GET");
    CHECK(asked.header("Authorization").empty());
    CHECK_FALSE(has(asked.url + asked.body, "hunter22"));
    const std::string text =
        bench.failure(bearer("", "https://evil.example.net/t"), "Bearer t1", k_pull);
    CHECK(has(text, "evil.example.net"));
    CHECK(has(text, "LITHIFY_TRUSTED_REALMS"));
    CHECK(has(text, "LITHIFY_TRUSTED_REALMS"));
    CHECK_FALSE(has(text, "hunter22"));
  }
}

TEST_CASE("a foreign realm that refuses anonymous tokens is told with the setting") {
  Bench bench([](const HttpRequest&) { return HttpScript::answer(401); },
              password("hunter22"));
  bench.challenged(bearer("", "https://evil.example.net/t"), "", k_pull);
  const std::string text = bench.header_failure(k_pull);
  CHECK(has(text, "evil.example.net"));
  CHECK(has(text, "LITHIFY_TRUSTED_REALMS"));
  CHECK(bench.keys.fresh_looks == 0);
}

TEST_CASE("a realm that the user trusts sees the secret") {
  Bench bench(numbered(), password("pw"), {"auth.example.net"});
  bench.challenged(bearer("", "https://auth.example.net/t"), "", k_pull);
  bench.header(k_pull);
  CHECK(bench.http.asked()[0].header("Authorization") == basic("pw"));
  CHECK_FALSE(bench.http.asked()[0].public_only);
}

TEST_CASE("a realm may move, and is judged again") {
  Bench bench(numbered(), password("pw"));
  bench.challenged(bearer(), "", k_pull);
  CHECK(bench.header(k_pull) == "Bearer t1");
  bench.challenged(bearer("", "https://evil.example.net/t"), "Bearer t1", k_pull);
  CHECK(bench.header(k_pull) == "Bearer t2");
  CHECK(bench.http.asked()[1].header("Authorization").empty());
}

TEST_CASE("a registry with https does not send logins to http") {
  Bench bench(numbered(), password("pw"));
  CHECK(has(bench.failure(bearer("", "http://r.example/token"), "", k_pull),
            "http://r.example"));
  CHECK(bench.http.asked().empty());
}

TEST_CASE("a registry with http may have its realm there, and one without a host") {
  Bench bench(numbered(), password("pw"), {}, "http://localhost:5000");
  HttpResponse answer = bearer("", "/auth/token");
  answer.from_private = true;
  bench.challenged(answer, "", k_pull);
  CHECK(bench.header(k_pull) == "Bearer t1");
  const HttpAsked asked = bench.http.asked()[0];
  CHECK(asked.url.rfind("http://localhost:5000/auth/token?", 0) == 0);
  CHECK(asked.header("Authorization") == basic("pw"));
  CHECK_FALSE(asked.public_only);
}

TEST_CASE("realms that are no URLs, or carry a login, are refused") {
  for (const char* realm : {"ftp://r.example/t", "https://u:p@r.example/t", "https://"}) {
    Bench bench(numbered(), password("pw"));
    CHECK_FALSE(bench.failure(bearer("", realm), "", k_pull).empty());
    CHECK(bench.http.asked().empty());
  }
}

TEST_CASE("a token server's redirect is not followed") {
  Bench bench(
      [](const HttpRequest&) {
        return HttpScript::answer(307, "",
                                  {{"location", "https://evil.example.net/x?y"}});
      },
      password("pw"));
  bench.challenged(bearer(), "", k_pull);
  const std::string text = bench.header_failure(k_pull);
  CHECK(has(text, "https://evil.example.net/x"));
  CHECK(bench.http.asked().size() == 1);
}

TEST_CASE("an identity token is exchanged by POST") {
  Credential known = {Credential::Kind::identity_token, "<token>", Secret("re&fresh"),
                      "a helper"};
  Bench bench(numbered(), known);
  bench.challenged(bearer(), "", {"repository:app:push", "repository:b:pull"});
  CHECK(bench.header({"repository:app:push", "repository:b:pull"}) == "Bearer t1");
  const HttpAsked asked = bench.http.asked()[0];
  CHECK(asked.method == "POST");
  CHECK(asked.url == k_realm);
  CHECK(asked.body ==
        "grant_type=refresh_token&client_id=lithify&service=s&scope=repository%3Aapp"
        "%3Apush%20repository%3Ab%3Apull&refresh_token=re%26fresh");
  CHECK(asked.header("Content-Type") == "application/x-www-form-urlencoded");
}

TEST_CASE("where POST is not known, an identity token goes by GET, once") {
  Credential known = {Credential::Kind::identity_token, "<token>", Secret("rt"), "a"};
  Bench bench(
      [](const HttpRequest& request) {
        return request.method == "POST" ? HttpScript::answer(405) : token("t1");
      },
      known);
  bench.challenged(bearer(), "", k_pull);
  CHECK(bench.header(k_pull) == "Bearer t1");
  CHECK(bench.http.asked()[1].header("Authorization") ==
        "Basic " + oci::base64_encode("<token>:rt"));
}

TEST_CASE("a registry token goes as it is") {
  Credential known = {Credential::Kind::registry_token, "", Secret("rt"), "a"};
  Bench bench(numbered(), known);
  bench.challenged(bearer(), "", k_pull);
  CHECK(bench.header(k_pull) == "Bearer rt");
  CHECK(bench.http.asked().empty());
  CHECK(has(bench.failure(bearer(), "Bearer rt", k_pull), "the registry token from a"));
}

TEST_CASE("a password that a helper has changed is tried") {
  Bench bench(
      [](const HttpRequest& request) {
        const bool fine = request.headers.back().second == basic("new");
        return fine ? token("t1") : HttpScript::answer(401);
      },
      password("old"));
  bench.keys.fresh = password("new");
  bench.challenged(bearer(), "", k_pull);
  CHECK(bench.header(k_pull) == "Bearer t1");
  CHECK(bench.keys.fresh_looks == 1);
}

TEST_CASE("a password that is refused is told with its place, and not shown") {
  Bench bench(
      [](const HttpRequest&) {
        return HttpScript::answer(
            401, R"({"errors":[{"code":"DENIED","message":"no: hunter22\u001b[2J"}]})");
      },
      password("hunter22"));
  bench.challenged(bearer(), "", k_pull);
  const std::string text = bench.header_failure(k_pull);
  CHECK(has(text,
            "the password of me from /a/config.json, key r.example was refused by "
            "https://auth.r.example"));
  CHECK(has(text, "no: ***"));
  CHECK_FALSE(has(text, "hunter22"));
  CHECK_FALSE(has(text, "\x1b"));
  CHECK(bench.keys.fresh_looks == 1);
  CHECK(has(text, "lithify login r.example"));
}

TEST_CASE("basic is used where it is all there is, and refused passwords are looked up") {
  Bench bench(numbered(), password("old"));
  bench.challenged(challenge("Negotiate, Basic realm=\"r\""), "", k_pull);
  CHECK(bench.header(k_pull) == basic("old"));
  bench.keys.fresh = password("new");
  bench.challenged(challenge("Basic realm=\"r\""), basic("old"), k_pull);
  CHECK(bench.header(k_pull) == basic("new"));
  CHECK(has(bench.failure(challenge("Basic realm=\"r\""), basic("new"), k_pull),
            "the password of me from /a/config.json, key r.example was refused"));
  CHECK(bench.http.asked().empty());
}

TEST_CASE("basic without credentials says where they were looked for") {
  Bench bench(numbered());
  const std::string text = bench.failure(challenge("Basic realm=\"r\""), "", k_pull);
  CHECK(has(text, "r.example wants a login"));
  CHECK(has(text, "/a/config.json"));
  CHECK(has(text, "lithify login r.example"));
}

TEST_CASE("bearer comes before basic, whatever the server's order") {
  Bench bench(numbered(), password("pw"));
  bench.challenged(challenge("Basic realm=\"r\", Bearer realm=\"" + k_realm + "\""), "",
                   k_pull);
  CHECK(bench.header(k_pull) == "Bearer t1");
}

TEST_CASE("a flip from bearer to basic is worth one try of a password") {
  Bench bench(numbered(), password("pw"));
  bench.challenged(bearer(), "", k_push);
  CHECK(bench.header(k_push) == "Bearer t1");
  const HttpResponse flip = challenge("Basic realm=\"harbor\"");
  bench.challenged(flip, "Bearer t1", k_push);
  CHECK(bench.header(k_push) == basic("pw"));
  CHECK(has(bench.failure(flip, basic("pw"), k_push), "refuses"));

  Bench anonymous(numbered());
  anonymous.challenged(bearer(), "", k_push);
  anonymous.header(k_push);
  CHECK(has(anonymous.failure(flip, "Bearer t1", k_push), "no credentials"));
}

TEST_CASE("a token server that refuses a second scope is asked for the first alone") {
  const Scopes mount = {"repository:app:pull,push", "repository:from:pull"};
  Bench bench(
      [](const HttpRequest& request) {
        return has(request.url, "from") ? HttpScript::answer(403) : token("t1");
      },
      password("pw"));
  bench.challenged(bearer(), "", mount);
  CHECK(bench.header(mount) == "Bearer t1");
  CHECK(bench.authorizer->only_first(mount));
  CHECK_FALSE(bench.authorizer->only_first(k_push));
  CHECK(bench.keys.fresh_looks == 0);
  bench.now += 1000s;
  bench.header(mount);
  CHECK(bench.http.asked().size() == 3);
  CHECK_FALSE(bench.failure(bearer("repository:from:pull"), "Bearer t1", mount).empty());
}

TEST_CASE("a 401 that does not say how to log in is asked about at the front door") {
  Bench bench([](const HttpRequest& request) {
    return request.url == "https://r.example/v2/" ? bearer() : token("t1");
  });
  bench.challenged(HttpScript::answer(401), "", k_pull);
  CHECK(bench.header(k_pull) == "Bearer t1");
}

TEST_CASE("ways to log in that are not known are named") {
  Bench bench([](const HttpRequest&) { return HttpScript::answer(401); });
  CHECK(
      has(bench.failure(challenge("Negotiate, NTLM"), "", k_pull), "negotiate or ntlm"));
  CHECK(has(bench.failure(HttpScript::answer(401), "", k_pull), "does not say"));
}

TEST_CASE("answers that are no tokens are errors that do not repeat them") {
  for (const char* body : {"", "[]", "{}", R"({"token":5})", R"({"token":"a b"})",
                           R"({"token":"sesame","token":"sesame"})", "sesame"}) {
    Bench bench([body](const HttpRequest&) { return HttpScript::answer(200, body); });
    bench.challenged(bearer(), "", k_pull);
    try {
      bench.header(k_pull);
      FAIL(body);
    } catch (const Error& e) {
      CHECK(e.code() == Errc::unavailable);
      CHECK_FALSE(has(e.what(), "sesame"));
    }
  }
  Bench bench([](const HttpRequest&) { return token(std::string(300 * 1024, 'x')); });
  bench.challenged(bearer(), "", k_pull);
  CHECK_THROWS_AS(bench.header(k_pull), Error);
}

TEST_CASE("a token server that is down is unavailable, one that is not there denies") {
  int status = 503;
  Bench bench([&status](const HttpRequest&) { return HttpScript::answer(status); });
  bench.challenged(bearer(), "", k_pull);
  try {
    bench.header(k_pull);
    FAIL();
  } catch (const Error& e) {
    CHECK(e.code() == Errc::unavailable);
  }
  status = 404;
  CHECK(has(bench.header_failure(k_pull), "404"));
}

TEST_CASE("many threads fetch one token") {
  Bench bench([n = 0](const HttpRequest&) mutable {
    std::this_thread::sleep_for(20ms);
    return token("t" + std::to_string(++n));
  });
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        bench.challenged(bearer(), "", k_pull);
        if (bench.header(k_pull) != "Bearer t1") ++wrong;
      });
    }
  }
  CHECK(wrong == 0);
  CHECK(bench.http.asked().size() == 1);
}

TEST_CASE("whoever waits for a token can be stopped") {
  std::atomic<bool> release = false;
  std::atomic<bool> fetching = false;
  Bench bench([&](const HttpRequest&) {
    fetching = true;
    while (!release)
      std::this_thread::sleep_for(1ms);
    return token("t1");
  });
  bench.challenged(bearer(), "", k_pull);
  std::jthread first([&] { bench.header(k_pull); });
  while (!fetching)
    std::this_thread::sleep_for(1ms);
  std::stop_source source;
  source.request_stop();
  CHECK_THROWS_AS(bench.authorizer->header(k_pull, 0s, source.get_token()),
                  oci::Cancelled);
  release = true;
}
