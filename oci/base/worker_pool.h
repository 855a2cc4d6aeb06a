// WorkerPool: a bounded number of threads for work that never waits for other work.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace oci {

// Tasks start in the order of submission. A task must not wait for another task of the
// same pool. The destructor lets queued tasks finish. Safe to share between threads.
class WorkerPool {
 public:
  explicit WorkerPool(unsigned threads);  // at least one, fewer if there are no more
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  unsigned size() const { return static_cast<unsigned>(threads_.size()); }

  // What `task` returns or throws comes out of the future.
  template <class Task>
  auto submit(Task task) -> std::future<std::invoke_result_t<Task&>> {
    using Result = std::invoke_result_t<Task&>;
    auto packaged = std::make_shared<std::packaged_task<Result()>>(std::move(task));
    auto future = packaged->get_future();
    enqueue([packaged] { (*packaged)(); });
    return future;
  }

 private:
  void enqueue(std::function<void()> task);
  void work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool closing_ = false;
  std::vector<std::jthread> threads_;  // last: it dies first
};

}  // namespace oci
