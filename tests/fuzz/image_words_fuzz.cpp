// image_words: a stranger's package lists, and two texts that may hold times.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "builder/compare/clock_text.h"
#include "builder/compare/package_owners.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  lithify::PackageOwners owners;
  owners.add("var/lib/dpkg/status", text);
  owners.add("var/lib/dpkg/info/a.list", text);
  owners.add("var/lib/dpkg/status.d/b.md5sums", text);
  owners.owner_of("usr/a");
  const std::string_view before = text.substr(0, size / 3);
  const std::string_view first = text.substr(size / 3, size / 3);
  const std::string_view second = text.substr(size / 3 * 2);
  const auto times = lithify::clock_text(before, first, second);
  if (times && times->first.size() != times->second.size()) std::abort();
  return 0;
}
