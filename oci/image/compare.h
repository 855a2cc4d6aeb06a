// compare: what two images do not have in common, down to the first byte that differs.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "oci/image/repository.h"

namespace oci {

// It stands here and not beside building because it needs nothing but the formats: it
// tells what differs, never why.
struct ImageDifference {
  enum class Kind {
    document,  // a member of the index, a manifest or a configuration
    platform,  // an image that only one index has
    layer,     // a layer that only one image has
    encoding,  // one tar, compressed into two blobs
    member,    // a member that only one layer has
    header,    // a field of a member
    content,   // the bytes of a regular file
    framing,   // the tars hold the same members in other bytes
  };
  Kind kind = Kind::document;
  std::string platform = {};  // "linux/amd64"; empty: of the index
  // "index", "manifest" or "configuration"; empty: of a layer.
  std::string document = {};
  std::size_t layer = 0;        // counted from 1, as in the first image; 0: none
  std::size_t other_layer = 0;  // where the second image has it
  // Of a member, without leading slash, as the tar spells whiteouts ("a/.wh.b"). Bytes,
  // not text.
  std::string path = {};
  // Of a document: "config.Env[2]". Of a header: "type", "mode", "uid", "gid", "mtime",
  // "size", "linkname", "device", or a pax keyword. Of framing: the field of a tar
  // header.
  std::string field = {};
  // What each has there, for people; nullopt: nothing. Contents: up to k_excerpt bytes
  // from the offset on, raw.
  std::optional<std::string> first = {};
  std::optional<std::string> second = {};
  std::uint64_t offset = 0;  // of content and framing, in bytes from their beginning
  std::string before = {};   // the bytes in front of it, which are the same
  std::string head = {};     // the first bytes of the first image's file: its kind

  static constexpr std::size_t k_excerpt = 48;
  bool operator==(const ImageDifference&) const = default;
};

struct ImageComparison {
  Digest first;
  Digest second;
  // Documents before layers, in the order of the first image; the consequences that one
  // difference has in documents above it (digests, sizes) are not told again.
  std::vector<ImageDifference> differences;
  std::uint64_t left_out = 0;  // differences beyond the limit

  // Equal digests are equal bytes; nothing else is equality.
  bool equal() const { return first == second; }
};

// One of two images, and where it is. Both outlive the call.
struct ComparedImage {
  const Repository& images;
  const Descriptor& root;
};

// Reads only what has different digests, layers as streams: no more than the headers of
// one layer are held, and those only where its members stand in no order. Platforms are
// paired by name, layers from both ends by diff id, so that one that was put between
// others is told as that. Errc::bad_input for what cannot be read; Cancelled. At most
// `most` differences are told.
ImageComparison compare_images(const ComparedImage& first, const ComparedImage& second,
                               std::stop_token stop = {}, std::size_t most = 500);

}  // namespace oci
