// gpgv: runs the program that checks OpenPGP signatures.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lithify {

struct GpgvResult {
  int exit_code = 0;   // -1: killed
  std::string output;  // the signed text
  std::string status;  // lines that begin with [GNUPG:]
};

// `program --keyring … --output - ` with `message` on its standard input. The keyrings
// may be binary or armored. Throws Errc::machine if it cannot be run.
GpgvResult run_gpgv(const std::string& program, const std::vector<std::string>& keyrings,
                    std::string_view message);

}  // namespace lithify
