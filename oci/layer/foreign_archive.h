// foreign_archive: the archives that are no tar: zip and ar. Read by libarchive.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "oci/base/stream.h"
#include "oci/layer/layer_reader.h"

namespace oci {

// By the first bytes.
bool is_foreign_archive(std::string_view first);

// `first` are the first bytes of `from`, which still gives them. A zip's list of members
// is at its end, so a zip is kept in an unnamed temporary file while it is read; the
// others stream.
std::unique_ptr<ArchiveReader> read_foreign_archive(std::unique_ptr<Source> from,
                                                    std::string_view first,
                                                    std::string name,
                                                    const ArchiveLimits& limits);

}  // namespace oci
