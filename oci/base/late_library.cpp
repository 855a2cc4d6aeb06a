#include "oci/base/late_library.h"

#include <dlfcn.h>

#include <fmt/format.h>

#include "oci/base/error.h"

namespace oci {

void* LateLibrary::find(const char* name) {
  std::call_once(once_, [this] { handle_ = ::dlopen(file_, RTLD_NOW | RTLD_LOCAL); });
  void* const found = handle_ == nullptr ? nullptr : ::dlsym(handle_, name);
  if (found != nullptr) return found;
  throw Error(Errc::machine, fmt::format("{} cannot be used: {}", file_, ::dlerror()))
      .add_note(fmt::format("lithify loads it when {}", when_))
      .add_hint(fmt::format("install it: `apt-get install {}`", package_));
}

}  // namespace oci
