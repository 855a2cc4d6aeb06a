// strict_base64: what decodes must encode to the same.
#include "oci/sign/strict_base64.h"

#include <openssl/crypto.h>

#include "oci/base/base64.h"

namespace oci {

std::optional<std::string> strict_base64_decode(std::string_view text) {
  std::optional<std::string> bytes = base64_decode(text);
  if (!bytes) return std::nullopt;
  std::string again = base64_encode(*bytes);
  const bool same = again == text;
  // The text may be a key's.
  OPENSSL_cleanse(again.data(), again.size());
  if (same) return bytes;
  OPENSSL_cleanse(bytes->data(), bytes->size());
  return std::nullopt;
}

std::optional<std::string> any_base64_decode(std::string_view text) {
  const auto has = [&](char c) { return text.find(c) != std::string_view::npos; };
  const bool url_safe = has('-') || has('_');
  if (!url_safe && (text.size() % 4 == 0 || has('+') || has('/') || has('='))) {
    return strict_base64_decode(text);
  }
  if (has('+') || has('/')) return std::nullopt;
  std::string standard(text);
  for (char& c : standard)
    c = c == '-' ? '+' : c == '_' ? '/' : c;
  if (standard.find('=') == std::string::npos) {
    standard.append((4 - standard.size() % 4) % 4, '=');
  }
  return strict_base64_decode(standard);
}

}  // namespace oci
