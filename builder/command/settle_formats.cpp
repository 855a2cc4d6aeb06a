#include "builder/command/settle_formats.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <memory>

#include <openssl/evp.h>

namespace lithify {

namespace {

constexpr std::uint32_t k_keystore = 0xfeedfeed;
constexpr std::uint32_t k_trusted = 2;
constexpr std::size_t k_sum = 20;
// "changeit" in UTF-16, and the words that Java's JavaKeyStore.java mixes in.
constexpr std::string_view k_password("\0c\0h\0a\0n\0g\0e\0i\0t", 16);
constexpr std::string_view k_words = "Mighty Aphrodite";

// fontconfig's FcCache: magic, version, size, dir, dirs, dirs_count, set, checksum,
// checksum_nano.
constexpr std::uint64_t k_mapped_cache = 0xfc02fc04;
constexpr std::size_t k_directory = 16;
constexpr std::size_t k_time = 48;
constexpr std::size_t k_nanoseconds = 56;
constexpr std::size_t k_header = 64;
constexpr std::size_t k_longest_path = 4096;

// Big-endian values from the front of a text; once it is too short all are 0.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::string_view take(std::size_t size) {
    if (size > rest_.size()) {
      good_ = false;
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  std::uint64_t number(std::size_t size) {
    std::uint64_t value = 0;
    for (const char c : take(size))
      value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  std::string_view text() { return take(number(2)); }
  bool good() const { return good_; }
  bool done() const { return good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

void put(std::string& to, std::uint64_t value, std::size_t size) {
  for (std::size_t i = size; i-- > 0;)
    to += static_cast<char>(value >> (8 * i));
}

std::string keystore_sum(std::string_view content) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  if (!context || EVP_DigestInit_ex(context.get(), EVP_sha1(), nullptr) != 1) return {};
  for (const std::string_view part : {k_password, k_words, content})
    EVP_DigestUpdate(context.get(), part.data(), part.size());
  EVP_DigestFinal_ex(context.get(), digest.data(), &size);
  return {reinterpret_cast<const char*>(digest.data()), size};
}

std::uint64_t little(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;)
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

}  // namespace

std::optional<std::string> settled_keystore(std::string_view bytes, std::int64_t time) {
  if (bytes.size() < k_sum + 12) return std::nullopt;
  const std::string_view content = bytes.substr(0, bytes.size() - k_sum);
  Reader reader(content);
  if (reader.number(4) != k_keystore) return std::nullopt;
  const std::uint64_t version = reader.number(4);
  const std::uint64_t count = reader.number(4);
  if ((version != 1 && version != 2) || count > content.size()) return std::nullopt;
  if (keystore_sum(content) != bytes.substr(content.size())) return std::nullopt;
  std::map<std::string_view, std::string> entries;  // alias to what follows the time
  for (std::uint64_t i = 0; i < count; ++i) {
    if (reader.number(4) != k_trusted) return std::nullopt;
    const std::string_view alias = reader.text();
    reader.number(8);
    std::string rest;
    if (version == 2) {
      const std::string_view type = reader.text();
      put(rest, type.size(), 2);
      rest += type;
    }
    const std::string_view certificate = reader.take(reader.number(4));
    put(rest, certificate.size(), 4);
    rest += certificate;
    if (!reader.good() || !entries.emplace(alias, std::move(rest)).second)
      return std::nullopt;
  }
  if (!reader.done()) return std::nullopt;
  std::string settled(content.substr(0, 12));
  for (const auto& [alias, rest] : entries) {
    put(settled, k_trusted, 4);
    put(settled, alias.size(), 2);
    settled += alias;
    put(settled, static_cast<std::uint64_t>(time) * 1000, 8);
    settled += rest;
  }
  settled += keystore_sum(settled);
  return settled;
}

std::string fontconfig_directory(std::string_view bytes) {
  if (bytes.size() < k_header || little(bytes, 0, 4) != k_mapped_cache ||
      little(bytes, 8, 8) != bytes.size())
    return {};
  const std::uint64_t at = little(bytes, k_directory, 8);
  if (at >= bytes.size()) return {};
  const std::string_view path = bytes.substr(at, k_longest_path);
  const std::size_t end = path.find('\0');
  return end == std::string_view::npos ? std::string() : std::string(path.substr(0, end));
}

std::string settled_fontconfig_cache(std::string bytes, std::int64_t time) {
  const auto seconds = static_cast<std::uint32_t>(time);
  for (std::size_t i = 0; i < 4; ++i)
    bytes[k_time + i] = static_cast<char>(seconds >> (8 * i));
  std::fill_n(bytes.begin() + k_nanoseconds, 8, '\0');
  return bytes;
}

}  // namespace lithify
