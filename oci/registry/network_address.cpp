#include "oci/registry/network_address.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cstdint>
#include <cstring>
#include <netinet/in.h>
#include <string>

namespace oci {

namespace {

struct Range {
  std::uint32_t network;  // host order
  int bits;
};

// RFC 6890 and its kin: what is not for the open network.
constexpr std::array<Range, 12> k_ranges = {{{0x00000000, 8},   // 0.0.0.0
                                             {0x0a000000, 8},   // 10.0.0.0
                                             {0x64400000, 10},  // 100.64.0.0, carriers
                                             {0x7f000000, 8},   // 127.0.0.0
                                             {0xa9fe0000, 16},  // 169.254.0.0
                                             {0xac100000, 12},  // 172.16.0.0
                                             {0xc0000000, 24},  // 192.0.0.0
                                             {0xc0a80000, 16},  // 192.168.0.0
                                             {0xc6120000, 15},  // 198.18.0.0, benchmarks
                                             {0xe0000000, 4},   // multicast
                                             {0xf0000000, 4},   // reserved
                                             {0xffffffff, 32}}};

bool is_private_v4(std::uint32_t address) {
  return std::any_of(k_ranges.begin(), k_ranges.end(), [&](const Range& range) {
    const std::uint32_t mask = ~std::uint32_t{0} << (32 - range.bits);
    return (address & mask) == (range.network & mask);
  });
}

std::uint32_t v4_at(const std::uint8_t* bytes) {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 |
         std::uint32_t{bytes[2]} << 8 | bytes[3];
}

bool is_private_v6(const in6_addr& address) {
  const std::uint8_t* bytes = address.s6_addr;
  const bool zeros = std::all_of(bytes, bytes + 10, [](auto byte) { return byte == 0; });
  // ::ffff:a.b.c.d and the old ::a.b.c.d, :: and ::1 among them.
  if (zeros && (bytes[10] == bytes[11]) && (bytes[10] == 0xff || bytes[10] == 0)) {
    return is_private_v4(v4_at(bytes + 12));
  }
  // 64:ff9b::a.b.c.d, a translator's (RFC 6052).
  constexpr std::array<std::uint8_t, 12> k_nat64 = {0, 0x64, 0xff, 0x9b};
  if (std::equal(k_nat64.begin(), k_nat64.end(), bytes)) {
    return is_private_v4(v4_at(bytes + 12));
  }
  const bool unique_local = (bytes[0] & 0xfe) == 0xfc;
  const bool link_local = bytes[0] == 0xfe && (bytes[1] & 0x80) == 0x80;
  return unique_local || link_local || bytes[0] == 0xff;
}

}  // namespace

bool is_private_address(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof v4);
    return is_private_v4(ntohl(v4.sin_addr.s_addr));
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof v6);
    return is_private_v6(v6.sin6_addr);
  }
  return true;
}

bool is_private_address(std::string_view text) {
  const std::string copy(text.substr(0, text.find('%')));
  in_addr v4{};
  if (::inet_pton(AF_INET, copy.c_str(), &v4) == 1) {
    return is_private_v4(ntohl(v4.s_addr));
  }
  in6_addr v6{};
  return ::inet_pton(AF_INET6, copy.c_str(), &v6) == 1 && is_private_v6(v6);
}

}  // namespace oci
