// shell_commands: the simple commands of a maintainer script, read and never run.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lithify {

struct ShellWord {
  std::string text;     // quotes taken away; $DPKG_ROOT is empty, as in a running system
  bool literal = true;  // no expansion decides what it is
};

struct ShellCommand {
  std::vector<ShellWord> words;      // without assignments before the command
  std::vector<ShellWord> redirects;  // files that it writes
  // Where it stands: in a part that a first installation does not reach (an upgrade, a
  // removal, a trigger), or in a block of debhelper's.
  bool not_on_install = false;
  std::string debhelper;  // "dh_installsystemd/13.11.4", or empty
  std::string function;   // the function of the script that it stands in, or empty

  std::string_view name() const {
    return words.empty() ? std::string_view() : std::string_view(words[0].text);
  }
};

// A rough reading of POSIX shell: quotes, comments, here-documents, lists, if, case,
// loops and functions. What it cannot read it leaves out. Conditions are commands too.
// Never throws on hostile text; time is linear in its length.
std::vector<ShellCommand> read_commands(std::string_view script);

}  // namespace lithify
