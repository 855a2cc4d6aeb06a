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

// libcurl sends a request again by itself when a connection that was used before ends
// without an answer; so the faults come twice.
TEST_CASE("a PUT that breaks goes on where the server stands") {
  RegistryBench bench;
  Rule broken = cut("PUT", 4);
  bench.server.add(broken);
  bench.push(k_text);
  CHECK(bench.arrived(k_text));
  CHECK(bench.log() == begin_and({"PUT upload 1 -", "PUT upload 1 416", "HEAD blob 404",
                                  "GET upload 1 204", "PATCH upload 1 [4-9] 202",
                                  "PUT upload 1 201"}));
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
