// lock: a lock that is accepted is written and read back as the same lock.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "oci/base/error.h"

#include "builder/plan/lock.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const lithify::Lock lock = lithify::Lock::parse(text, "lithify.lock");
    if (lithify::Lock::parse(lock.str(), "lithify.lock") != lock) std::abort();
  } catch (const oci::Error&) {
  }
  return 0;
}
