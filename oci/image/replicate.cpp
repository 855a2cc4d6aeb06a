// replicate: an image from one repository to another.
#include <algorithm>
#include <atomic>
#include <exception>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/image/manifest_graph.h"

namespace oci {

namespace {

constexpr std::size_t k_buffer = 256 * 1024;

class Replication {
 public:
  Replication(const Repository& from, Repository& to, Activity& activity,
              std::stop_token stop)
      : from_(from), to_(to), activity_(activity), outside_stop_(std::move(stop)) {}

  void run(const Descriptor& root, unsigned parallel) {
    find(root, 0);
    std::stable_sort(
        blobs_.begin(), blobs_.end(),
        [](const Descriptor& a, const Descriptor& b) { return a.size > b.size; });
    take_blobs(std::min<std::size_t>(parallel, blobs_.size()));
    for (const auto& [which, content] : documents_) {
      if (outside_stop_.stop_requested()) throw Cancelled();
      to_.put_manifest(which, as_bytes(content));
    }
  }

 private:
  // Documents in the order to put them; the blobs that they need.
  void find(const Descriptor& which, int depth) {
    if (!seen_.insert(which.digest).second || to_.has_manifest(which.digest)) return;
    if (outside_stop_.stop_requested()) throw Cancelled();
    if (depth > k_max_index_depth) {
      throw Error(Errc::bad_input,
                  fmt::format("indexes nest deeper than {}", k_max_index_depth));
    }
    std::string content = from_.manifest(which);
    for (const Descriptor& child : children(which, content)) {
      if (is_document(child.media_type)) {
        find(child, depth + 1);
      } else if (seen_.insert(child.digest).second) {
        blobs_.push_back(child);
      }
    }
    documents_.emplace_back(which, std::move(content));
  }

  void take_blobs(std::size_t threads) {
    if (threads <= 1) {
      work();
    } else {
      std::vector<std::jthread> workers;
      for (std::size_t i = 0; i < threads; ++i)
        workers.emplace_back([this] { work(); });
    }
    if (outside_stop_.stop_requested()) throw Cancelled();
    if (failure_) std::rethrow_exception(failure_);
  }

  // Takes blobs until there are none; the first failure ends the others' work too.
  void work() noexcept {
    const std::stop_callback pass_on(outside_stop_, [this] { stop_.request_stop(); });
    while (!stop_.stop_requested()) {
      const std::size_t next = next_++;
      if (next >= blobs_.size()) return;
      try {
        take(blobs_[next]);
      } catch (...) {
        if (!failed_.exchange(true)) failure_ = std::current_exception();
        stop_.request_stop();
      }
    }
  }

  void take(const Descriptor& which) {
    const std::string label = "copying blob " + which.digest.brief();
    Activity copying = activity_.start(label);
    const bool moved = during(
        [&] { return label; },
        [&] {
          return to_.take(from_, {which.digest, which.size}, copying, stop_.get_token());
        });
    copying.end(moved ? Outcome::done : Outcome::cached);
  }

  const Repository& from_;
  Repository& to_;
  Activity& activity_;
  std::stop_token outside_stop_;
  std::stop_source stop_;  // requested from outside, or by a failure
  std::set<Digest> seen_;
  std::vector<Descriptor> blobs_;
  std::vector<std::pair<Descriptor, std::string>> documents_;
  std::atomic<std::size_t> next_ = 0;
  std::atomic<bool> failed_ = false;
  std::exception_ptr failure_;
};

}  // namespace

bool Repository::take(const BlobStore& from, const BlobRef& blob, Activity& activity,
                      std::stop_token stop) {
  if (has(blob.digest)) return false;
  const auto source = from.open(blob);
  const auto writer = create();
  std::vector<std::byte> buffer(k_buffer);
  std::uint64_t done = 0;
  while (const std::size_t got = source->read(buffer)) {
    if (stop.stop_requested()) throw Cancelled();
    writer->write(Bytes(buffer).first(got));
    done += got;
    activity.advance(done, blob.size);
  }
  const BlobRef written = writer->commit();
  if (written != blob) {
    throw Error(Errc::mismatch,
                fmt::format("blob {} came out as {} with {} bytes", blob.digest.str(),
                            written.digest.str(), written.size));
  }
  return true;
}

void replicate(const Repository& from, const Descriptor& root, Repository& to,
               Activity& activity, std::stop_token stop, unsigned parallel) {
  if (!is_document(root.media_type)) {
    throw Error(Errc::bad_input, fmt::format("{} is a {}, neither manifest nor index",
                                             root.digest.brief(), root.media_type));
  }
  Replication(from, to, activity, std::move(stop)).run(root, parallel);
}

}  // namespace oci
