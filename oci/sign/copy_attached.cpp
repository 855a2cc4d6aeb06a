// copy_attached: two manifests of signatures become one.
#include "oci/sign/copy_attached.h"

#include <algorithm>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/image/manifest.h"
#include "oci/sign/attach.h"
#include "oci/sign/attached_tag.h"

namespace oci {

namespace {

bool is_in(const std::vector<Descriptor>& layers, const Descriptor& layer) {
  return std::any_of(layers.begin(), layers.end(), [&](const Descriptor& one) {
    return one.digest == layer.digest && one.annotations == layer.annotations;
  });
}

std::size_t copy_tag(const ReferringRepository& from, const std::string& tag,
                     ReferringRepository& to, Activity& activity,
                     const std::stop_token& stop) {
  const std::vector<Descriptor> layers = attached_layers(from, tag);
  if (layers.size() > k_max_attached) {
    throw Error(Errc::bad_input, fmt::format("the tag {} has {} layers, more than the {} "
                                             "signatures that are copied",
                                             tag, layers.size(), k_max_attached));
  }
  for (const Descriptor& layer : layers)
    to.take(from, {layer.digest, layer.size}, activity, stop);
  std::size_t added = 0;
  to.change_tag(tag, media_type::k_manifest, [&](const std::optional<std::string>& old) {
    std::vector<Descriptor> all;
    if (old) all = Manifest::parse(*old, "the tag " + tag).layers;
    const std::size_t before = all.size();
    for (const Descriptor& layer : layers) {
      if (!is_in(all, layer)) all.push_back(layer);
    }
    if (all.size() == before) return std::optional<std::string>();
    added = all.size() - before;
    return std::optional(attached_manifest(to, std::move(all)));
  });
  return added;
}

}  // namespace

std::size_t copy_attached(const ReferringRepository& from, const Descriptor& root,
                          ReferringRepository& to, Activity& activity,
                          std::stop_token stop) {
  std::size_t count = 0;
  for (const Descriptor& document : signed_documents(from, root)) {
    for (const char* suffix : {"sig", "att"}) {
      if (stop.stop_requested()) throw Cancelled();
      const std::string tag = attachment_tag(document.digest, suffix);
      count += during([&] { return "copying the tag " + tag; },
                      [&] { return copy_tag(from, tag, to, activity, stop); });
    }
  }
  return count;
}

}  // namespace oci
