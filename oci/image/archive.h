// archive: images as one tar file: OCI archive and docker archive, out and in.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>

#include "oci/image/repository.h"

namespace oci {

// Writes everything reachable from `root` as an OCI layout in a tar: names ascending,
// 0644, 0:0, mtime 315532800, so that equal images give equal files. `name` becomes the
// ref.name annotation. Throws Cancelled when `stop` is requested.
void write_oci_archive(const Repository& from, const Descriptor& root,
                       const std::string& name, Sink& to, std::stop_token stop = {});

// The form `docker load` and `podman load` take: manifest.json, config, layer tars
// (uncompressed). `root` is an image manifest, not an index. `reference` is "name:tag".
// Throws Cancelled when `stop` is requested.
void write_docker_archive(const Repository& from, const Descriptor& root,
                          const std::string& reference, Sink& to,
                          std::stop_token stop = {});

// Reads an OCI archive or a docker archive from disk, in place.
std::unique_ptr<Repository> open_archive(const std::filesystem::path& file);

}  // namespace oci
