// server_error: what registries and those in between say when they refuse.
#include "oci/registry/server_error.h"

#include "tests/support/catch.h"

using namespace oci;

namespace {

HttpResponse refused(int status, std::string body, const std::string& type = "") {
  HttpResponse answer;
  answer.status = status;
  answer.problem = std::move(body);
  if (!type.empty()) answer.headers.emplace_back("content-type", type);
  return answer;
}

// "CODE|message" of each problem.
std::vector<std::string> told(const std::string& body, const std::string& type = "") {
  std::vector<std::string> lines;
  for (const ServerProblem& problem : read_problems(refused(400, body, type)))
    lines.push_back(problem.code + "|" + problem.message);
  return lines;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("errors are read as the specification writes them") {
  CHECK(told(R"({"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"},
                           {"code":"DENIED","message":"no"}]})") ==
        Lines{"MANIFEST_UNKNOWN|manifest unknown", "DENIED|no"});
  CHECK(told(R"({"errors":[{"code":"UNSUPPORTED"}]})") == Lines{"UNSUPPORTED|"});
}

TEST_CASE("details are told when they are words or name a blob") {
  CHECK(told(R"({"errors":[{"code":"X","message":"m","detail":"why"}]})") ==
        Lines{"X|m (why)"});
  CHECK(
      told(R"({"errors":[{"code":"X","message":"m","detail":{"Digest":"sha256:a"}}]})") ==
      Lines{"X|m (sha256:a)"});
  CHECK(told(R"({"errors":[{"code":"X","message":"m","detail":[{"Type":"r"}]}]})") ==
        Lines{"X|m"});
  CHECK(told(R"({"errors":[{"code":"X","detail":"why"}]})") == Lines{"X|why"});
  CHECK(told(R"({"errors":[{"code":"X","message":"see why","detail":"why"}]})") ==
        Lines{"X|see why"});
}

TEST_CASE("what servers send instead of a list is understood") {
  CHECK(told(R"({"errors":{"code":"DENIED","message":"no"}})") == Lines{"DENIED|no"});
  CHECK(told(R"({"errors":["no"]})") == Lines{"|no"});
  CHECK(told(R"({"errors":[],"message":"no"})") == Lines{"|no"});
  CHECK(told(R"({"message":"Not Found"})") == Lines{"|Not Found"});
  CHECK(told(R"({"error":"invalid_scope","error_description":"no such scope"})") ==
        Lines{"|no such scope"});
  CHECK(told(R"({"details":"incorrect username or password"})") ==
        Lines{"|incorrect username or password"});
  CHECK(told(R"("no")") == Lines{"|no"});
}

TEST_CASE("values of unexpected types are passed over") {
  CHECK(told(R"({"errors":[1,null,[],{"code":7,"message":{}},{"code":"A"}]})") ==
        Lines{"A|"});
  CHECK(told(R"({"errors":null})").empty());
  CHECK(told("{}").empty());
  CHECK(told("[]").empty());
}

TEST_CASE("a long list of errors is cut") {
  std::string body = R"({"errors":[{"code":"A"})";
  for (int i = 0; i < 1000; ++i)
    body += R"(,{"code":"A"})";
  CHECK(told(body + "]}").size() == 8);
}

TEST_CASE("broken JSON is told as text") {
  CHECK(told(R"({"errors":[{"code":"DEN)") == Lines{R"(|{"errors":[{"code":"DEN)"});
  CHECK(told(R"({"message":"a","message":"b"})").size() == 1);
  CHECK(told(std::string(60000, '[')).front().size() <= 401);
}

TEST_CASE("plain text is told in one line") {
  CHECK(told("  upstream \n\t down\r\n") == Lines{"|upstream down"});
  CHECK(told("").empty());
  CHECK(told(" \r\n ").empty());
}

TEST_CASE("bytes that are no text are not told") {
  CHECK(told(std::string("\x1f\x8b\x08\x00 abc", 8)).empty());
  CHECK(told(std::string("a\0b", 3)).empty());
}

TEST_CASE("of a web page its title is told") {
  CHECK(told("<!DOCTYPE html><html><head><TITLE lang=en>502 Bad\n Gateway</TITLE></head>"
             "<body>long</body></html>") == Lines{"|502 Bad Gateway"});
  CHECK(told("oops <title>A &amp;lt; B</title>", "text/html; charset=utf-8") ==
        Lines{"|A &lt; B"});
  CHECK(told("<html><body>nothing to say</body></html>").empty());
  CHECK(told("<html><title>never closed").empty());
  CHECK(told("<html></title><title").empty());
}

TEST_CASE("of a storage service code and message are told") {
  CHECK(told("<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code>"
             "<Message>Request has expired</Message></Error>") ==
        Lines{"AccessDenied|Request has expired"});
}

TEST_CASE("a code is found among several") {
  const HttpResponse answer =
      refused(400, R"({"errors":[{"code":"A"},{"code":"TAG_INVALID"}]})");
  CHECK(has_code(answer, "TAG_INVALID"));
  CHECK_FALSE(has_code(answer, "TAG"));
  CHECK_FALSE(has_code(refused(400, "TAG_INVALID"), "TAG_INVALID"));
}

TEST_CASE("text of strangers cannot move the cursor or turn around") {
  CHECK(harmless("a\x1b[31mb\nc\x7f") == "a?[31mb?c?");
  CHECK(harmless("a\u202eb\u2066c\u200fd\u0085e") == "a?b?c?d?e");
  CHECK(harmless("a\xff\xc3(b\xc0\x80\xed\xa0\x80") ==
        "a?"
        "?(b?????");
  CHECK(harmless("\xe2\x82") == "??");
  CHECK(harmless("größe €") == "größe €");
  CHECK(harmless("") == "");
}

TEST_CASE("text of strangers is cut between characters") {
  CHECK(harmless("abcdefgh", 8) == "abcdefgh");
  CHECK(harmless("abcdefghi", 8) == "abcde…");
  CHECK(harmless("ab€€€", 8) == "ab€…");
  CHECK(harmless("abc", 2) == "ab");
  CHECK(harmless(std::string(1000, 'a')).size() == 400);
  CHECK(told(std::string(1000, 'a')).front().size() == 401);
}

TEST_CASE("an error names the host, the status and what the server says") {
  const Error e = server_error(
      refused(400, R"({"errors":[{"code":"MANIFEST_INVALID","message":"no layers"},
                                 {"message":"and no config"}]})"),
      "https://user:pw@registry.example:5000/v2/a/manifests/1?x=secret",
      "pushing the manifest a:1");
  CHECK(e.what() == std::string("pushing the manifest a:1: registry.example:5000 answers "
                                "400 MANIFEST_INVALID: no layers"));
  CHECK(e.code() == Errc::bad_input);
  CHECK(e.notes() == Lines{"registry.example:5000 also says and no config"});
}

TEST_CASE("an error says what can be said of an empty answer") {
  const auto message = [](int status, const std::string& body = "") {
    return std::string(
        server_error(refused(status, body), "https://r.example/v2/", "asking").what());
  };
  CHECK(message(503) == "asking: r.example answers 503 (service unavailable)");
  CHECK(message(418) == "asking: r.example answers 418");
  CHECK(message(500, "boom") == "asking: r.example answers 500: boom");
}

TEST_CASE("an error has the kind of its status") {
  const auto kind = [](int status) {
    return server_error(refused(status, ""), "https://r/", "asking").code();
  };
  CHECK(kind(401) == Errc::denied);
  CHECK(kind(403) == Errc::denied);
  CHECK(kind(404) == Errc::not_found);
  CHECK(kind(408) == Errc::unavailable);
  CHECK(kind(429) == Errc::unavailable);
  CHECK(kind(500) == Errc::unavailable);
  CHECK(kind(599) == Errc::unavailable);
  CHECK(kind(405) == Errc::bad_input);
  CHECK(kind(302) == Errc::bad_input);
}

TEST_CASE("an error warns of web pages and passes on what the server asks for") {
  HttpResponse answer = refused(503, "<html><title>Log in</title></html>");
  answer.retry_after = std::chrono::seconds(7);
  const Error e = server_error(answer, "https://r.example/v2/", "asking");
  CHECK(e.what() == std::string("asking: r.example answers 503: Log in"));
  CHECK(e.notes() == Lines{"the answer is a web page, so it may come from a proxy or a "
                           "login portal rather than from the registry",
                           "r.example asks to wait 7 s"});
}
