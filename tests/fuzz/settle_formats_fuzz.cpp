// Files that a maintainer script left where key stores and font caches lie.
#include <string_view>

#include "builder/command/settle_formats.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto settled = lithify::settled_keystore(bytes, 315532800)) {
    // Settling is done once.
    if (lithify::settled_keystore(*settled, 315532800) != *settled) __builtin_trap();
  }
  if (!lithify::fontconfig_directory(bytes).empty())
    lithify::settled_fontconfig_cache(std::string(bytes), 315532800);
  return 0;
}
