#include "builder/cli/base_layers.h"

#include <future>
#include <set>

#include <fmt/format.h>

#include "oci/base/error.h"

namespace lithify {

namespace {

constexpr unsigned k_parallel = 4;

std::vector<PackedLayer> missing(Session& session,
                                 const std::vector<PackedVariant>& variants) {
  std::vector<PackedLayer> layers;
  std::set<oci::Digest> seen;
  for (const PackedVariant& variant : variants) {
    for (const PackedLayer& layer : variant.layers) {
      if (layer.origin.empty() || session.store().has(layer.blob.digest)) continue;
      if (seen.insert(layer.blob.digest).second) layers.push_back(layer);
    }
  }
  return layers;
}

void fetch(Session& session, const PackedLayer& layer, oci::Activity& parent) {
  oci::Activity activity = parent.start("fetch layer " + layer.blob.digest.brief());
  session.bring(layer.origin, {layer.blob.digest, layer.blob.size}, activity);
  activity.end(oci::Outcome::done);
}

}  // namespace

void know_base_layers(Session& session, const PackedImage& image) {
  for (const PackedVariant& variant : image.variants) {
    for (const PackedLayer& layer : variant.layers) {
      if (!layer.origin.empty()) session.know_layer(layer.blob.digest, layer.origin);
    }
  }
}

void fetch_base_layers(Session& session, const std::vector<PackedVariant>& variants) {
  const std::vector<PackedLayer> layers = missing(session, variants);
  if (layers.empty()) return;
  if (session.options().offline) {
    throw oci::Error(
        oci::Errc::unavailable,
        fmt::format("layer {} of the base {} is not in the store, and "
                    "--offline forbids fetching it",
                    layers.front().blob.digest.brief(), layers.front().origin))
        .add_hint("build once with a network");
  }
  session.registries();  // made before threads ask for it
  oci::Activity activity(session.progress(), "fetch layers of the base");
  oci::WorkerPool workers(k_parallel);
  std::vector<std::future<void>> done;
  for (const PackedLayer& layer : layers) {
    done.push_back(workers.submit([&] { fetch(session, layer, activity); }));
  }
  std::exception_ptr failure;
  for (auto& one : done) {
    try {
      one.get();
    } catch (...) {
      if (!failure) failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
  activity.end(oci::Outcome::done);
}

}  // namespace lithify
