// tls_error: certificates that are not believed, theirs and ours.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "oci/base/error.h"
#include "oci/registry/http_client.h"

namespace oci {

// Errc::denied with the way out. `why` is what the TLS library says.
Error not_trusted(const HttpRequest& request, const std::string& why);

// If `why` is a server's alert about the certificate we showed, or did not: Errc::denied.
std::optional<Error> client_certificate_error(const HttpRequest& request,
                                              const std::string& why);

}  // namespace oci
