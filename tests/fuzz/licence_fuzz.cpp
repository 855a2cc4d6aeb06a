// licence: the copyright file of a package, as a base image of a stranger brings it.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "builder/attest/licence.h"

namespace {

// Every reference of the expression is explained, its parentheses match, and nothing
// stands in it that SPDX has no use for.
void check(const lithify::Licence& licence) {
  if (licence.expression.empty()) std::abort();
  int open = 0;
  for (const char c : licence.expression) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                       (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == ' ';
    open += c == '(' ? 1 : c == ')' ? -1 : 0;
    if (open < 0 || (!plain && c != '(' && c != ')')) std::abort();
  }
  if (open != 0) std::abort();
  for (const lithify::LicenceReference& one : licence.references) {
    if (licence.expression.find(one.id) == std::string::npos) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto licence = lithify::read_licence(text, "pkg")) check(*licence);
  return 0;
}
