// Descriptor: what a blob is, how big, and its name; the edge of every OCI graph.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "oci/base/digest.h"

namespace oci {

// OCI image-spec, image-index.md, "platform".
struct Platform {
  std::string os = "linux";
  std::string architecture;  // GOARCH names: amd64, arm64, arm, …
  std::string variant;       // "v7", "v8" or empty

  // "linux/arm64" or "linux/arm/v7"; "arm64/v8" is normalised to "arm64", "x86_64" and
  // "aarch64" are taken for their GOARCH names. nullopt if it is no platform.
  static std::optional<Platform> parse(std::string_view text);
  static Platform host();
  std::string str() const;

  auto operator<=>(const Platform&) const = default;
};

// OCI image-spec, descriptor.md.
struct Descriptor {
  std::string media_type;
  Digest digest;
  std::uint64_t size;
  std::optional<Platform> platform = {};
  std::map<std::string, std::string> annotations = {};  // ordered: it is hashed
  std::string artifact_type = {};  // of an artifact's manifest, in lists of referrers
  auto operator<=>(const Descriptor&) const = default;
};

namespace media_type {
inline constexpr std::string_view k_manifest =
    "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view k_index = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view k_config = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view k_layer = "application/vnd.oci.image.layer.v1.tar";
inline constexpr std::string_view k_layer_gzip =
    "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr std::string_view k_layer_zstd =
    "application/vnd.oci.image.layer.v1.tar+zstd";
inline constexpr std::string_view k_docker_manifest =
    "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view k_docker_index =
    "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view k_docker_config =
    "application/vnd.docker.container.image.v1+json";
inline constexpr std::string_view k_docker_layer_gzip =
    "application/vnd.docker.image.rootfs.diff.tar.gzip";
}  // namespace media_type

}  // namespace oci
