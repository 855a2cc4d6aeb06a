// replicate: an image from one repository to another.
#include <set>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/image/manifest_graph.h"

namespace oci {

namespace {

constexpr std::size_t k_buffer = 256 * 1024;

void copy_blob(const Repository& from, const Descriptor& which, Repository& to,
               Activity& activity, const std::stop_token& stop) {
  const auto source = from.open({which.digest, which.size});
  const auto writer = to.create();
  std::vector<std::byte> buffer(k_buffer);
  std::uint64_t done = 0;
  while (const std::size_t got = source->read(buffer)) {
    if (stop.stop_requested()) throw Cancelled();
    writer->write(Bytes(buffer).first(got));
    done += got;
    activity.advance(done, which.size);
  }
  const BlobRef written = writer->commit();
  if (written.digest != which.digest || written.size != which.size) {
    throw Error(Errc::mismatch,
                fmt::format("blob {} came out as {} with {} bytes", which.digest.str(),
                            written.digest.str(), written.size));
  }
}

class Replication {
 public:
  Replication(const Repository& from, Repository& to, Activity& activity,
              std::stop_token stop)
      : from_(from), to_(to), activity_(activity), stop_(std::move(stop)) {}

  void document(const Descriptor& which, int depth) {
    if (!seen_.insert(which.digest).second || to_.has_manifest(which.digest)) return;
    if (depth > k_max_index_depth) {
      throw Error(Errc::bad_input,
                  fmt::format("indexes nest deeper than {}", k_max_index_depth));
    }
    const std::string content = from_.manifest(which);
    for (const Descriptor& child : children(which, content)) {
      if (is_document(child.media_type)) {
        document(child, depth + 1);
      } else {
        blob(child);
      }
    }
    to_.put_manifest(which, as_bytes(content));
  }

 private:
  void blob(const Descriptor& which) {
    if (!seen_.insert(which.digest).second) return;
    if (stop_.stop_requested()) throw Cancelled();
    const std::string label = "copying blob " + which.digest.brief();
    Activity copying = activity_.start(label);
    const bool here = to_.has(which.digest);
    if (!here) {
      during([&] { return label; },
             [&] { copy_blob(from_, which, to_, copying, stop_); });
    }
    copying.end(here ? Outcome::cached : Outcome::done);
  }

  const Repository& from_;
  Repository& to_;
  Activity& activity_;
  std::stop_token stop_;
  std::set<Digest> seen_;
};

}  // namespace

void replicate(const Repository& from, const Descriptor& root, Repository& to,
               Activity& activity, std::stop_token stop) {
  if (!is_document(root.media_type)) {
    throw Error(Errc::bad_input, fmt::format("{} is a {}, neither manifest nor index",
                                             root.digest.brief(), root.media_type));
  }
  Replication(from, to, activity, std::move(stop)).document(root, 0);
}

}  // namespace oci
