// curl_http_client: against a server on the loopback interface.
#include <cstdlib>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/registry/http_client.h"
#include "oci/registry/http_get.h"

#include "tests/support/catch.h"
#include "tests/support/loopback_server.h"

using namespace oci;

namespace {

std::string ok(const std::string& body, const std::string& headers = "") {
  return fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{}\r\n{}", body.size(),
                     headers, body);
}

std::string moved(const std::string& to) {
  return fmt::format(
      "HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 4\r\n\r\nmove", to);
}

std::string answer(const std::string& head) {
  const std::string path = head.substr(4, head.find(' ', 4) - 4);
  if (path == "/plain") return ok("0123456789");
  if (path == "/head") return ok(head);
  if (path == "/range" && head.find("Range: bytes=4-") != std::string::npos) {
    return "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 4-9/10\r\n"
           "Content-Length: 6\r\n\r\n456789";
  }
  if (path == "/liar") {
    return "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-9/10\r\n"
           "Content-Length: 8\r\n\r\n23456789";
  }
  if (path == "/short") {
    return "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\n0123";
  }
  if (path == "/away") return moved("/plain");
  if (path == "/loop") return moved("/loop");
  if (path == "/file") return moved("file:///etc/passwd");
  if (path == "/busy") {
    return "HTTP/1.1 429 Wait\r\nRetry-After: 7\r\nContent-Length: 3\r\n\r\nno!";
  }
  if (path == "/stall") return "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0";
  if (path == "/reset") return "";
  return "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone";
}

struct World {
  LoopbackServer server{answer};
  std::unique_ptr<HttpClient> client = curl_http_client();
  StringSink body;

  GetResponse get(const std::string& path, std::uint64_t offset = 0,
                  std::uint64_t max_bytes = 0) {
    GetRequest request{server.url(path), offset, max_bytes};
    request.stall_timeout = std::chrono::seconds(1);
    return http_get(*client, request, body, {});
  }
  Errc failure(const std::string& path, std::uint64_t offset = 0,
               std::uint64_t max_bytes = 0) {
    try {
      get(path, offset, max_bytes);
    } catch (const Error& e) {
      return e.code();
    }
    return Errc::internal;
  }
};

}  // namespace

TEST_CASE("a page arrives, over one connection") {
  World world;
  for (int i = 0; i < 3; ++i) {
    const GetResponse response = world.get("/plain");
    CHECK(response.status == 200);
    CHECK(response.bytes == 10);
  }
  CHECK(world.body.text == "012345678901234567890123456789");
  CHECK(world.server.connections() == 1);
}

TEST_CASE("a request tells nothing about us and wants plain bytes") {
  World world;
  world.get("/head");
  CHECK(world.body.text.find("User-Agent: lithify\r\n") != std::string::npos);
  CHECK(world.body.text.find("Accept-Encoding: identity\r\n") != std::string::npos);
}

TEST_CASE("a body can start in the middle") {
  World world;
  SECTION("when the server knows ranges") {
    CHECK(world.get("/range", 4).status == 206);
    CHECK(world.body.text == "456789");
  }
  SECTION("and when it does not") {
    CHECK(world.get("/plain", 4).status == 200);
    CHECK(world.body.text == "456789");
  }
  SECTION("but not behind the end") {
    CHECK(world.get("/plain", 11).status == 416);
  }
  SECTION("and not elsewhere") {
    CHECK(world.get("/liar", 4).status == 416);
    CHECK(world.body.text.empty());
  }
}

TEST_CASE("an answer that is no body is a value") {
  World world;
  CHECK(world.get("/none").status == 404);
  const GetResponse busy = world.get("/busy");
  CHECK(busy.status == 429);
  CHECK(busy.retry_after == std::chrono::seconds(7));
  CHECK(world.body.text.empty());
}

TEST_CASE("redirects are followed a few times, to http and https only") {
  World world;
  const GetResponse response = world.get("/away");
  CHECK(response.final_url == world.server.url("/plain"));
  CHECK(world.body.text == "0123456789");
  CHECK(world.failure("/loop") == Errc::unavailable);
  CHECK(world.failure("/file") == Errc::unavailable);
}

TEST_CASE("a connection that fails is unavailable") {
  World world;
  CHECK(world.failure("/short") == Errc::unavailable);
  CHECK(world.failure("/reset") == Errc::unavailable);
  CHECK(world.failure("/stall") == Errc::unavailable);
}

TEST_CASE("a request may have a time for all of it") {
  World world;
  HttpRequest request{world.server.url("/stall")};
  request.total_timeout = std::chrono::seconds(1);
  const auto start = std::chrono::steady_clock::now();
  CHECK_THROWS_AS(world.client->send(request, world.body, {}), Error);
  CHECK(std::chrono::steady_clock::now() - start < request.stall_timeout);
}

TEST_CASE("a body has a limit") {
  World world;
  CHECK(world.failure("/plain", 0, 9) == Errc::bad_input);
  CHECK(world.get("/plain", 0, 10).status == 200);
}

TEST_CASE("what the sink throws comes out, and the client lives on") {
  struct Full final : Sink {
    void write(Bytes) override { throw Error(Errc::machine, "full"); }
  } full;
  World world;
  CHECK_THROWS_AS(world.client->send({world.server.url("/plain")}, full, {}), Error);
  CHECK(world.get("/plain").status == 200);
}

TEST_CASE("a stopped request is cancelled") {
  World world;
  std::stop_source stop;
  stop.request_stop();
  CHECK_THROWS_AS(
      world.client->send({world.server.url("/plain")}, world.body, stop.get_token()),
      Cancelled);
}

TEST_CASE("only http and https URLs without blanks are asked") {
  const auto client = curl_http_client();
  NullSink sink;
  CHECK_THROWS_AS(client->send({"file:///etc/passwd"}, sink, {}), Error);
  CHECK_THROWS_AS(client->send({"http://a/b c"}, sink, {}), Error);
  CHECK_THROWS_AS(client->send({"http://a/b\r\nX: y"}, sink, {}), Error);
}

TEST_CASE("a URL for people hides what is secret") {
  CHECK(url_for_people("https://me:pw@host:8080/a/b?token=1#x") ==
        "https://host:8080/a/b");
  CHECK(url_for_people("http://host/a@b") == "http://host/a@b");
  CHECK(url_for_people("nonsense") == "nonsense");
}
