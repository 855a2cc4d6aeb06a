// lithify inspect: what an image is made of.
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/json.h"
#include "oci/image/archive.h"
#include "oci/image/layout.h"

#include "builder/cli/commands/commands.h"
#include "builder/cli/image_place.h"
#include "builder/cli/image_view.h"
#include "builder/cli/workspace.h"
#include "builder/tell/text.h"

namespace lithify {

namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words)
    text += (text.empty() ? "" : " ") + visible(word);
  return text;
}

std::string config_lines(const oci::ImageConfig& config) {
  std::string text;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) text += fmt::format("    {:<12}{}\n", name, value);
  };
  add("entrypoint", joined(config.entrypoint.value_or(std::vector<std::string>())));
  add("cmd", joined(config.cmd.value_or(std::vector<std::string>())));
  add("user", visible(config.user));
  add("workdir", visible(config.working_dir));
  for (const auto& [name, value] : config.env)
    add("env", visible(name + "=" + value));
  for (const std::string& port : config.exposed_ports)
    add("port", visible(port));
  for (const std::string& volume : config.volumes)
    add("volume", visible(volume));
  for (const auto& [name, value] : config.labels)
    add("label", visible(name + "=" + value));
  add("stop-signal", visible(config.stop_signal));
  if (config.healthcheck) add("healthcheck", joined(config.healthcheck->test));
  return text;
}

std::string variant_text(const VariantView& variant) {
  std::uint64_t bytes = 0;
  for (const LayerView& layer : variant.layers)
    bytes += layer.blob.size;
  std::string text =
      fmt::format("\n{}  {}\n  {} in {} {}\n", visible(variant.platform.str()),
                  variant.manifest.digest.str(), human_size(bytes), variant.layers.size(),
                  variant.layers.size() == 1 ? "layer" : "layers");
  for (std::size_t i = 0; i < variant.layers.size(); ++i) {
    const LayerView& layer = variant.layers[i];
    text += fmt::format("  {:>3}  {:>7}  {}  {}\n", i + 1, human_size(layer.blob.size),
                        layer.blob.digest.brief(), visible(layer.history));
  }
  return text + "  configuration\n" + config_lines(variant.config);
}

std::string image_text(const std::string& name, const ImageView& image) {
  std::string text = fmt::format("{}  {}\n", visible(name), image.root.digest.str());
  for (const auto& [key, value] : image.annotations)
    text += fmt::format("  {}  {}\n", visible(key), visible(value));
  for (const VariantView& variant : image.variants)
    text += variant_text(variant);
  return text;
}

nlohmann::json image_document(const std::string& name, const ImageView& image) {
  nlohmann::json document = {
      {"schema", "lithify.inspect/1"},     {"name", name},
      {"digest", image.root.digest.str()}, {"mediaType", image.root.media_type},
      {"annotations", image.annotations},  {"platforms", nlohmann::json::array()}};
  for (const VariantView& variant : image.variants) {
    nlohmann::json layers = nlohmann::json::array();
    for (const LayerView& layer : variant.layers) {
      layers.push_back({{"digest", layer.blob.digest.str()},
                        {"mediaType", layer.blob.media_type},
                        {"size", layer.blob.size},
                        {"history", layer.history}});
    }
    document["platforms"].push_back(
        {{"platform", variant.platform.str()},
         {"digest", variant.manifest.digest.str()},
         {"config", oci::parse_json(variant.config.str(), "configuration")},
         {"layers", layers}});
  }
  return document;
}

const VariantView& variant_for(const ImageView& image, const oci::Platform& platform) {
  const auto found = std::find_if(
      image.variants.begin(), image.variants.end(),
      [&](const VariantView& variant) { return variant.platform == platform; });
  if (found != image.variants.end()) return *found;
  std::string known;
  for (const VariantView& variant : image.variants)
    known += (known.empty() ? "" : ", ") + visible(variant.platform.str());
  throw oci::Error(oci::Errc::not_found, "the image has nothing for " + platform.str())
      .add_hint("choose one with `--platform`: " + known);
}

// The image as far as --platform asks for it.
ImageView wanted_part(ImageView image, const std::vector<oci::Platform>& wanted) {
  if (wanted.empty()) return image;
  std::vector<VariantView> variants;
  for (const oci::Platform& platform : wanted)
    variants.push_back(variant_for(image, platform));
  image.variants = std::move(variants);
  return image;
}

// The variant whose files are listed: the only one, or the one for this machine.
const VariantView& chosen(const ImageView& image) {
  return image.variants.size() == 1 ? image.variants.front()
                                    : variant_for(image, oci::Platform::host());
}

std::string mode_text(const oci::Entry& entry) {
  static constexpr std::string_view k_types = "-dlhcbp??";
  std::string text(1, k_types[static_cast<std::size_t>(entry.type)]);
  return text + fmt::format("{:04o}", entry.attributes.mode);
}

std::string file_line(const FileView& file) {
  const oci::Entry& entry = file.entry;
  std::string line =
      fmt::format("{}  {:>11}  {:>7}  {:>3}  /{}", mode_text(entry),
                  fmt::format("{}:{}", entry.attributes.uid, entry.attributes.gid),
                  entry.type == oci::FileType::regular ? human_size(entry.size) : "",
                  file.layer + 1, visible(entry.path));
  if (entry.type == oci::FileType::symlink) line += " -> " + visible(entry.link);
  if (entry.type == oci::FileType::hardlink) line += " = /" + visible(entry.link);
  return line + "\n";
}

nlohmann::json file_document(const FileView& file, const VariantView& variant) {
  const oci::Entry& entry = file.entry;
  nlohmann::json document = {{"path", "/" + entry.path},
                             {"mode", mode_text(entry)},
                             {"uid", entry.attributes.uid},
                             {"gid", entry.attributes.gid},
                             {"mtime", entry.attributes.mtime},
                             {"size", entry.size},
                             {"layer", variant.layers[file.layer].blob.digest.str()}};
  if (!entry.link.empty()) document["link"] = entry.link;
  return document;
}

void show_files(Session& session, const FoundImage& found, const ImageView& image,
                std::string path) {
  path = std::filesystem::path("/" + path).lexically_normal().string().substr(1);
  if (!path.empty() && path.back() == '/') path.pop_back();
  const VariantView& variant = chosen(image);
  const auto files =
      oci::during([&] { return "reading the image " + session.options().operands[0]; },
                  [&] { return view_files(*found.images, variant, path); });
  if (!session.options().json) {
    std::string text;
    for (const FileView& file : files)
      text += file_line(file);
    return session.print(text);
  }
  nlohmann::json document = {{"schema", "lithify.files/1"},
                             {"platform", variant.platform.str()},
                             {"files", nlohmann::json::array()}};
  for (const FileView& file : files)
    document["files"].push_back(file_document(file, variant));
  // Names in an image need not be UTF-8.
  session.print(document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
                "\n");
}

}  // namespace

int run_inspect(Session& session) {
  const auto& operands = session.options().operands;
  if (operands.empty() || operands.size() > 2) {
    throw oci::Error(oci::Errc::bad_input, "`lithify inspect` takes an image and a path")
        .add_hint("write `lithify inspect IMAGE [PATH]`");
  }
  const FoundImage found = find_image(session, parse_place(session, operands[0]));
  const ImageView image =
      wanted_part(oci::during([&] { return "reading the image " + operands[0]; },
                              [&] { return view_image(*found.images, found.root); }),
                  wanted_platforms(session.options()));
  if (operands.size() == 2) {
    show_files(session, found, image, operands[1]);
  } else if (session.options().json) {
    session.print(image_document(operands[0], image)
                      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
                  "\n");
  } else {
    session.print(image_text(operands[0], image));
  }
  return exits::k_ok;
}

}  // namespace lithify
