// network_address: a table of what is inside, and its neighbours outside.
#include "oci/registry/network_address.h"

#include <arpa/inet.h>
#include <cstring>
#include <netinet/in.h>
#include <string>
#include <sys/un.h>

#include "tests/support/catch.h"

using oci::is_private_address;

namespace {

bool as_socket_address(const std::string& text) {
  sockaddr_storage storage{};
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  if (::inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    std::memcpy(&storage, &v4, sizeof v4);
  } else {
    REQUIRE(::inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1);
    std::memcpy(&storage, &v6, sizeof v6);
  }
  return is_private_address(reinterpret_cast<const sockaddr&>(storage));
}

}  // namespace

TEST_CASE("addresses of this machine, its networks and clouds are private") {
  const std::string text = GENERATE(
      "0.0.0.0", "0.1.2.3", "10.0.0.0", "10.255.255.255", "100.64.0.1", "100.127.255.255",
      "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255",
      "192.0.0.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "224.0.0.1",
      "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.1.2.3",
      "::10.1.2.3", "64:ff9b::169.254.169.254", "fc00::1", "fd00:ec2::254", "fe80::1",
      "febf::1", "fec0::1", "ff02::1");
  CAPTURE(text);
  CHECK(is_private_address(text));
  CHECK(as_socket_address(text));
}

TEST_CASE("addresses of the open network are not private") {
  const std::string text =
      GENERATE("1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
               "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0",
               "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255",
               "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
               "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2001:4860:4860::8888", "2a00::1");
  CAPTURE(text);
  CHECK_FALSE(is_private_address(text));
  CHECK_FALSE(as_socket_address(text));
}

TEST_CASE("text that is no address is a name, which is looked at when it is one") {
  for (const char* text : {"", "localhost", "127.1", "0x7f000001", "2130706433", "[::1]"})
    CHECK_FALSE(is_private_address(std::string_view(text)));
  CHECK(is_private_address(std::string_view("fe80::1%eth0")));
}

TEST_CASE("families that are not known are private") {
  sockaddr address{};
  address.sa_family = AF_UNIX;
  CHECK(is_private_address(address));
}
