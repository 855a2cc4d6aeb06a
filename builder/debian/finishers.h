// finishers: what the scripts of ordinary packages would have done, each as a function.
// The table in builder/README.md, "Debian finishers", says which package each one serves.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

#include "builder/debian/debian_package.h"
#include "builder/debian/installed_root.h"
#include "builder/debian/shell_commands.h"

namespace lithify {

// All packages' files are in `root`; `packages` are the new ones, sorted by name.
struct Finishing {
  InstalledRoot& root;
  std::span<const UnpackedPackage> packages;

  bool has(std::string_view package) const;
};

// Each does nothing when its package is not among the new ones. The order of this list is
// the order they run in.
void finish_base_files(Finishing& finishing);
void finish_accounts(Finishing& finishing);
void finish_name_service(Finishing& finishing);
void finish_shells(Finishing& finishing);
void finish_readline(Finishing& finishing);
void finish_time_zone(Finishing& finishing);
void finish_certificates(Finishing& finishing);
void finish_libraries(Finishing& finishing);
void finish_alternatives(Finishing& finishing);

void run_finishers(Finishing& finishing);

// Whether a script's word is the path of something below the root that an image can have.
bool is_image_path(std::string_view text);

// Whether finish_accounts or finish_alternatives understands this command of a script.
bool imitates_account_command(const ShellCommand& command);
bool imitates_alternative(const ShellCommand& command);

}  // namespace lithify
