// Files of known formats, without the clock.
#include "builder/command/settle_formats.h"

#include <array>

#include <openssl/evp.h>

#include "tests/support/catch.h"

namespace lithify {
namespace {

std::string big(std::uint64_t value, int size) {
  std::string text;
  while (size-- > 0)
    text += static_cast<char>(value >> (8 * size));
  return text;
}

std::string little(std::uint64_t value, int size) {
  std::string text = big(value, size);
  return {text.rbegin(), text.rend()};
}

std::string with_sum(const std::string& content) {
  const std::string all =
      std::string("\0c\0h\0a\0n\0g\0e\0i\0t", 16) + "Mighty Aphrodite" + content;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(all.data(), all.size(), digest.data(), &size, EVP_sha1(), nullptr);
  return content + std::string(reinterpret_cast<const char*>(digest.data()), size);
}

std::string entry(const std::string& alias, std::uint64_t time,
                  const std::string& certificate, std::uint32_t tag = 2) {
  return big(tag, 4) + big(alias.size(), 2) + alias + big(time, 8) + big(5, 2) + "X.509" +
         big(certificate.size(), 4) + certificate;
}

std::string keystore(const std::string& entries, std::uint32_t count) {
  return with_sum(big(0xfeedfeed, 4) + big(2, 4) + big(count, 4) + entries);
}

std::string cache(const std::string& directory, std::uint64_t time) {
  const std::uint64_t size = 64 + directory.size() + 1;
  return little(0xfc02fc04, 4) + little(8, 4) + little(size, 8) + little(64, 8) +
         little(size, 8) + little(0, 8) + little(size, 8) + little(time, 8) +
         little(time, 8) + directory + std::string(1, '\0');
}

}  // namespace

TEST_CASE("certificates of a key store have one time and stand by name") {
  const std::string made =
      keystore(entry("b", 1700000000123, "two") + entry("a", 1700000000456, "one"), 2);
  CHECK(settled_keystore(made, 315532800) ==
        keystore(entry("a", 315532800000, "one") + entry("b", 315532800000, "two"), 2));
}

TEST_CASE("what is no key store of certificates stays as it is") {
  const std::string good = keystore(entry("a", 7, "one"), 1);
  REQUIRE(settled_keystore(good, 1));
  std::string other_password = good;
  other_password.back() ^= 1;
  CHECK_FALSE(settled_keystore(other_password, 1));
  CHECK_FALSE(settled_keystore(keystore(entry("a", 7, "one", 1), 1), 1));
  CHECK_FALSE(settled_keystore(keystore(entry("a", 7, "one"), 2), 1));
  CHECK_FALSE(settled_keystore(keystore(entry("a", 7, "one") + "more", 1), 1));
  CHECK_FALSE(
      settled_keystore(keystore(entry("a", 7, "one") + entry("a", 7, "two"), 2), 1));
  for (std::size_t size = 0; size < good.size(); ++size)
    CHECK_FALSE(settled_keystore(good.substr(0, size), 1));
}

TEST_CASE("a font cache holds for its directory as old as it is in the image") {
  const std::string made = cache("/usr/share/fonts", 1700000000);
  CHECK(fontconfig_directory(made) == "/usr/share/fonts");
  const std::string settled = settled_fontconfig_cache(made, 315532800);
  CHECK(settled.substr(48, 4) == little(315532800, 4));
  CHECK(settled.substr(56, 8) == little(0, 8));
  CHECK(settled.substr(64) == made.substr(64));
  for (std::size_t size = 0; size < made.size(); ++size)
    CHECK(fontconfig_directory(made.substr(0, size)).empty());
}

}  // namespace lithify
