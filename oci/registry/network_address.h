// network_address: which addresses the world outside has no business to send us to.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <sys/socket.h>

namespace oci {

// Loopback, private, link-local (a cloud's metadata service among them), multicast and
// unspecified addresses, IPv4 also where it hides in IPv6. Unknown families are.
bool is_private_address(const sockaddr& address);
// The same of a numeric address; false of any other text.
bool is_private_address(std::string_view text);

}  // namespace oci
