#include "builder/cli/root_tree.h"

#include <limits>

#include "oci/base/error.h"
#include "oci/image/layout.h"

#include "builder/pack/layering.h"
#include "builder/pack/write_layer.h"
#include "builder/resolve/base_image.h"
#include "builder/run/scheduler.h"

namespace lithify {

namespace {

constexpr std::string_view k_layout = "layout:";
constexpr std::string_view k_image = "image:";

// The base's layers on each other, as steps, so that they are remembered like any others.
Graph base_graph(Session& session, const BaseImage& base, const oci::Platform& platform) {
  const auto repository = open_base(session, base.location);
  const BaseLayers layers = base_layers(*repository, base.manifest, base.location);
  Graph graph;
  Step unpack;
  Edit edit;
  edit.clamp = std::numeric_limits<std::int64_t>::max();
  for (std::size_t i = 0; i < layers.blobs.size(); ++i) {
    const oci::Descriptor& layer = layers.blobs[i];
    Step fetch;
    fetch.operation = Fetch{base.location, layer.digest, layer.size, "layer"};
    fetch.platform = platform;
    fetch.label = "read layer " + layer.digest.brief();
    edit.actions.emplace_back(
        UnpackLayerAction{unpack.inputs.size(), layers.diff_ids[i]});
    unpack.inputs.push_back(graph.add(std::move(fetch)));
  }
  unpack.operation = std::move(edit);
  unpack.platform = platform;
  unpack.label = "unpack " + base.location;
  graph.add(std::move(unpack));
  return graph;
}

}  // namespace

std::unique_ptr<oci::Repository> open_base(Session& session,
                                           const std::string& location) {
  if (location.rfind(k_image, 0) == 0) return oci::named_store(session.store());
  if (location.rfind(k_layout, 0) != 0) {
    throw oci::Error(oci::Errc::internal, "a base at " + location);
  }
  return oci::open_layout(location.substr(k_layout.size()));
}

Tree root_tree(Session& session, const VariantPlan& variant,
               std::span<const Tree> results, Workshop& workshop,
               oci::Activity& activity) {
  if (!variant.base) return merged_changes(variant, results, {});
  const Graph graph = base_graph(session, *variant.base, variant.platform);
  const Tree layers = run_graph(graph, *workshop.executor, *workshop.steps,
                                session.jobs(), activity, session.stop())
                          .back();
  // Unpacked layers are a change: their marks have done their work, and go.
  return merged_changes(variant, results, merge({&layers, 1}, false));
}

oci::BlobRef flat_tar(Session& session, const Tree& root, oci::Activity& activity) {
  oci::WorkerPool workers(1);
  const oci::Layer layer =
      write_layer(root, session.contents(), {oci::Compression::none, workers}, activity,
                  session.stop());
  return {layer.blob.digest, layer.blob.size};
}

}  // namespace lithify
