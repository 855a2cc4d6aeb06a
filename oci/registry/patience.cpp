#include "oci/registry/patience.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <random>

#include <fmt/format.h>

namespace oci {

namespace {

constexpr std::chrono::milliseconds k_worth_telling{2000};

// Between half and all of it: clients that failed together must not come back together.
std::chrono::milliseconds jittered(std::chrono::milliseconds wait) {
  thread_local std::minstd_rand random(std::random_device{}());
  return wait / 2 + std::chrono::milliseconds(
                        random() % static_cast<unsigned>(wait.count() / 2 + 1));
}

}  // namespace

void wait_or_stop(std::chrono::milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  changed.wait_for(lock, stop, time, [] { return false; });
  if (stop.stop_requested()) throw Cancelled();
}

bool may_pass(int status) {
  return status == 408 || status == 429 ||
         (status >= 500 && status != 501 && status != 505);
}

void Patience::lose(const Error& error, std::chrono::seconds asked,
                    const std::stop_token& stop) {
  const bool spent = budget_ != nullptr && budget_->fetch_sub(1) <= 0;
  if (++failures_ >= policy_.attempts || spent) throw Error(error);
  const std::chrono::milliseconds asked_ms = asked;
  if (asked_ms > policy_.longest_asked) {
    throw Error(error).add_note(
        fmt::format("the server asks to wait {} seconds", asked.count()));
  }
  const auto doubled = std::min<std::chrono::milliseconds>(
      policy_.first_wait * (1 << std::min(failures_ - 1, 16)), policy_.longest_wait);
  const auto wait = std::max(jittered(doubled), asked_ms);
  if (tell_ && wait >= k_worth_telling) {
    tell_(fmt::format("{}; trying again in {} s", error.what(),
                      std::chrono::ceil<std::chrono::seconds>(wait).count()));
  }
  wait_or_stop(wait, stop);
}

}  // namespace oci
