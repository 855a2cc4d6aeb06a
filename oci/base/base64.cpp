// base64: six bits at a time.
#include "oci/base/base64.h"

#include <array>
#include <cstdint>

namespace oci {

namespace {

constexpr std::string_view k_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::uint8_t k_no_digit = 64;

constexpr std::array<std::uint8_t, 256> make_values() {
  std::array<std::uint8_t, 256> values{};
  values.fill(k_no_digit);
  for (std::size_t i = 0; i < k_digits.size(); ++i)
    values[static_cast<unsigned char>(k_digits[i])] = static_cast<std::uint8_t>(i);
  return values;
}
constexpr std::array<std::uint8_t, 256> k_values = make_values();

}  // namespace

std::string base64_encode(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6)
      text += k_digits[bits >> (count - 6) & 63];
  }
  if (count > 0) text += k_digits[bits << (6 - count) & 63];
  text.append((4 - text.size() % 4) % 4, '=');
  return text;
}

std::optional<std::string> base64_decode(std::string_view text) {
  const std::size_t end = text.find_last_not_of('=') + 1;
  const std::size_t padding = text.size() - end;
  if (padding > 2 || end % 4 == 1 || (padding != 0 && text.size() % 4 != 0)) {
    return std::nullopt;
  }
  std::string bytes;
  bytes.reserve(end / 4 * 3 + 2);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text.substr(0, end)) {
    const std::uint8_t value = k_values[static_cast<unsigned char>(c)];
    if (value == k_no_digit) return std::nullopt;
    bits = bits << 6 | value;
    if ((count += 6) >= 8) bytes += static_cast<char>(bits >> (count -= 8) & 0xff);
  }
  return bytes;
}

}  // namespace oci
