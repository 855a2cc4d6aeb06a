// launcher_program: the launcher, which is part of this program, as a running process.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <sys/resource.h>
#include <sys/types.h>

#include "oci/base/fd.h"

namespace lithify {

// A launcher that was started and has its plan. Killed and waited for when dropped.
class Launcher {
 public:
  // What become its standard output and error, which may be the same. None: it has our
  // streams.
  struct Streams {
    int out;
    int err;
  };
  // Errc::machine if no process can be made.
  Launcher(const std::string& plan, const std::optional<Streams>& streams);
  ~Launcher();
  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;

  pid_t pid() const { return pid_; }
  int control() const { return control_.get(); }
  // Everything that it started is gone afterwards: it ends its namespace first.
  void ask_to_end();
  void kill();
  // Waits; the status as waitpid gives it, with what it and its children used.
  int wait(rusage& used);

 private:
  pid_t pid_ = -1;
  oci::Fd control_;
  bool waited_ = false;
};

}  // namespace lithify
