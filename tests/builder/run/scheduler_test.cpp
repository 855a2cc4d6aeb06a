// scheduler: which steps run, in which order, and what a failure does.
#include "builder/run/scheduler.h"

#include <atomic>
#include <thread>

#include "oci/base/error.h"

#include "builder/run/fetched_tree.h"

#include "tests/support/catch.h"
#include "tests/support/fake_executor.h"
#include "tests/support/trees.h"

using lithify::Graph;
using lithify::StepIndex;
using lithify::Tree;
using lithify::testing::FakeExecutor;
using lithify::testing::MemoryStepCache;
using lithify::testing::shape_of;
using lithify::testing::tree_of;

namespace {

lithify::Step edit_step(const std::string& label, std::vector<StepIndex> inputs) {
  lithify::FileStep file;
  file.path = "/" + label;
  lithify::Edit edit;
  edit.actions.emplace_back(lithify::WriteAction{file});
  lithify::Step step;
  step.operation = edit;
  step.inputs = std::move(inputs);
  step.place = {"lithify.yaml", 7, 3, 4};
  step.label = label;
  return step;
}

lithify::Step fetch_step(const std::string& label) {
  lithify::Step step;
  step.operation =
      lithify::Fetch{"https://example/x", oci::Digest::of(label), 5, label + ".deb"};
  step.label = label;
  return step;
}

lithify::Step import_step(const std::string& label) {
  lithify::Step step;
  lithify::Import import;
  import.path = "/" + label;
  step.operation = import;
  step.label = label;
  return step;
}

struct Bench {
  Graph graph;
  FakeExecutor executor;
  MemoryStepCache cache;
  std::stop_source stop;

  StepIndex edit(
      const std::string& label, std::vector<StepIndex> inputs,
      FakeExecutor::Result result = [](auto, auto) { return Tree(); }) {
    executor.on(label, std::move(result));
    return graph.add(edit_step(label, std::move(inputs)));
  }
  StepIndex fetch(const std::string& label) {
    const lithify::Step step = fetch_step(label);
    const Tree tree = lithify::fetched_tree(std::get<lithify::Fetch>(step.operation));
    executor.on(label, [tree](auto, auto) { return tree; });
    return graph.add(step);
  }
  std::vector<Tree> run(unsigned jobs = 4) {
    oci::SilentReporter silent;
    oci::Activity activity(silent, "build");
    return run_graph(graph, executor, cache, jobs, activity, stop.get_token());
  }
  // How the steps of a run ended, in that order.
  std::vector<oci::Outcome> outcomes() {
    struct Listener final : oci::ProgressReporter {
      void started(oci::ActivityId, oci::ActivityId, std::string_view) noexcept override {
      }
      void advanced(oci::ActivityId, std::uint64_t, std::uint64_t) noexcept override {}
      void output(oci::ActivityId, std::string_view) noexcept override {}
      void warned(oci::ActivityId, std::string_view) noexcept override {}
      void ended(oci::ActivityId, oci::Outcome how) noexcept override {
        outcomes.push_back(how);
      }
      std::vector<oci::Outcome> outcomes;
    } listener;
    oci::Activity activity(listener, "build");
    run_graph(graph, executor, cache, 1, activity, stop.get_token());
    return listener.outcomes;
  }
  std::string failure(unsigned jobs = 4) {
    try {
      run(jobs);
    } catch (const oci::Error& e) {
      CHECK(e.place().line == 7);
      return e.what();
    }
    return "no failure";
  }
};

FakeExecutor::Result fails(const std::string& message) {
  return
      [message](auto, auto) -> Tree { throw oci::Error(oci::Errc::bad_input, message); };
}

}  // namespace

TEST_CASE("each step gets its inputs' trees, and results come in the graph's order") {
  for (const unsigned jobs : {1U, 2U, 8U}) {
    Bench bench;
    const auto a = bench.edit("a", {}, [](auto, auto) { return tree_of({"f a=1"}); });
    const auto b = bench.edit("b", {}, [](auto, auto) { return tree_of({"f b=1"}); });
    bench.edit("both", {b, a, b}, [](std::span<const Tree> inputs, auto) {
      REQUIRE(inputs.size() == 3);
      return merge(inputs, false);
    });
    const auto trees = bench.run(jobs);
    REQUIRE(trees.size() == 3);
    CHECK(shape_of(trees[0]) == "f a\n");
    CHECK(shape_of(trees[1]) == "f b\n");
    CHECK(shape_of(trees[2]) == "f a\nf b\n");
  }
}

TEST_CASE("an empty graph gives nothing") {
  Bench bench;
  CHECK(bench.run().empty());
}

TEST_CASE("what is remembered does not run again") {
  Bench bench;
  const auto a = bench.edit("a", {}, [](auto, auto) { return tree_of({"f a=1"}); });
  bench.edit("b", {a}, [](auto, auto) { return tree_of({"f b=1"}); });
  const auto first = bench.run();
  CHECK(bench.executor.ran().size() == 2);
  const auto second = bench.run();
  CHECK(bench.executor.ran().size() == 2);
  CHECK(second[1].digest() == first[1].digest());
}

TEST_CASE("a step whose input changed runs again, if the input's tree changed") {
  Bench bench;
  bench.executor.on("src", [](auto, auto) { return tree_of({"f x=1"}); });
  const auto source = bench.graph.add(import_step("src"));
  bench.edit("use", {source});
  bench.run();
  bench.run();
  CHECK(bench.executor.ran() == std::vector<std::string>{"src", "use", "src"});
  bench.executor.on("src", [](auto, auto) { return tree_of({"f x=2"}); });
  bench.run();
  CHECK(bench.executor.ran().size() == 5);
}

TEST_CASE("trees with files of the user's are never remembered") {
  Bench bench;
  bench.edit("local", {}, [](auto, auto) {
    lithify::Node node;
    node.content = lithify::LocalFile{std::string_view("/a"), 1, oci::Digest::of("a")};
    return Tree(Tree::Nodes{{"a", node}});
  });
  bench.run();
  bench.run();
  CHECK(bench.cache.size() == 0);
  CHECK(bench.executor.ran().size() == 2);
}

TEST_CASE("what gives the user's files again as before counts as cached") {
  Bench bench;
  bench.edit("local", {}, [](auto, auto) {
    lithify::Node node;
    node.content = lithify::LocalFile{std::string_view("/a"), 1, oci::Digest::of("a")};
    return Tree(Tree::Nodes{{"a", node}});
  });
  CHECK(bench.outcomes() == std::vector{oci::Outcome::done});
  CHECK(bench.outcomes() == std::vector{oci::Outcome::cached});
}

TEST_CASE("a fetch runs only when a step that is not remembered wants it") {
  Bench bench;
  const auto one = bench.fetch("one");
  const auto two = bench.fetch("two");
  bench.fetch("alone");
  const auto used = bench.edit("used", {one}, [](std::span<const Tree> inputs, auto) {
    CHECK(shape_of(inputs[0]) == "f one.deb\n");
    return Tree();
  });
  bench.edit("both", {used, one, two});
  const auto first = bench.run(1);
  CHECK(bench.executor.ran().size() == 5);
  bench.run(1);
  CHECK(bench.executor.ran().size() == 6);  // "alone" has no user: it is a result
  bench.edit("late", {two});
  const auto trees = bench.run(3);
  CHECK(bench.executor.ran().size() == 9);  // "alone", "two" and "late"
  CHECK(shape_of(trees[0]) == "f one.deb\n");
}

TEST_CASE("of several failures the lowest step's is told, whatever the timing") {
  for (int round = 0; round < 20; ++round) {
    Bench bench;
    std::atomic<bool> late_failed = false;
    const auto slow = bench.edit("slow", {}, [&](auto, std::stop_token stop) -> Tree {
      while (!late_failed)
        std::this_thread::yield();
      CHECK_FALSE(stop.stop_requested());
      throw oci::Error(oci::Errc::bad_input, "slow failed");
    });
    bench.edit("never", {slow}, fails("never runs"));
    bench.edit("fast", {}, [&](auto, auto) -> Tree {
      late_failed = true;
      throw oci::Error(oci::Errc::bad_input, "fast failed");
    });
    CHECK(bench.failure() == "slow failed");
  }
}

TEST_CASE("steps that failed beside the one that is told are told too") {
  Bench bench;
  std::atomic<int> begun = 0;
  for (const char* name : {"one", "two"}) {
    bench.edit(name, {}, [&begun, name](auto, auto) -> Tree {
      ++begun;
      while (begun < 2)
        std::this_thread::yield();
      throw oci::Error(oci::Errc::failed, std::string(name) + " failed")
          .add_note("its log is there");
    });
  }
  try {
    bench.run(2);
    FAIL("nothing failed");
  } catch (const oci::Error& error) {
    CHECK(error.what() == std::string("one failed"));
    CHECK(error.notes() == std::vector<std::string>{
                               "its log is there", "also: two failed; its log is there"});
  }
}

TEST_CASE("a failure stops the steps after it") {
  Bench bench;
  std::atomic<bool> started = false;
  bench.edit("bad", {}, [&](auto, auto) -> Tree {
    while (!started)
      std::this_thread::yield();
    throw oci::Error(oci::Errc::bad_input, "bad failed");
  });
  bench.edit("long", {}, [&](auto, std::stop_token stop) -> Tree {
    started = true;
    while (!stop.stop_requested())
      std::this_thread::yield();
    throw oci::Cancelled();
  });
  CHECK(bench.failure(2) == "bad failed");
}

TEST_CASE("steps that have not begun when another fails never begin") {
  Bench bench;
  bench.edit("bad", {}, fails("bad failed"));
  bench.edit("later", {});
  CHECK(bench.failure(1) == "bad failed");
  CHECK(bench.executor.ran() == std::vector<std::string>{"bad"});
}

TEST_CASE("stopping cancels the build") {
  Bench bench;
  bench.edit("long", {}, [&](auto, std::stop_token stop) -> Tree {
    bench.stop.request_stop();
    while (!stop.stop_requested())
      std::this_thread::yield();
    throw oci::Cancelled();
  });
  CHECK_THROWS_AS(bench.run(), oci::Cancelled);
}

TEST_CASE("many steps on many threads all run once") {
  Bench bench;
  std::vector<StepIndex> all;
  for (int i = 0; i < 300; ++i) {
    std::vector<StepIndex> inputs;
    if (i > 0) inputs.push_back(all[i / 2]);
    if (i > 10) inputs.push_back(all[i - 7]);
    if (i % 5 == 0) inputs.push_back(bench.fetch("fetch" + std::to_string(i)));
    all.push_back(bench.edit("step" + std::to_string(i), inputs));
  }
  bench.run(8);
  CHECK(bench.executor.ran().size() == 360);
}
