#include "builder/deliver/referrers.h"

#include <set>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/image/manifest.h"
#include "oci/image/manifest_graph.h"

namespace lithify {

namespace {

constexpr int k_max_depth = 4;
constexpr std::size_t k_max_count = 1000;

class Copying {
 public:
  Copying(const oci::ReferringRepository& from, oci::ReferringRepository& to,
          oci::Activity& activity, std::stop_token stop)
      : from_(from), to_(to), activity_(activity), stop_(std::move(stop)) {}

  void image(const oci::Descriptor& which, int depth) {
    referrers_of(which, depth);
    if (!oci::is_index(which.media_type)) return;
    for (const oci::Descriptor& child : oci::children(which, from_.manifest(which))) {
      if (oci::is_document(child.media_type)) referrers_of(child, depth);
    }
  }
  std::size_t count() const { return seen_.size(); }

 private:
  void referrers_of(const oci::Descriptor& subject, int depth) {
    if (depth == k_max_depth) return;
    for (const oci::Descriptor& which : from_.referrers(subject.digest, "")) {
      if (stop_.stop_requested()) throw oci::Cancelled();
      if (!seen_.insert(which.digest).second) continue;
      if (seen_.size() > k_max_count) {
        throw oci::Error(
            oci::Errc::bad_input,
            fmt::format("more than {} artifacts refer to the image", k_max_count));
      }
      copy(which, subject);
      referrers_of(which, depth + 1);
    }
  }

  void copy(const oci::Descriptor& which, const oci::Descriptor& subject) {
    const std::string content = from_.manifest(which);
    for (const oci::Descriptor& part : oci::children(which, content)) {
      to_.take(from_, {part.digest, part.size}, activity_, stop_);
    }
    to_.put_referrer(which, oci::as_bytes(content), subject);
  }

  const oci::ReferringRepository& from_;
  oci::ReferringRepository& to_;
  oci::Activity& activity_;
  std::stop_token stop_;
  std::set<oci::Digest> seen_;
};

}  // namespace

std::size_t copy_referrers(const oci::ReferringRepository& from,
                           const oci::Descriptor& root, oci::ReferringRepository& to,
                           oci::Activity& activity, std::stop_token stop) {
  Copying copying(from, to, activity, std::move(stop));
  copying.image(root, 0);
  return copying.count();
}

}  // namespace lithify
