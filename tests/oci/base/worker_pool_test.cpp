// worker_pool: work spread over threads, results and failures brought home.
#include "oci/base/worker_pool.h"

#include <atomic>
#include <stdexcept>

#include "tests/support/catch.h"

using oci::WorkerPool;

TEST_CASE("results come out of the futures, whatever the number of threads") {
  const unsigned threads = GENERATE(0U, 1U, 2U, 16U);
  WorkerPool pool(threads);
  CHECK(pool.size() >= 1);
  std::vector<std::future<int>> results;
  for (int i = 0; i < 100; ++i)
    results.push_back(pool.submit([i] { return i * i; }));
  for (int i = 0; i < 100; ++i)
    CHECK(results[static_cast<std::size_t>(i)].get() == i * i);
}

TEST_CASE("a failure comes out of its own future alone") {
  WorkerPool pool(2);
  auto bad = pool.submit([]() -> int { throw std::runtime_error("no"); });
  auto good = pool.submit([] { return 1; });
  CHECK_THROWS_AS(bad.get(), std::runtime_error);
  CHECK(good.get() == 1);
}

TEST_CASE("work that was queued is done before the pool dies") {
  std::atomic<int> done{0};
  {
    WorkerPool pool(2);
    for (int i = 0; i < 50; ++i)
      pool.submit([&done] { ++done; });
  }
  CHECK(done == 50);
}
