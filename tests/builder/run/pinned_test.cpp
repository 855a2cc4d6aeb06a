// What is told when a pinned command makes something else.
#include "builder/run/pinned.h"

#include "oci/base/error.h"
#include "oci/store/memory_store.h"

#include "tests/support/catch.h"

using lithify::Node;
using lithify::PinTools;
using lithify::Run;
using lithify::Step;
using lithify::Tree;

namespace {

class Bench {
 public:
  Tree tree(const std::map<std::string, std::string>& files) {
    Tree::Nodes nodes;
    for (const auto& [path, text] : files) {
      Node node;
      node.attributes = {0644, 0, 0, lithify::k_constant_time, {}};
      const oci::BlobRef blob = oci::put(store, text);
      node.content = lithify::Slice{blob, 0, blob.size};
      nodes.emplace(path, std::move(node));
    }
    return Tree(std::move(nodes));
  }

  static Step pinned_to(std::optional<oci::Digest> tree) {
    Run run;
    run.what.network = lithify::Network::pinned;
    run.pinned = tree;
    run.lock_key = "stage:deps/0/linux/amd64";
    Step step;
    step.operation = run;
    step.label = "run fetch";
    return step;
  }

  oci::Error failure(const Tree& locked, const Tree& made, const PinTools& tools) {
    try {
      lithify::hold_to_pin(pinned_to(locked.digest()), made, store, tools);
    } catch (const oci::Error& error) {
      return error;
    }
    FAIL("nothing was thrown");
    return oci::Error(oci::Errc::internal, "");
  }

  oci::MemoryStore store;
};

}  // namespace

TEST_CASE("what no lock knows is told to who writes it") {
  Bench bench;
  const Tree made = bench.tree({{"a", "1"}});
  std::map<std::string, oci::Digest> found;
  const PinTools tools{.found = [&](const std::string& key, const oci::Digest& tree) {
    found.emplace(key, tree);
  }};
  lithify::hold_to_pin(Bench::pinned_to(std::nullopt), made, bench.store, tools);
  REQUIRE(found.size() == 1);
  CHECK(found.begin()->first == "stage:deps/0/linux/amd64");
  CHECK(found.begin()->second == made.digest());
  lithify::hold_to_pin(Bench::pinned_to(made.digest()), made, bench.store, tools);
  CHECK(found.size() == 1);
}

TEST_CASE("what differs from the lock is told by file") {
  Bench bench;
  const Tree locked = bench.tree({{"a", "1"}, {"gone", "x"}, {"same", "y"}});
  const Tree made = bench.tree({{"a", "2"}, {"new", "x"}, {"same", "y"}});
  const PinTools tools{.made_before = [&](const oci::Digest& digest) {
    CHECK(digest == locked.digest());
    return std::optional(locked);
  }};
  const oci::Error error = bench.failure(locked, made, tools);
  CHECK(error.code() == oci::Errc::mismatch);
  CHECK(std::string(error.what()) ==
        "`run fetch` made something else than the lock says");
  REQUIRE(error.notes().size() == 4);
  CHECK(error.notes()[0] == "/a: its content at byte 0 differs");
  CHECK(error.notes()[1] == "/gone: it was there, and is not now");
  CHECK(error.notes()[2] == "/new: it was not there");
  CHECK(error.hint().find("`lithify lock --update stage:deps`") != std::string::npos);
}

TEST_CASE("of many files some are told") {
  Bench bench;
  std::map<std::string, std::string> files;
  for (int i = 0; i < 50; ++i)
    files.emplace("f" + std::to_string(i), "x");
  const Tree locked = bench.tree({});
  const PinTools tools{
      .made_before = [&](const oci::Digest&) { return std::optional(locked); }};
  const oci::Error error = bench.failure(locked, bench.tree(files), tools);
  REQUIRE(error.notes().size() == 22);
  CHECK(error.notes()[20] == "and 30 more");
}

TEST_CASE("where nothing is left to compare with, that is told") {
  Bench bench;
  const Tree made = bench.tree({{"a", "2"}});
  const Tree locked = bench.tree({{"a", "1"}});
  for (const PinTools& tools :
       {PinTools{}, PinTools{.made_before = [](const oci::Digest&) {
          return std::optional<Tree>();
        }}}) {
    const oci::Error error = bench.failure(locked, made, tools);
    REQUIRE(error.notes().size() == 2);
    CHECK(error.notes()[0] ==
          "what it made before is not in the store, to be compared with");
  }
}
