#include "oci/registry/upload_quirks.h"

#include <charconv>

#include "oci/registry/server_error.h"

namespace oci {

namespace {

constexpr std::uint64_t k_mib = 1 << 20;
constexpr std::uint64_t k_chunk = 16 * k_mib;
constexpr std::uint64_t k_ghcr_chunk = 4 * k_mib;  // refuses ranges above that

bool is_github(const Origin& origin) {
  return origin.host == "ghcr.io";
}

}  // namespace

bool takes_chunks(const Origin& origin) {
  return !origin.host.ends_with(".pkg.dev") && origin.host != "gcr.io" &&
         !origin.host.ends_with(".gcr.io");
}

bool keeps_sessions(const Origin& origin) {
  return takes_chunks(origin) && !is_github(origin) &&
         !origin.host.ends_with(".amazonaws.com");
}

std::uint64_t usual_chunk(const Origin& origin) {
  return is_github(origin) ? k_ghcr_chunk : k_chunk;
}

std::optional<std::uint64_t> acknowledged(const HttpResponse& answer) {
  const std::string* range = answer.header("range");
  if (range == nullptr) return std::nullopt;
  std::string_view text = *range;
  if (text.substr(0, 6) == "bytes=") text.remove_prefix(6);
  if (text.substr(0, 2) != "0-") return std::nullopt;
  std::uint64_t last = 0;
  const auto [end, error] =
      std::from_chars(text.data() + 2, text.data() + text.size(), last);
  if (error != std::errc() || end != text.data() + text.size() || last == UINT64_MAX)
    return std::nullopt;
  return last == 0 ? 0 : last + 1;
}

std::uint64_t least_chunk(const HttpResponse& answer) {
  const std::string* text = answer.header("oci-chunk-min-length");
  std::uint64_t value = 0;
  if (text != nullptr) std::from_chars(text->data(), text->data() + text->size(), value);
  return value;
}

bool is_lost_session(const HttpResponse& answer) {
  return has_code(answer, "BLOB_UPLOAD_UNKNOWN") ||
         has_code(answer, "BLOB_UPLOAD_INVALID");
}

}  // namespace oci
