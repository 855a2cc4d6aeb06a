#include "builder/cli/build_report.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/json.h"

#include "builder/tell/activity_book.h"
#include "builder/tell/text.h"

namespace lithify {

namespace {

nlohmann::json described(const oci::Descriptor& which) {
  return {{"digest", which.digest.str()},
          {"mediaType", which.media_type},
          {"size", which.size}};
}

nlohmann::json described(const PackedVariant& variant) {
  nlohmann::json document = described(variant.manifest);
  document["platform"] = variant.platform.str();
  document["layers"] = nlohmann::json::array();
  for (const PackedLayer& layer : variant.layers) {
    nlohmann::json entry = described(layer.blob);
    entry["name"] = visible(layer.name);
    entry["base"] = layer.from_base;
    document["layers"].push_back(std::move(entry));
  }
  return document;
}

std::string sizes_of(const PackedImage& image) {
  std::string text;
  for (const PackedVariant& variant : image.variants) {
    std::uint64_t bytes = 0;
    for (const PackedLayer& layer : variant.layers)
      bytes += layer.blob.size;
    text += fmt::format("{}{} {} in {} {}", text.empty() ? "" : ", ",
                        variant.platform.architecture, human_size(bytes),
                        variant.layers.size(),
                        variant.layers.size() == 1 ? "layer" : "layers");
  }
  return text;
}

}  // namespace

std::string build_document(const std::vector<PackedImage>& images) {
  nlohmann::json document = {{"schema", "lithify.build/1"},
                             {"images", nlohmann::json::array()}};
  for (const PackedImage& image : images) {
    nlohmann::json entry = described(image.root);
    entry["name"] = image.name;
    entry["platforms"] = nlohmann::json::array();
    for (const PackedVariant& variant : image.variants)
      entry["platforms"].push_back(described(variant));
    document["images"].push_back(std::move(entry));
  }
  return oci::canonical_json(document) + "\n";
}

std::string build_summary(const std::vector<PackedImage>& images, const BuildTimes& times,
                          const Tally::Counts& steps) {
  std::string text;
  for (const PackedImage& image : images) {
    text += fmt::format("built  {}  {}  ({})\n", image.name, image.root.digest.brief(),
                        sizes_of(image));
  }
  const unsigned all = steps.done + steps.cached;
  const std::string push =
      times.push.count() > 0 ? " · push " + human_duration(times.push) : "";
  const std::string tests =
      times.tests.count() > 0 ? " · tests " + human_duration(times.tests) : "";
  text += fmt::format(
      "time   {}   resolve {} · steps {} · pack {}{} · outputs {}{}\n"
      "cache  {} of {} {}\n",
      human_duration(times.all), human_duration(times.resolve),
      human_duration(times.steps), human_duration(times.pack), tests,
      human_duration(times.outputs), push, steps.cached, all,
      all == 1 ? "step" : "steps");
  return text;
}

}  // namespace lithify
