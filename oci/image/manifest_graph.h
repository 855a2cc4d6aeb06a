// manifest_graph: which documents point where, and documents kept as blobs.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "oci/image/manifest.h"
#include "oci/image/repository.h"

namespace oci {

// Indexes within indexes within …: real images have one.
inline constexpr int k_max_index_depth = 4;

// Registries take manifests and indexes up to here (distribution-spec, "Pushing
// Manifests").
inline constexpr std::size_t k_max_manifest = 4 * 1024 * 1024;

bool is_index(std::string_view media_type);
// A manifest or an index, as opposed to a blob.
bool is_document(std::string_view media_type);

// True for an entry of an index that is about another one of them, as BuildKit's
// attestation-storage.md has it: no image, whatever its media type says.
bool is_about_another(const Descriptor& entry);

// What the document `which` is made of, in its order: an index's entries; a manifest's
// config and layers. A subject is not among them: it is what the document is about.
std::vector<Descriptor> children(const Descriptor& which, std::string_view document);

// Where manifests are blobs (layout, store): reads and writes one. Refuses documents over
// 4 MiB (Errc::bad_input) and content that is not `which` (Errc::mismatch).
// The first two refuse the same for places that keep documents elsewhere.
void check_manifest_size(const Descriptor& which);
void check_manifest(const Descriptor& which, Bytes content);
std::string read_manifest(const BlobStore& from, const Descriptor& which);
void write_manifest(BlobStore& to, const Descriptor& which, Bytes content);

// A manifest's or an index's text, put under the name that describes it.
Descriptor put_document(Repository& to, std::string_view text,
                        std::string_view media_type);

// Everything reachable from `root`, children before parents, each once.
std::vector<Descriptor> closure(const Repository& of, const Descriptor& root);

}  // namespace oci
