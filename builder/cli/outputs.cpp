#include "builder/cli/outputs.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include <fmt/format.h>

#include "builder/cli/image_sbom.h"
#include "builder/plan/suggest.h"

namespace lithify {

namespace {

struct KindName {
  Output::Kind kind;
  const char* name;
};
constexpr std::array<KindName, 6> k_kinds = {
    {{Output::Kind::oci, "oci"},
     {Output::Kind::oci_archive, "oci-archive"},
     {Output::Kind::docker_archive, "docker-archive"},
     {Output::Kind::rootfs, "rootfs"},
     {Output::Kind::tar, "tar"},
     {Output::Kind::sbom, "sbom"}}};

bool holds_one_platform(Output::Kind kind) {
  return kind == Output::Kind::docker_archive || kind == Output::Kind::rootfs ||
         kind == Output::Kind::tar || kind == Output::Kind::sbom;
}

oci::Error one_platform_only(const ImagePlan& image, const Destination& destination) {
  oci::Error error(
      oci::Errc::bad_input,
      fmt::format("a {} holds one platform, `{}` is built for {}",
                  name_of(destination.kind), image.name, image.variants.size()));
  if (!destination.place.file.empty()) error.at(destination.place);
  return error.add_hint(
      "put `$(platform.arch)` into the path, or choose one with `--platform`");
}

// Destinations by kind and path, in the order they were asked for.
class Collector {
 public:
  explicit Collector(const ImagePlan& image) : image_(image) {}

  void add(const Output& output, const std::filesystem::path& base, std::size_t variant) {
    auto path = (base / output.path).lexically_normal();
    if (!path.has_filename()) path = path.parent_path();  // written with a slash behind
    const auto key = std::make_pair(output.kind, path);
    auto found = wanted_.find(key);
    if (found == wanted_.end()) {
      order_.push_back({output.kind, path, output.place, true, variant});
      found = wanted_.emplace(key, std::set<std::size_t>()).first;
    }
    found->second.insert(variant);
  }

  std::vector<Destination> take() && {
    for (Destination& destination : order_) {
      const auto& variants = wanted_.at({destination.kind, destination.path});
      destination.whole = variants.size() == image_.variants.size();
      destination.variant = *variants.begin();
      if (variants.size() > 1 &&
          (holds_one_platform(destination.kind) || !destination.whole)) {
        throw one_platform_only(image_, destination);
      }
    }
    return std::move(order_);
  }

 private:
  const ImagePlan& image_;
  std::vector<Destination> order_;
  std::map<std::pair<Output::Kind, std::filesystem::path>, std::set<std::size_t>> wanted_;
};

}  // namespace

const char* name_of(Output::Kind kind) {
  for (const KindName& known : k_kinds) {
    if (known.kind == kind) return known.name;
  }
  return "output";
}

Output parse_output(const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::string word = text.substr(0, equals);
  std::vector<std::string> names;
  for (const KindName& known : k_kinds) {
    names.emplace_back(known.name);
    if (word != known.name) continue;
    if (equals == std::string::npos || equals + 1 == text.size()) {
      throw oci::Error(oci::Errc::bad_input,
                       fmt::format("--output {} needs a path", word))
          .add_hint(fmt::format("write `--output {}=PATH`", word));
    }
    if (known.kind == Output::Kind::sbom) sbom_form_of_file(text);
    return {known.kind, std::filesystem::absolute(text.substr(equals + 1)).string(), {}};
  }
  oci::Error error(oci::Errc::bad_input, fmt::format("there is no output `{}`", word));
  const std::string meant = did_you_mean(word, names);
  throw error.add_hint(
      meant.empty()
          ? "the kinds are oci, oci-archive, docker-archive, rootfs, tar and sbom"
          : meant);
}

std::vector<Destination> destinations(const ImagePlan& image,
                                      const std::vector<Output>& further,
                                      const std::filesystem::path& directory) {
  Collector collector(image);
  for (std::size_t i = 0; i < image.variants.size(); ++i) {
    for (const Output& output : image.variants[i].outputs)
      collector.add(output, directory, i);
    for (const Output& output : further)
      collector.add(output, directory, i);
  }
  return std::move(collector).take();
}

void refuse_clashes(const std::vector<std::vector<Destination>>& of_images) {
  std::set<std::filesystem::path> exclusive;
  std::set<std::filesystem::path> layouts;
  for (const auto& image : of_images) {
    std::set<std::filesystem::path> layouts_here;
    for (const Destination& destination : image) {
      const bool layout = destination.kind == Output::Kind::oci;
      const bool clash = layout ? exclusive.count(destination.path) > 0 ||
                                      layouts_here.count(destination.path) > 0
                                : exclusive.count(destination.path) > 0 ||
                                      layouts.count(destination.path) > 0;
      if (clash) {
        oci::Error error(
            oci::Errc::bad_input,
            fmt::format("two outputs would be written to {}", destination.path.string()));
        if (!destination.place.file.empty()) error.at(destination.place);
        throw error.add_hint("put `$(image.name)` into the path, or build one image");
      }
      (layout ? layouts_here : exclusive).insert(destination.path);
    }
    layouts.insert(layouts_here.begin(), layouts_here.end());
  }
}

}  // namespace lithify
