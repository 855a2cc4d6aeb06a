// blob_range: the refusals that every blob store words alike.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "oci/base/error.h"
#include "oci/store/blob_store.h"

namespace oci {

// Errc::not_found; `where` names the store.
Error no_such_blob(const Digest& digest, std::string_view where);
// Errc::mismatch: the bytes that are here are more or fewer than the reference says.
Error wrong_blob_size(const BlobRef& blob, std::uint64_t found);
// Throws Errc::bad_input unless the range lies within the blob.
void check_range(const BlobRef& blob, std::uint64_t offset, std::uint64_t size);

}  // namespace oci
