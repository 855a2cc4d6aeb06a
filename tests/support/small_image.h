// small_image: an image and an index of fixed bytes, for tests of the places that keep
// them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "oci/image/manifest.h"
#include "oci/image/manifest_graph.h"

// A tar of one regular file, two zero blocks at the end: what `tar` would need to print.
inline std::string small_tar(const std::string& name, const std::string& content) {
  std::string header(512, '\0');
  const auto put = [&](std::size_t at, const std::string& text) {
    header.replace(at, text.size(), text);
  };
  const auto octal = [](std::uint64_t number, int digits) {
    std::string text;
    for (int i = 0; i < digits; ++i, number /= 8)
      text.insert(text.begin(), static_cast<char>('0' + number % 8));
    return text;
  };
  put(0, name);
  put(100, octal(0644, 7));
  put(108, octal(0, 7));
  put(116, octal(0, 7));
  put(124, octal(content.size(), 11));
  put(136, octal(315532800, 11));
  put(148, "        ");
  put(156, "0");
  put(257, std::string("ustar\0", 6) + "00");
  std::uint64_t sum = 0;
  for (const char c : header)
    sum += static_cast<unsigned char>(c);
  put(148, octal(sum, 6) + std::string("\0 ", 2));
  std::string tar = header + content;
  tar.resize((tar.size() + 511) / 512 * 512);
  return tar + std::string(1024, '\0');
}

// One layer with /<name>; the image runs nothing.
inline oci::Descriptor put_small_image(oci::Repository& to, const std::string& name,
                                       const std::string& architecture = "amd64") {
  const std::string tar = small_tar(name, "content of " + name + "\n");
  const oci::BlobRef layer = oci::put(to, tar);
  oci::ImageConfig config{{"linux", architecture, ""}, "1980-01-01T00:00:00Z"};
  config.diff_ids = {layer.digest};
  config.history = {{"1980-01-01T00:00:00Z", "copy " + name}};
  config.cmd = {{"/" + name}};
  const std::string text = config.str();
  oci::put(to, text);
  const oci::Manifest manifest{
      "",
      "",
      oci::describe(text, oci::media_type::k_config),
      {{std::string(oci::media_type::k_layer), layer.digest, layer.size}}};
  return oci::put_document(to, manifest.str(), oci::media_type::k_manifest);
}

// Two platforms.
inline oci::Descriptor put_small_index(oci::Repository& to, const std::string& name) {
  oci::Index index;
  for (const char* architecture : {"amd64", "arm64"}) {
    oci::Descriptor image = put_small_image(to, name, architecture);
    image.platform = oci::Platform{"linux", architecture, ""};
    index.manifests.push_back(image);
  }
  return oci::put_document(to, index.str(), oci::media_type::k_index);
}
