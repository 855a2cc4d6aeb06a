// StepLog: what a command writes, for whoever watches and for whoever asks later.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "oci/base/activity.h"
#include "oci/base/fd.h"

#include "builder/command/secret_mask.h"

namespace lithify {

// All of it goes to a file (0600), its lines to the activity, and the last ones are kept
// for an error. Secrets are masked in all three. One thread at a time.
class StepLog {
 public:
  // The file is made anew. `activity` outlives this object.
  StepLog(const std::filesystem::path& file, std::vector<std::string> secrets,
          oci::Activity& activity);

  void write(std::string_view text) { tell(mask_.pass(text)); }
  // Once the command has ended: what it wrote behind its last newline is a line too.
  void end();

  const std::filesystem::path& path() const { return path_; }
  const std::deque<std::string>& last_lines() const { return last_; }
  oci::Activity& activity() const { return activity_; }

 private:
  void tell(std::string_view text);
  void end_line();

  const std::filesystem::path path_;
  oci::Fd fd_;
  SecretMask mask_;
  oci::Activity& activity_;
  std::string line_;
  std::deque<std::string> last_;
};

}  // namespace lithify
