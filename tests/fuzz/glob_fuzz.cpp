// glob: a pattern, a newline, and a path.
#include <cstdint>
#include <string_view>

#include "oci/base/error.h"

#include "builder/plan/glob.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t line = text.find('\n');
  if (line == std::string_view::npos || size > 8192) return 0;
  const std::string_view path = text.substr(line + 1);
  try {
    const lithify::Glob glob(text.substr(0, line));
    (void)glob.matches(path);
    (void)glob.covers(path);
    const std::string pattern(text.substr(0, line));
    (void)lithify::PathFilter({pattern}, {"a/**"}).takes(path);
  } catch (const oci::Error&) {
  }
  return 0;
}
