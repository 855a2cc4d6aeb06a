#include "oci/base/descriptor.h"

#include <algorithm>
#include <sys/utsname.h>
#include <vector>

namespace oci {

namespace {

std::string go_architecture(std::string_view name) {
  if (name == "x86_64") return "amd64";
  if (name == "aarch64") return "arm64";
  if (name == "armv7l" || name == "armhf") return "arm";
  if (name == "i386" || name == "i686") return "386";
  if (name == "ppc64el") return "ppc64le";
  return std::string(name);
}

bool is_word(std::string_view word) {
  return !word.empty() && word.size() <= 32 && word.front() != '.' &&
         std::all_of(word.begin(), word.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
                  c == '.';
         });
}

}  // namespace

std::optional<Platform> Platform::parse(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t slash = std::min(text.find('/', start), text.size());
    words.push_back(text.substr(start, slash - start));
    start = slash + 1;
  }
  if (words.size() < 2 || words.size() > 3) return std::nullopt;
  if (!std::all_of(words.begin(), words.end(), is_word)) return std::nullopt;
  Platform platform{std::string(words[0]), go_architecture(words[1]), ""};
  if (words.size() == 3) platform.variant = words[2];
  if (platform.architecture == "arm64" && platform.variant == "v8")
    platform.variant.clear();
  if (platform.architecture == "arm" && platform.variant.empty()) platform.variant = "v7";
  return platform;
}

Platform Platform::host() {
  utsname name{};
  uname(&name);
  Platform platform{"linux", go_architecture(name.machine), ""};
  if (platform.architecture == "arm") platform.variant = "v7";
  return platform;
}

std::string Platform::str() const {
  return os + "/" + architecture + (variant.empty() ? "" : "/" + variant);
}

}  // namespace oci
