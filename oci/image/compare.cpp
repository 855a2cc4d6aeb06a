// compare: documents as JSON, so that a stranger's members count too; layers by
// compare_layers.
#include "oci/image/compare.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/error.h"
#include "oci/base/json.h"
#include "oci/image/compare_layers.h"
#include "oci/image/manifest.h"
#include "oci/image/manifest_graph.h"

namespace oci {

namespace {

using nlohmann::json;
using Kind = ImageDifference::Kind;

constexpr std::size_t k_max_value = 400;  // bytes of a document's value that are shown
constexpr std::size_t k_max_platforms = 256;

std::string shown(const json& value) {
  std::string text = value.is_string()
                         ? value.get<std::string>()
                         : value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() > k_max_value) text = text.substr(0, k_max_value) + "…";
  return text;
}

// Where two documents differ, by the paths of their members.
class DocumentComparison {
 public:
  using Found = std::function<void(std::string field, const json* a, const json* b)>;
  // Members of which the caller tells elsewhere.
  using Skips = std::function<bool(const std::string& field)>;

  DocumentComparison(Found found, Skips skips)
      : found_(std::move(found)), skips_(std::move(skips)) {}

  void run(const std::string& field, const json& a, const json& b) const {
    if (a == b) return;
    if (a.is_object() && b.is_object()) return objects(field, a, b);
    if (a.is_array() && b.is_array()) return arrays(field, a, b);
    if (!skips_(field)) found_(field, &a, &b);
  }

 private:
  void objects(const std::string& field, const json& a, const json& b) const {
    const std::string stem = field.empty() ? "" : field + ".";
    for (const auto& [key, value] : a.items()) {
      const auto other = b.find(key);
      if (other != b.end()) {
        run(stem + key, value, *other);
      } else if (!skips_(stem + key)) {
        found_(stem + key, &value, nullptr);
      }
    }
    for (const auto& [key, value] : b.items()) {
      if (!a.contains(key) && !skips_(stem + key)) found_(stem + key, nullptr, &value);
    }
  }

  void arrays(const std::string& field, const json& a, const json& b) const {
    for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
      const std::string item = fmt::format("{}[{}]", field, i);
      if (i < a.size() && i < b.size()) {
        run(item, a[i], b[i]);
      } else if (!skips_(item)) {
        found_(item, i < a.size() ? &a[i] : nullptr, i < b.size() ? &b[i] : nullptr);
      }
    }
  }

  Found found_;
  Skips skips_;
};

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}
bool starts_with(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

// What changes in a document because something below it did.
bool is_consequence(const std::string& field) {
  if (starts_with(field, "rootfs.diff_ids")) return true;
  if (starts_with(field, "config.") &&
      (field == "config.digest" || field == "config.size"))
    return true;
  const bool part = starts_with(field, "layers[") || starts_with(field, "manifests[");
  if (part && ends_with(field, "]")) return true;
  return part && (ends_with(field, "].digest") || ends_with(field, "].size"));
}

struct Variant {
  std::string platform;
  Descriptor manifest;
};

// What an index says about its images is none of them.
std::vector<Variant> variants_of(const ComparedImage& image, const std::string& text) {
  if (!is_index(image.root.media_type)) return {{"", image.root}};
  std::vector<Variant> variants;
  std::map<std::string, int> seen;
  for (const Descriptor& child : Index::parse(text, "index").manifests) {
    if (is_about_another(child)) continue;
    if (is_index(child.media_type)) {
      throw Error(Errc::bad_input, "an index within an index is not compared");
    }
    std::string name = child.platform ? child.platform->str() : "unknown";
    const int number = ++seen[name];
    if (number > 1) name += fmt::format("#{}", number);
    variants.push_back({std::move(name), child});
  }
  if (variants.size() > k_max_platforms) {
    throw Error(Errc::bad_input,
                fmt::format("an index of {} images is not compared", variants.size()));
  }
  return variants;
}

// The digests of what an index says about its images.
std::string statements_of(const ComparedImage& image, const std::string& text) {
  std::string digests;
  if (!is_index(image.root.media_type)) return digests;
  for (const Descriptor& child : Index::parse(text, "index").manifests) {
    if (!is_about_another(child)) continue;
    digests += (digests.empty() ? "" : ", ") + child.digest.str();
  }
  return digests;
}

// The index without those.
std::string text_about_images(const std::string& text) {
  Index index = Index::parse(text, "index");
  return std::erase_if(index.manifests, is_about_another) == 0 ? text : index.str();
}

// One image of an index: its documents, and its layers by both of their names.
struct Parts {
  std::string manifest_text;
  Manifest manifest;
  std::string config_text;
  std::vector<Digest> diff_ids;  // empty if the configuration has not one for each layer
};

Parts parts_of(const Repository& images, const Descriptor& which) {
  std::string text = images.manifest(which);
  Manifest manifest = Manifest::parse(text, "manifest");
  Parts parts{std::move(text), std::move(manifest), "", {}};
  const Descriptor& config = parts.manifest.config;
  parts.config_text = read_all(*images.open({config.digest, config.size}), k_max_json,
                               "image configuration");
  if (config.media_type != media_type::k_config &&
      config.media_type != media_type::k_docker_config) {
    return parts;  // an artifact, not an image
  }
  parts.diff_ids = ImageConfig::parse(parts.config_text, "image configuration").diff_ids;
  if (parts.diff_ids.size() != parts.manifest.layers.size()) parts.diff_ids.clear();
  return parts;
}

// What two layers must agree in to be the same: their content, or else their bytes.
const Digest& identity(const Parts& parts, std::size_t layer) {
  return parts.diff_ids.empty() ? parts.manifest.layers[layer].digest
                                : parts.diff_ids[layer];
}

struct Pair {
  std::optional<std::size_t> first;
  std::optional<std::size_t> second;
};

// Equal ones from below and from above; what is left between them by number.
std::vector<Pair> pairs_of(const Parts& a, const Parts& b) {
  const std::size_t count_a = a.manifest.layers.size();
  const std::size_t count_b = b.manifest.layers.size();
  const std::size_t common = std::min(count_a, count_b);
  const bool comparable = a.diff_ids.empty() == b.diff_ids.empty();
  std::size_t below = 0;
  while (comparable && below < common && identity(a, below) == identity(b, below))
    ++below;
  std::size_t above = 0;
  while (comparable && above < common - below &&
         identity(a, count_a - 1 - above) == identity(b, count_b - 1 - above))
    ++above;
  std::vector<Pair> pairs;
  const std::size_t between = std::max(count_a, count_b) - below - above;
  for (std::size_t i = 0; i < below + between; ++i) {
    pairs.push_back({i < count_a - above ? std::optional(i) : std::nullopt,
                     i < count_b - above ? std::optional(i) : std::nullopt});
  }
  for (std::size_t i = above; i > 0; --i)
    pairs.push_back({count_a - i, count_b - i});
  return pairs;
}

class ImagesComparison {
 public:
  ImagesComparison(const ComparedImage& first, const ComparedImage& second,
                   std::stop_token stop, std::size_t most)
      : a_(first),
        b_(second),
        stop_(std::move(stop)),
        most_(most),
        result_{first.root.digest, second.root.digest, {}, 0} {}

  ImageComparison run() && {
    if (result_.equal()) return std::move(result_);
    const std::string text_a = a_.images.manifest(a_.root);
    const std::string text_b = b_.images.manifest(b_.root);
    const std::vector<Variant> variants_a = variants_of(a_, text_a);
    const std::vector<Variant> variants_b = variants_of(b_, text_b);
    const bool indexes = is_index(a_.root.media_type) && is_index(b_.root.media_type);
    if (indexes) {
      pair_platforms(variants_a, variants_b);
      documents("index", text_about_images(text_a), text_about_images(text_b));
    } else if (is_index(a_.root.media_type) != is_index(b_.root.media_type)) {
      // An index of one image may be there for what it says about it alone.
      const bool for_statements = variants_a.size() == 1 && variants_b.size() == 1 &&
                                  statements_of(a_, text_a) != statements_of(b_, text_b);
      if (!for_statements) of_two_kinds();
      single_with_index(variants_a, variants_b);
    } else {
      variant(variants_a.front().manifest, variants_b.front().manifest);
    }
    if (told() == 0) statements(statements_of(a_, text_a), statements_of(b_, text_b));
    return std::move(result_);
  }

 private:
  void pair_platforms(const std::vector<Variant>& a, const std::vector<Variant>& b) {
    const auto find = [](const std::vector<Variant>& all, const std::string& platform) {
      return std::find_if(all.begin(), all.end(), [&](const Variant& variant) {
        return variant.platform == platform;
      });
    };
    for (const Variant& one : a) {
      const auto other = find(b, one.platform);
      platform_ = one.platform;
      if (other != b.end()) {
        variant(one.manifest, other->manifest);
      } else {
        lone(Kind::platform, one.manifest.digest.str(), std::nullopt);
      }
    }
    for (const Variant& one : b) {
      if (find(a, one.platform) != a.end()) continue;
      platform_ = one.platform;
      lone(Kind::platform, std::nullopt, one.manifest.digest.str());
    }
    platform_.clear();
  }

  void of_two_kinds() {
    ImageDifference difference;
    difference.document = "index";
    difference.first = is_index(a_.root.media_type) ? "an index" : "one manifest";
    difference.second = is_index(b_.root.media_type) ? "an index" : "one manifest";
    tell(std::move(difference));
  }

  // Where the images are the same, what is said about them makes the difference.
  void statements(const std::string& a, const std::string& b) {
    if (a == b) return;
    ImageDifference difference;
    difference.document = "index";
    difference.field = "attestations";
    if (!a.empty()) difference.first = a;
    if (!b.empty()) difference.second = b;
    tell(std::move(difference));
  }

  // The index may hold what the other is.
  void single_with_index(const std::vector<Variant>& a, const std::vector<Variant>& b) {
    const std::vector<Variant>& many = a.size() > b.size() ? a : b;
    if (many.size() == 1) variant(a.front().manifest, b.front().manifest);
  }

  void variant(const Descriptor& a, const Descriptor& b) {
    if (a.digest == b.digest) return;
    const Parts parts_a = parts_of(a_.images, a);
    const Parts parts_b = parts_of(b_.images, b);
    const std::uint64_t before = told();
    documents("manifest", parts_a.manifest_text, parts_b.manifest_text);
    documents("configuration", parts_a.config_text, parts_b.config_text);
    for (const Pair& pair : pairs_of(parts_a, parts_b))
      layers(parts_a, parts_b, pair);
    if (told() != before) return;
    // Nothing below them explains it, so what was taken for consequences counts.
    documents("manifest", parts_a.manifest_text, parts_b.manifest_text, true);
    documents("configuration", parts_a.config_text, parts_b.config_text, true);
  }

  void documents(const std::string& name, const std::string& a, const std::string& b,
                 bool all = false) {
    if (a == b) return;
    const std::uint64_t before = told();
    const DocumentComparison comparison(
        [&](std::string field, const json* one, const json* other) {
          ImageDifference difference;
          difference.document = name;
          difference.field = std::move(field);
          if (one != nullptr) difference.first = shown(*one);
          if (other != nullptr) difference.second = shown(*other);
          tell(std::move(difference));
        },
        [&](const std::string& field) { return !all && is_consequence(field); });
    const json value_a = parse_json(a, name);
    const json value_b = parse_json(b, name);
    comparison.run("", value_a, value_b);
    if (value_a == value_b && told() == before) spelling(name, a, b);
  }

  // One value in two spellings.
  void spelling(const std::string& name, const std::string& a, const std::string& b) {
    const std::size_t common = std::min(a.size(), b.size());
    const auto place =
        std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(common),
                      b.begin())
            .first;
    ImageDifference difference;
    difference.kind = Kind::framing;
    difference.document = name;
    difference.field = "spelling";
    difference.offset = static_cast<std::uint64_t>(place - a.begin());
    difference.first = a.substr(difference.offset, ImageDifference::k_excerpt);
    difference.second = b.substr(difference.offset, ImageDifference::k_excerpt);
    tell(std::move(difference));
  }

  void layers(const Parts& a, const Parts& b, const Pair& pair) {
    const auto place = [&](ImageDifference& difference) {
      difference.layer = pair.first ? *pair.first + 1 : 0;
      difference.other_layer = pair.second ? *pair.second + 1 : 0;
    };
    if (!pair.first || !pair.second) {
      ImageDifference difference;
      difference.kind = Kind::layer;
      if (pair.first) difference.first = a.manifest.layers[*pair.first].digest.str();
      if (pair.second) difference.second = b.manifest.layers[*pair.second].digest.str();
      place(difference);
      return tell(std::move(difference));
    }
    const Descriptor& one = a.manifest.layers[*pair.first];
    const Descriptor& other = b.manifest.layers[*pair.second];
    if (one.digest == other.digest) return;
    compare_layers({opener(a_.images, one), opener(b_.images, other),
                    fmt::format("layer {}", *pair.first + 1), stop_},
                   [&](ImageDifference difference) {
                     place(difference);
                     if (difference.kind == Kind::encoding) {
                       difference.first = encoding(one);
                       difference.second = encoding(other);
                     }
                     tell(std::move(difference));
                   });
  }

  static OpenLayer opener(const Repository& images, const Descriptor& blob) {
    return [&images, ref = BlobRef{blob.digest, blob.size}] { return images.open(ref); };
  }

  static std::string encoding(const Descriptor& blob) {
    const std::size_t plus = blob.media_type.rfind('+');
    const std::size_t point = blob.media_type.rfind('.');
    const std::string_view kind =
        std::string_view(blob.media_type)
            .substr((plus != std::string::npos ? plus : point) + 1);
    return fmt::format("{}, {} bytes", kind, blob.size);
  }

  void lone(Kind kind, std::optional<std::string> a, std::optional<std::string> b) {
    ImageDifference difference;
    difference.kind = kind;
    difference.first = std::move(a);
    difference.second = std::move(b);
    tell(std::move(difference));
  }

  void tell(ImageDifference difference) {
    difference.platform = platform_;
    if (result_.differences.size() < most_) {
      result_.differences.push_back(std::move(difference));
    } else {
      ++result_.left_out;
    }
  }
  std::uint64_t told() const { return result_.differences.size() + result_.left_out; }

  const ComparedImage& a_;
  const ComparedImage& b_;
  std::stop_token stop_;
  std::size_t most_;
  std::string platform_;
  ImageComparison result_;
};

}  // namespace

ImageComparison compare_images(const ComparedImage& first, const ComparedImage& second,
                               std::stop_token stop, std::size_t most) {
  return during(
      [] { return "comparing images"; },
      [&] { return ImagesComparison(first, second, std::move(stop), most).run(); });
}

}  // namespace oci
