// run_tests: order, memory of what passed, skipping, waiving, stopping.
#include "builder/test/run_tests.h"

#include <atomic>
#include <set>

#include "oci/base/error.h"
#include "oci/store/memory_store.h"

#include "tests/support/catch.h"
#include "tests/support/trees.h"

namespace lithify {
namespace {

using Outcome = TestResult::Outcome;

struct Bench {
  oci::MemoryStore store;
  oci::SilentReporter silent;
  oci::ImageConfig config;
  std::set<std::string> known;
  std::atomic<int> trees = 0;
  std::atomic<int> performed = 0;
  SequenceResult answer;
  std::vector<TestRecipe> tests;

  Bench() { answer.run.emplace(); }

  TestRecipe& add(const std::string& name) {
    TestRecipe& test = tests.emplace_back();
    test.name = name;
    return test;
  }

  std::vector<TestResult> run(std::stop_token stop = {}) {
    TestContext context{config, store, [this] {
                          ++trees;
                          return testing::tree_of({"f a=text"});
                        }};
    context.perform = [this](const Tree&, const CommandSequence&, oci::Activity&) {
      ++performed;
      return answer;
    };
    context.passed_before = [this](const oci::Digest& key) {
      return known.contains(key.str());
    };
    context.remember = [this](const oci::Digest& key) { known.insert(key.str()); };
    context.clock = [] { return std::chrono::milliseconds(0); };
    context.jobs = 4;
    oci::Activity activity(silent, "test");
    return run_tests(tests, context, activity, stop);
  }
};

}  // namespace

TEST_CASE("results come in the order of the tests, and the tree is made once") {
  Bench bench;
  for (int i = 0; i < 40; ++i)
    bench.add(std::to_string(i)).absent = {i % 3 == 0 ? "/a" : "/b"};
  const auto results = bench.run();
  REQUIRE(results.size() == 40);
  for (int i = 0; i < 40; ++i) {
    CHECK(results[i].name == std::to_string(i));
    CHECK((results[i].outcome == Outcome::failed) == (i % 3 == 0));
  }
  CHECK(bench.trees == 1);
}

TEST_CASE("what passed is not run again, what failed is") {
  Bench bench;
  bench.add("passes").absent = {"/b"};
  bench.add("fails").absent = {"/a"};
  bench.run();
  const auto again = bench.run();
  CHECK(again[0].remembered);
  CHECK(again[0].outcome == Outcome::passed);
  CHECK_FALSE(again[1].remembered);
  CHECK(again[1].outcome == Outcome::failed);
  bench.tests.pop_back();
  bench.trees = 0;
  bench.run();
  CHECK(bench.trees == 0);
}

TEST_CASE("a key names the image and the test, and neither its name nor its place") {
  oci::ImageConfig config;
  TestRecipe test;
  test.absent = {"/a"};
  const oci::Digest key = test_key(test, config);
  TestRecipe same = test;
  same.name = "other";
  same.place = {"lithify.yaml", 4};
  same.waiver = "late";
  CHECK(test_key(same, config) == key);
  oci::ImageConfig later = config;
  later.created = "2026-01-01T00:00:00Z";
  later.history.push_back({"2026-01-01T00:00:00Z", "made"});
  CHECK(test_key(test, later) == key);
  later.env = {{"A", "b"}};
  CHECK(test_key(test, later) != key);
  later = config;
  later.diff_ids = {oci::Digest::of("layer")};
  CHECK(test_key(test, later) != key);
  const auto changed = [&](auto change) {
    TestRecipe other = test;
    change(other);
    return test_key(other, config) != key;
  };
  CHECK(changed([](TestRecipe& t) { t.absent = {"/b"}; }));
  CHECK(changed([](TestRecipe& t) { t.max_size = 5; }));
  CHECK(changed([](TestRecipe& t) { t.exit = 1; }));
  CHECK(changed([](TestRecipe& t) { t.run.emplace().argv = {"/a"}; }));
  CHECK(changed([](TestRecipe& t) { t.before.emplace_back().argv = {"/a"}; }));
  CHECK(changed([](TestRecipe& t) { t.out = {{TextRule::Kind::equals, "x"}}; }));
  CHECK(changed([](TestRecipe& t) { t.files.emplace_back().path = "/a"; }));
  CHECK(changed([](TestRecipe& t) { t.config.emplace().user = "web"; }));
}

TEST_CASE("a waiver makes a failure no obstacle, and does not hide it") {
  Bench bench;
  bench.add("late").absent = {"/a"};
  bench.tests[0].waiver = "fixed next week";
  const auto results = bench.run();
  CHECK(results[0].outcome == Outcome::waived);
  CHECK(results[0].findings.size() == 1);
  CHECK_FALSE(stops_push(results[0]));
  CHECK_FALSE(bench.run()[0].remembered);
}

TEST_CASE("where nothing can be run a test is skipped, with the reason") {
  Bench bench;
  bench.add("runs").run.emplace().argv = {"/a"};
  bench.answer = {};
  bench.answer.unable = {"no command can be run on this machine", "ask for a sandbox"};
  const auto results = bench.run();
  CHECK(results[0].outcome == Outcome::skipped);
  CHECK(results[0].reason == "no command can be run on this machine");
  CHECK(results[0].cure == "ask for a sandbox");
  CHECK(stops_push(results[0]));
  CHECK(bench.known.empty());
}

TEST_CASE("what a failing command wrote is kept, of one that passes nothing is") {
  Bench bench;
  bench.add("runs").run.emplace().argv = {"/a"};
  bench.answer.run->out = {"some\n", 5};
  bench.answer.run->err = {"worse\n", 6};
  CHECK(bench.run()[0].out.empty());
  bench.answer.run->number = 1;
  bench.known.clear();
  const auto results = bench.run();
  CHECK(results[0].out == "some");
  CHECK(results[0].err == "worse");
}

TEST_CASE("a stop ends tests in order") {
  Bench bench;
  bench.add("one").absent = {"/a"};
  std::stop_source stop;
  stop.request_stop();
  CHECK_THROWS_AS(bench.run(stop.get_token()), oci::Cancelled);
}

}  // namespace lithify
