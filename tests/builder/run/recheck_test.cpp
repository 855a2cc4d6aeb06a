// Which results are kept from whoever asks, until they were checked.
#include "builder/run/recheck.h"

#include "tests/support/catch.h"
#include "tests/support/fake_executor.h"

using lithify::Rechecks;
using lithify::Step;
using lithify::Tree;

namespace {

Step command(lithify::Network network = lithify::Network::none) {
  lithify::Run run;
  run.what.argv = {"/bin/true"};
  run.what.network = network;
  Step step;
  step.operation = run;
  return step;
}

Tree tree(const std::string& name) {
  Tree::Nodes nodes;
  nodes.emplace(name, lithify::Node());
  return Tree(std::move(nodes));
}

const oci::Digest k_key = oci::Digest::of("a step");

struct Bench {
  explicit Bench(Rechecks::Demand demand)
      : rechecks([demand](const Step&) { return demand; }),
        cache(std::make_unique<lithify::testing::MemoryStepCache>(), rechecks) {}
  Rechecks rechecks;
  lithify::RecheckCache cache;
};

}  // namespace

TEST_CASE("a result that is to be checked once is found again when it was") {
  Bench bench(Rechecks::Demand::once);
  const Step step = command();
  CHECK_FALSE(bench.cache.find(k_key, step));
  CHECK_FALSE(bench.rechecks.known(k_key));
  bench.cache.remember(k_key, step, tree("a"));
  CHECK(bench.cache.find(k_key, step)->digest() == tree("a").digest());
}

TEST_CASE("a result that nobody checked is known to the check and to nobody else") {
  auto own = std::make_unique<lithify::testing::MemoryStepCache>();
  const Step step = command();
  own->remember(k_key, step, tree("a"));
  Rechecks rechecks([](const Step&) { return Rechecks::Demand::once; });
  lithify::RecheckCache cache(std::move(own), rechecks);
  CHECK_FALSE(cache.find(k_key, step));
  CHECK(rechecks.known(k_key)->digest() == tree("a").digest());
}

TEST_CASE("what is asked for by name is performed again each time") {
  Bench bench(Rechecks::Demand::again);
  const Step step = command();
  bench.cache.remember(k_key, step, tree("a"));
  CHECK_FALSE(bench.cache.find(k_key, step));
}

TEST_CASE("commands with a network, and what is no command, are never checked") {
  Bench bench(Rechecks::Demand::again);
  CHECK(bench.rechecks.demand(command(lithify::Network::pinned)) ==
        Rechecks::Demand::none);
  CHECK(bench.rechecks.demand(Step()) == Rechecks::Demand::none);
  CHECK(bench.rechecks.demand(command()) == Rechecks::Demand::again);
}

TEST_CASE("what cannot be varied is told") {
  Bench bench(Rechecks::Demand::again);
  lithify::Variation some;
  some.add(lithify::Varied::clock);
  bench.rechecks.checked(some);
  CHECK(bench.rechecks.count() == 1);
  CHECK(bench.rechecks.not_varied().count(lithify::Varied::clock) == 0);
  CHECK(bench.rechecks.not_varied().count(lithify::Varied::cpus) == 1);
}
