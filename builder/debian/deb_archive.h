// DebArchive: the two archives inside a .deb, in the order they stand there.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "oci/base/stream.h"
#include "oci/layer/layer_reader.h"

namespace lithify {

using DebPart = std::function<void(oci::ArchiveReader&)>;

// Reads a .deb (deb(5), format 2.x) to its last byte: hands control.tar to `control`,
// then data.tar to `data`, each once; what they leave unread is skipped and still
// checked. Refused with Errc::bad_input: another format, members that are missing, out of
// order, repeated or unknown (those whose name starts with '_' are allowed and ignored),
// sizes that leave the file, and a member whose bytes are not what its name says: plain,
// gz, xz and zst, and for data.tar also bz2 and lzma. `name` stands for the package in
// messages.
void read_deb(std::unique_ptr<oci::Source> from, const std::string& name,
              const DebPart& control, const DebPart& data);

// The text of the package's control file. Nothing behind control.tar is read. Errors as
// read_deb; at most 1 MiB.
std::string control_file_of(std::unique_ptr<oci::Source> from, const std::string& name);

}  // namespace lithify
