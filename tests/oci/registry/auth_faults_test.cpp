// Logins that end, change, are refused, or are asked for by the wrong server, seen from
// the client that pushes and pulls.
#include "tests/support/catch.h"
#include "tests/support/registry_bench.h"

using namespace oci;

namespace {

const std::string k_text = "0123456789";
constexpr auto k_bearer = RegistryOptions::Auth::bearer;
constexpr auto k_basic = RegistryOptions::Auth::basic;

Rule challenge(const std::string& method, const std::string& part,
               const std::vector<std::string>& texts) {
  Rule rule{method, part};
  rule.action.status = 401;
  for (const std::string& text : texts)
    rule.action.headers.emplace_back("WWW-Authenticate", text);
  return rule;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

struct TokenBench : RegistryBench {
  explicit TokenBench(RegistryOptions options = {}) : RegistryBench(with(options)) {
    login();
  }
  static RegistryOptions with(RegistryOptions options) {
    options.auth = k_bearer;
    return options;
  }
  std::string bearer(const std::string& more = "") const {
    return "Bearer realm=\"" + server.url("/token") + "\",service=\"test\"" + more;
  }
  std::string push_scope() const { return ",scope=\"repository:a/b:pull,push\""; }
};

}  // namespace

TEST_CASE("one token is enough for a push") {
  TokenBench bench;
  bench.push(k_text);
  CHECK(bench.arrived(k_text));
  CHECK(bench.log() == Lines{"HEAD blob 401", "GET /token 200", "HEAD blob 404",
                             "POST session 202", "PUT upload 1 201"});
  CHECK(has(bench.server.log("/token")[0], "scope=repository%3Aa%2Fb%3Apull%2Cpush"));
}

TEST_CASE("a token that ends before its time is renewed, at any request") {
  TokenBench bench;
  const std::string method = GENERATE("POST", "PATCH", "PUT");
  bench.settings.chunk_size = 4;
  if (method == "PATCH") bench.fail("PUT", "/uploads/1", 413);
  bench.server.add(challenge(method, "/uploads/", {bench.bearer(bench.push_scope())}));
  bench.push(k_text);
  CHECK(bench.arrived(k_text));
  CHECK(bench.server.content().tokens() == 2);
}

TEST_CASE("a token that a server says is too narrow is not asked for twice") {
  TokenBench bench;
  Rule narrow =
      challenge("POST", "/uploads/",
                {bench.bearer(bench.push_scope() + ",error=\"insufficient_scope\"")});
  narrow.times = 100;
  bench.server.add(narrow);
  const Failure failure = failure_in([&] { bench.push(k_text); });
  CHECK(failure.code == Errc::denied);
  CHECK(bench.server.content().tokens() == 1);
  CHECK(bench.server.log("POST").size() == 1);
  CHECK(has(failure.text, "/a/config.json"));
  CHECK(has(failure.text, "lithify login " + bench.server.domain()));
  CHECK_FALSE(has(failure.text, "secret"));
}

TEST_CASE("a new token that is refused again is the end") {
  TokenBench bench;
  Rule refuses = challenge("POST", "/uploads/", {bench.bearer(bench.push_scope())});
  refuses.times = 100;
  bench.server.add(refuses);
  CHECK(failure_in([&] { bench.push(k_text); }).code == Errc::denied);
  CHECK(bench.server.log("POST").size() <= 2);
}

TEST_CASE("a helper that makes passwords is asked again when one has ended") {
  RegistryBench bench({.auth = k_basic});
  bench.login("yesterday's");
  bench.keys.fresh = RegistryBench::of("secret");
  bench.push(k_text);
  CHECK(bench.arrived(k_text));
  CHECK(bench.log() == Lines{"HEAD blob 401", "HEAD blob 401", "HEAD blob 404",
                             "POST session 202", "PUT upload 1 201"});
}

TEST_CASE("a wrong password is tried once") {
  RegistryBench bench({.auth = k_basic});
  bench.login("wrong");
  const Failure failure = failure_in([&] { bench.push(k_text); });
  CHECK(failure.code == Errc::denied);
  CHECK(bench.log() == Lines{"HEAD blob 401", "HEAD blob 401"});
  CHECK_FALSE(has(failure.text, "wrong"));
}

TEST_CASE("a server that flips from bearer to basic has refused") {
  TokenBench bench;
  Rule flips = challenge("POST", "/uploads/", {"Basic realm=\"x\""});
  flips.times = 100;
  bench.server.add(flips);
  CHECK(failure_in([&] { bench.push(k_text); }).code == Errc::denied);
  CHECK(bench.server.log("POST").size() == 2);  // a password is worth one try
}

TEST_CASE("a challenge is understood however it is written") {
  TokenBench bench;
  const std::string url = bench.server.url("/token");
  const std::string scope = bench.push_scope();
  std::vector<std::string> texts;
  SECTION("in two headers") {
    texts = {"Negotiate", bench.bearer(scope)};
  }
  SECTION("two in one") {
    texts = {"Basic realm=\"x\", " + bench.bearer(scope)};
  }
  SECTION("without quotes") {
    texts = {"Bearer realm=" + url + ",service=test" + scope};
  }
  SECTION("with escapes") {
    texts = {"Bearer realm=\"" + url + "\",service=\"te\\\\st\"" + scope};
  }
  SECTION("without a service") {
    texts = {"Bearer realm=\"" + url + "\"" + scope};
  }
  SECTION("with a relative realm") {
    texts = {"Bearer realm=\"/token\",service=\"test\"" + scope};
  }
  bench.server.add(challenge("HEAD", "/blobs/", texts));
  bench.push(k_text);
  CHECK(bench.arrived(k_text));
  CHECK(bench.server.content().tokens() == 1);
}

TEST_CASE("a token server elsewhere gets no secret") {
  TokenBench bench;
  RegistryServer other({.auth = k_bearer});
  const std::string url = other.url("/token", "localhost");
  Rule foreign =
      challenge("HEAD", "/blobs/",
                {"Bearer realm=\"" + url + "\",service=\"test\"" + bench.push_scope()});
  foreign.times = 100;
  bench.server.add(foreign);
  const Failure failure = failure_in([&] { bench.push(k_text); });
  CHECK(failure.code == Errc::denied);
  CHECK(has(failure.text, "localhost"));
  CHECK(has(failure.text, "LITHIFY_TRUSTED_REALMS"));
  CHECK_FALSE(other.events().empty());
  CHECK_FALSE(saw_secrets(other));
}

// The same host at another port is the same machine, as it is for docker.
TEST_CASE("a token server on another port of the host gets the secret, its tokens stay") {
  RegistryServer tokens({.auth = k_bearer});
  RegistryBench bench({.auth = k_bearer, .realm = tokens.url("/token")});
  bench.login();
  CHECK(failure_in([&] { bench.push(k_text); }).code == Errc::denied);
  CHECK(tokens.log("/token").size() == 1);
  CHECK(tokens.events()[0].has("authorization"));
}

TEST_CASE("a realm with a login of its own is refused") {
  TokenBench bench;
  RegistryServer other;
  const std::string host = other.domain();
  bench.server.add(
      challenge("HEAD", "/blobs/", {"Bearer realm=\"http://me:pw@" + host + "/token\""}));
  CHECK(failure_in([&] { bench.push(k_text); }).code == Errc::denied);
  CHECK(other.events().empty());
}

TEST_CASE("a token server that redirects gets nobody anywhere") {
  TokenBench bench;
  RegistryServer other({.auth = k_bearer});
  Rule away{"GET", "/token"};
  away.action.status = 307;
  away.action.headers = {{"Location", other.url("/token")}};
  bench.server.add(away);
  CHECK(failure_in([&] { bench.push(k_text); }).code == Errc::denied);
  CHECK(other.events().empty());
}

TEST_CASE("a token server that is busy is waited for") {
  TokenBench bench;
  bench.fail("GET", "/token", 503, 2);
  bench.push(k_text);
  CHECK(bench.arrived(k_text));
}

TEST_CASE("a mount whose scope the token server refuses is not tried") {
  TokenBench bench;
  const BlobRef blob = bench.keep(k_text);
  bench.server.content().put_blob("base", k_text);
  bench.registries().seen(blob.digest, bench.server.domain() + "/base");
  Rule refuses{"GET", "base"};
  refuses.pattern = "/token\\?.*base";
  refuses.times = 100;
  refuses.action.status = 401;
  bench.server.add(refuses);
  bench.push(k_text);
  CHECK(bench.arrived(k_text));
  CHECK(bench.server.log("mount=").empty());
  CHECK(bench.log() == Lines{"HEAD blob 401", "GET /token 200", "HEAD blob 404",
                             "GET /token 401", "GET /token 200", "POST session 202",
                             "PUT upload 1 201"});
  SECTION("nor is it asked for again") {
    bench.server.clear_log();
    const BlobRef next = bench.keep("another");
    bench.registries().seen(next.digest, bench.server.domain() + "/base");
    bench.push("another");
    CHECK(bench.server.log("/token").empty());
    CHECK(bench.server.log("mount=").empty());
  }
}

TEST_CASE("a refused repository does not spoil those that may be mounted from") {
  TokenBench bench;
  Rule refuses{"GET"};
  refuses.pattern = "/token\\?.*closed";
  refuses.times = 100;
  refuses.action.status = 403;
  bench.server.add(refuses);
  const auto push_from = [&](const std::string& text, const std::string& base) {
    const BlobRef blob = bench.keep(text);
    bench.server.content().put_blob(base, text);
    bench.registries().seen(blob.digest, bench.server.domain() + "/" + base);
    bench.push(text);
    return bench.log();
  };
  push_from("one", "open");
  push_from("two", "closed");
  bench.server.clear_log();
  CHECK(push_from("three", "open") ==
        Lines{"HEAD blob 404", "POST session from open 201"});
}

TEST_CASE("a mount has a token for both repositories") {
  TokenBench bench;
  const BlobRef blob = bench.keep(k_text);
  bench.server.content().put_blob("base", k_text);
  bench.registries().seen(blob.digest, bench.server.domain() + "/base");
  bench.push(k_text);
  CHECK(bench.log() == Lines{"HEAD blob 401", "GET /token 200", "HEAD blob 404",
                             "GET /token 200", "POST session from base 201"});
}

TEST_CASE("who may not read the repository to mount from may push all the same") {
  RegistryBench bench({.auth = k_basic});
  bench.login();
  const BlobRef blob = bench.keep(k_text);
  bench.registries().seen(blob.digest, bench.server.domain() + "/base");
  Rule refuses = challenge("POST", "mount=", {"Basic realm=\"x\""});
  refuses.times = 100;
  bench.server.add(refuses);
  bench.push(k_text);
  CHECK(bench.arrived(k_text));
  CHECK(bench.server.log("mount=").size() <= 2);
}

TEST_CASE("a registry that wants no login is shown none") {
  RegistryBench bench;
  bench.login();
  bench.push(k_text);
  CHECK_FALSE(saw_secrets(bench.server));
}

TEST_CASE("who has no login reads anonymously, and is told how to write") {
  RegistryBench bench({.auth = k_bearer, .anonymous_pull = true});
  bench.server.content().put_blob("a/b", k_text);
  CHECK(bench.pull(k_text) == k_text);
  const Failure failure = failure_in([&] { bench.push("new"); });
  CHECK(failure.code == Errc::denied);
  CHECK(has(failure.text, "no credentials (looked in /a/config.json)"));
  CHECK(has(failure.text, "lithify login " + bench.server.domain()));
}
