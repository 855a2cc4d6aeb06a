// LateLibrary: a shared library that is loaded when its first function is called, for one
// that brings many others with it, which would cost each start of the program.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>

namespace oci {

class LateLibrary {
 public:
  // `file` as the dynamic linker knows it, with its ABI's number; `package` is the
  // Debian package that has it; `when` completes "lithify loads it when …". All three
  // must outlive the library.
  constexpr LateLibrary(const char* file, const char* package, const char* when)
      : file_(file), package_(package), when_(when) {}

  // The library's own function of that type and name; never null. May be called by
  // several threads. Throws Errc::machine with the package to install.
  template <class Function>
  Function* function(Function*, const char* name) {
    return reinterpret_cast<Function*>(find(name));
  }

 private:
  void* find(const char* name);

  const char* file_;
  const char* package_;
  const char* when_;
  std::once_flag once_;
  void* handle_ = nullptr;  // never closed: its functions are remembered by callers
};

}  // namespace oci
