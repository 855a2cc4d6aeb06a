// upload_quirks: what registries were seen to do with uploads, by name where nothing else
// tells.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "oci/registry/http_client.h"
#include "oci/registry/origin.h"

namespace oci {

// Google's take no chunks at all, whatever they say.
bool takes_chunks(const Origin& origin);
// Of some it is known that an upload that broke is lost.
bool keeps_sessions(const Origin& origin);
// Bytes of a chunk, as long as nobody asks for others.
std::uint64_t usual_chunk(const Origin& origin);

// What an answer says has arrived, "0-99" being 100 bytes. "0-0" stands for nothing as
// often as for one byte; nothing is the one that is mended. nullopt: it does not say.
std::optional<std::uint64_t> acknowledged(const HttpResponse& answer);
// OCI-Chunk-Min-Length; 0: none.
std::uint64_t least_chunk(const HttpResponse& answer);
// The session is gone, or was never there; another may work.
bool is_lost_session(const HttpResponse& answer);

}  // namespace oci
