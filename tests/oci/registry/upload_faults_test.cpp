// upload: every way that the push of a blob was seen to go wrong.
#include "oci/registry/upload.h"

#include "tests/support/catch.h"
#include "tests/support/registry_bench.h"

using namespace oci;
using namespace std::chrono_literals;

namespace {

const std::string k_text = "0123456789";

Rule rule(const std::string& method, const std::string& part, Action action) {
  Rule made{method, part};
  made.action = std::move(action);
  return made;
}

Rule cut(const std::string& method, std::uint64_t after) {
  return rule(method, "/uploads/", {.cut_received = after});
}

// Chunks of four bytes.
struct ChunkBench : RegistryBench {
  explicit ChunkBench(RegistryOptions options = {}) : RegistryBench(std::move(options)) {
    settings.chunk_size = 4;
    fail("PUT", "/uploads/1", 413);
  }
};

const Lines k_begin = {"HEAD blob 404", "POST session 202"};

Lines begin_and(Lines rest) {
  rest.insert(rest.begin(), k_begin.begin(), k_begin.end());
  return rest;
}

}  // namespace

TEST_CASE("a blob goes in one PUT, and only once") {
  RegistryBench bench;
  bench.push(k_text);
  CHECK(bench.arrived(k_text));
  CHECK(bench.log() == begin_and({"PUT upload 1 201"}));
  CHECK_FALSE(bench.client().take(bench.store, bench.keep(k_text), bench.activity, {}));
  CHECK(bench.log().size() == 3);
}

TEST_CASE("a blob without bytes goes in one PUT too") {
  RegistryBench bench;
  bench.push("");
  CHECK(bench.arrived(""));
  CHECK(bench.log() == begin_and({"PUT upload 1 201"}));
}

TEST_CASE("a PUT that breaks goes on where the server stands") {
  RegistryBench bench;
  Rule broken = cut("PUT", 4);
  bench.server.add(broken);
  bench.push(k_text);
  CHECK(bench.arrived(k_text));
  CHECK(bench.log() == begin_and({"PUT upload 1 -", "HEAD blob 404", "GET upload 1 204",
                                  "PATCH upload 1 [4-9] 202", "PUT upload 1 201"}));
}

TEST_CASE("a PUT that breaks anywhere arrives in the end") {
  const bool resumable = GENERATE(true, false);
  const std::uint64_t after = GENERATE(0, 1, 9, 10);
  RegistryBench bench({.resumable = resumable});
  Rule broken = cut("PUT", after);
  broken.times = 2;
  bench.server.add(broken);
  CAPTURE(resumable, after);
  bench.push(k_text);
  CHECK(bench.arrived(k_text));
}

TEST_CASE("a PUT whose answer was lost is found by HEAD") {
  RegistryBench bench;
  bench.server.add(rule("PUT", "/uploads/", {.drop_answer = true}));
  bench.push(k_text);
  CHECK(bench.arrived(k_text));
  CHECK(bench.log() == begin_and({"PUT upload 1 -", "HEAD blob 200"}));
  CHECK(bench.server.connections() == 2);
}

TEST_CASE("a PUT that was sent twice, since the first answer was lost, is found too") {
  // What libcurl does when a connection was used before and ends without an answer.
  const std::string code = GENERATE("BLOB_UPLOAD_UNKNOWN", "NOT_FOUND");
  RegistryBench bench;
  bench.server.content().put_blob("a/b", k_text);
  bench.fail("HEAD", "/blobs/", 404);
  Rule gone = rule("PUT", "/uploads/", {.status = 404});
  gone.action.body = R"({"errors":[{"code":")" + code + R"("}]})";
  bench.server.add(gone);
  bench.push(k_text);
  CHECK(bench.log() == begin_and({"PUT upload 1 404", "HEAD blob 200"}));
}

TEST_CASE("one byte and none look the same, and neither is lost") {
  const std::uint64_t got = GENERATE(0, 1);
  RegistryBench bench;
  bench.server.add(cut("PUT", got));
  if (got == 0) bench.fail("HEAD", "/blobs/", 404, 2);
  bench.push(k_text);
  CHECK(bench.arrived(k_text));
  if (got == 0) {
    CHECK(bench.log() == begin_and({"PUT upload 1 -", "HEAD blob 404", "GET upload 1 204",
                                    "PUT upload 1 201"}));
  } else {
    // All of it behind the one byte has another digest.
    CHECK(bench.log() ==
          begin_and({"PUT upload 1 -", "HEAD blob 404", "GET upload 1 204",
                     "PUT upload 1 400", "POST session 202", "PUT upload 2 201"}));
  }
}

TEST_CASE("a chunk of which one byte arrived goes on with the second") {
  ChunkBench bench;
  bench.server.add(rule("PATCH", "/uploads/2", {.cut_received = 1}));
  bench.push(k_text);
  CHECK(bench.arrived(k_text));
  CHECK(bench.log() ==
        begin_and({"PUT upload 1 413", "POST session 202", "PATCH upload 2 [0-3] -",
                   "HEAD blob 404", "GET upload 2 204", "PATCH upload 2 [0-3] 416",
                   "HEAD blob 404", "GET upload 2 204", "PATCH upload 2 [1-4] 202",
                   "PATCH upload 2 [5-8] 202", "PATCH upload 2 [9-9] 202",
                   "PUT upload 2 201"}));
}

TEST_CASE("a session that is lost is followed by a new one") {
  const int status = GENERATE(404, 405, 400, 501, 403);
  RegistryBench bench;
  bench.server.add(cut("PUT", 4));
  bench.fail("GET", "/uploads/", status);
  bench.push(k_text);
  CHECK(bench.arrived(k_text));
  CHECK(bench.log() == begin_and({"PUT upload 1 -", "HEAD blob 404",
                                  "GET upload 1 " + std::to_string(status),
                                  "POST session 202", "PUT upload 2 201"}));
}

TEST_CASE("a registry that breaks off each time is given up") {
  RegistryBench bench({.resumable = false});
  Rule broken = cut("PUT", 4);
  broken.times = 100;
  bench.server.add(broken);
  const Failure failure = failure_in([&] { bench.push(k_text); });
  CHECK(failure.code == Errc::unavailable);
  CHECK(bench.server.log("PUT").size() == 4);
}

TEST_CASE("a session that the server loses between two requests is begun again") {
  ChunkBench bench({.resumable = false});
  Rule lost = rule("PATCH", "/uploads/2", {.drop_answer = true});
  lost.skip = 1;
  bench.server.add(lost);
  bench.push(k_text);
  CHECK(bench.arrived(k_text));
}

TEST_CASE("bytes in the wrong place are asked about once, then sent anew") {
  ChunkBench bench;
  const int times = GENERATE(1, 2);
  Rule misplaced = rule("PATCH", "/uploads/2", {.status = 416});
  misplaced.skip = 1;
  misplaced.times = times;
  bench.server.add(misplaced);
  bench.push(k_text);
  CHECK(bench.arrived(k_text));
  Lines expected =
      begin_and({"PUT upload 1 413", "POST session 202", "PATCH upload 2 [0-3] 202",
                 "PATCH upload 2 [4-7] 416", "HEAD blob 404", "GET upload 2 204"});
  const Lines rest = {"PATCH upload 2 [4-7] 202", "PATCH upload 2 [8-9] 202",
                      "PUT upload 2 201"};
  const Lines anew = {"PATCH upload 2 [4-7] 416", "HEAD blob 404",
                      "POST session 202",         "PATCH upload 3 [0-3] 202",
                      "PATCH upload 3 [4-7] 202", "PATCH upload 3 [8-9] 202",
                      "PUT upload 3 201"};
  expected.insert(expected.end(), times == 1 ? rest.begin() : anew.begin(),
                  times == 1 ? rest.end() : anew.end());
  CHECK(bench.log() == expected);
}

TEST_CASE("a body that is too large goes in chunks, also the next one") {
  ChunkBench bench;
  bench.push(k_text);
  CHECK(bench.arrived(k_text));
  CHECK(bench.log() == begin_and({"PUT upload 1 413", "POST session 202",
                                  "PATCH upload 2 [0-3] 202", "PATCH upload 2 [4-7] 202",
                                  "PATCH upload 2 [8-9] 202", "PUT upload 2 201"}));
  bench.server.clear_log();
  bench.push("abcdef");
  CHECK(bench.log() == begin_and({"PATCH upload 3 [0-3] 202", "PATCH upload 3 [4-5] 202",
                                  "PUT upload 3 201"}));
}

TEST_CASE("chunks become smaller until they pass, or until there is no sense in it") {
  RegistryBench bench;
  const std::string text(3 << 20, 'x');
  bench.fail("PUT", "/uploads/1", 413);
  SECTION("a quarter of what was refused passes") {
    bench.push(text);
    CHECK(bench.arrived(text));
    CHECK(bench.log()[4] == "PATCH upload 2 [0-786431] 202");
    CHECK(bench.log().size() == 9);
  }
  SECTION("a sixteenth is too small") {
    bench.fail("PATCH", "/uploads/", 413, 100);
    const Failure failure = failure_in([&] { bench.push(text); });
    CHECK(failure.text.find("client_max_body_size") != std::string::npos);
    CHECK(bench.server.log("PATCH").size() == 1);
  }
}

TEST_CASE("a server's least chunk is kept") {
  ChunkBench bench({.chunk_minimum = 6});
  bench.push(k_text);
  CHECK(bench.arrived(k_text));
  CHECK(bench.log() ==
        begin_and({"PUT upload 1 413", "POST session 202", "PATCH upload 2 [0-5] 202",
                   "PATCH upload 2 [6-9] 202", "PUT upload 2 201"}));
}

TEST_CASE("a server that loses chunks and does not say so gets another way") {
  ChunkBench bench;
  Rule lost = rule("PATCH", "/uploads/2", {.status = 202});
  lost.skip = 1;
  lost.times = 2;
  bench.server.add(lost);
  bench.push(k_text);
  CHECK(bench.arrived(k_text));
  CHECK(bench.log() ==
        begin_and({"PUT upload 1 413", "POST session 202", "PATCH upload 2 [0-3] 202",
                   "PATCH upload 2 [4-7] 202", "PATCH upload 2 [8-9] 202",
                   "PUT upload 2 400", "POST session 202", "PATCH upload 3 202",
                   "PUT upload 3 201"}));
}

TEST_CASE("a server that refuses one PUT gets one PATCH, then chunks") {
  const int status = GENERATE(400, 404, 405, 411, 501);
  RegistryBench bench;
  bench.settings.chunk_size = 8;
  bench.fail("PUT", "/uploads/1", status);
  SECTION("one PATCH") {
    bench.push(k_text);
    CHECK(bench.log() ==
          begin_and({"PUT upload 1 " + std::to_string(status), "HEAD blob 404",
                     "POST session 202", "PATCH upload 2 202", "PUT upload 2 201"}));
  }
  SECTION("chunks") {
    bench.fail("PATCH", "/uploads/2", status);
    bench.push(k_text);
    const Lines log = bench.log();
    CHECK(Lines(log.end() - 4, log.end()) ==
          Lines{"POST session 202", "PATCH upload 3 [0-7] 202",
                "PATCH upload 3 [8-9] 202", "PUT upload 3 201"});
  }
  CHECK(bench.arrived(k_text));
}

TEST_CASE("bytes that arrive wrong are sent twice, and then told") {
  RegistryBench bench;
  const int times = GENERATE(1, 2);
  Rule wrong = rule("PUT", "/uploads/", {.status = 400});
  wrong.action.body = R"({"errors":[{"code":"DIGEST_INVALID","message":"no"}]})";
  wrong.times = times;
  bench.server.add(wrong);
  const Failure failure = failure_in([&] { bench.push(k_text); });
  CHECK(bench.server.log("PUT").size() == 2);
  CHECK(bench.arrived(k_text) == (times == 1));
  if (times == 2) {
    CHECK(failure.code == Errc::mismatch);
    CHECK(failure.text.find("10 bytes were sent") != std::string::npos);
  }
}

TEST_CASE("a blob that is stored under another name is told") {
  RegistryBench bench;
  Rule other = rule("PUT", "/uploads/", {.status = 201});
  other.action.headers = {{"Docker-Content-Digest", Digest::of("other").str()}};
  bench.server.add(other);
  CHECK(failure_in([&] { bench.push(k_text); }).code == Errc::mismatch);
}

TEST_CASE("a busy registry is waited for") {
  const int status = GENERATE(408, 429, 500, 502, 503, 504, 520, 524);
  const std::string method = GENERATE("HEAD", "POST", "PUT");
  RegistryBench bench;
  bench.fail(method, "/blobs/", status, 3);
  bench.push(k_text);
  CHECK(bench.arrived(k_text));
  CHECK(bench.server.log(method).size() >= 4);
}

TEST_CASE("a registry that stays busy is told with what it says") {
  RegistryBench bench;
  Rule busy = rule("POST", "/uploads/", {.status = 503});
  busy.times = 100;
  busy.action.body = "<html><title>Down for a while</title></html>";
  bench.server.add(busy);
  const Failure failure = failure_in([&] { bench.push(k_text); });
  CHECK(failure.code == Errc::unavailable);
  CHECK(failure.text.find("Down for a while") != std::string::npos);
  CHECK(bench.server.log("POST").size() == 4);
}

TEST_CASE("all of a run has one budget of tries") {
  RegistryBench bench;
  bench.settings.retry_budget = 2;
  bench.fail("HEAD", "/blobs/", 503, 2);
  bench.fail("PUT", "/uploads/", 503, 1);
  CHECK(failure_in([&] { bench.push(k_text); }).code == Errc::unavailable);
}

TEST_CASE("an answer that comes before the body counts") {
  RegistryBench bench;
  Rule early = rule("PUT", "/uploads/", {.status = 413, .early = true});
  bench.server.add(early);
  bench.settings.chunk_size = 1 << 20;
  const std::string text(3 << 20, 'x');
  bench.push(text);
  CHECK(bench.arrived(text));
  CHECK(bench.server.log("PATCH").size() == 3);
}

TEST_CASE("a server that is asked before sending may not answer, or say no to that") {
  RegistryBench bench;
  const std::string text(2 << 20, 'x');
  SECTION("417") {
    bench.server.add(rule("PUT", "/uploads/", {.status = 417, .early = true}));
  }
  SECTION("silence") {
    bench.server.add(rule("PUT", "/uploads/", {.no_continue = true}));
  }
  bench.push(text);
  CHECK(bench.arrived(text));
}

TEST_CASE("a connection that the server closes after an answer is opened again") {
  RegistryBench bench;
  bench.server.add(rule("POST", "/uploads/", {.close = true}));
  bench.push(k_text);
  CHECK(bench.log() == begin_and({"PUT upload 1 201"}));
  CHECK(bench.server.connections() == 2);
}

TEST_CASE("a body that is cut twice at the same place goes in chunks") {
  // Something on the way that lets 2 MiB through and does not say so.
  class Cutter final : public HttpClient {
   public:
    HttpResponse send(const HttpRequest& request, Sink& body,
                      std::stop_token stop) override {
      constexpr std::uint64_t k_limit = 2 << 20;
      if (!request.body || request.body->size <= k_limit)
        return next->send(request, body, std::move(stop));
      ++cuts;
      const auto source = request.body->open(0);
      std::vector<std::byte> buffer(64 * 1024);
      for (std::uint64_t got = 0; got < k_limit;)
        got += source->read(buffer);
      throw Error(Errc::unavailable, "the connection was reset");
    }
    std::unique_ptr<HttpClient> next = curl_http_client();
    int cuts = 0;
  };
  RegistryBench bench;
  auto cutter = std::make_unique<Cutter>();
  const Cutter& seen = *cutter;
  bench.http.next = std::move(cutter);
  bench.settings.chunk_size = 2 << 20;
  const std::string text(5 << 20, 'x');
  bench.push(text);
  CHECK(bench.arrived(text));
  CHECK(seen.cuts == 2);
  CHECK(bench.server.log("PATCH").size() == 3);
}
