// proxy: which requests go through a proxy, by the variables that libcurl reads.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace oci {

// Loopback names and addresses. No proxy is asked for them: it would look for the server
// on its own machine.
bool is_this_machine(const std::string& url);

// Whether a proxy stands between us and the server of `url`: all_proxy, http_proxy,
// https_proxy, no_proxy, in both cases. Networks in no_proxy ("10.0.0.0/8") count as if
// they were not there.
bool has_proxy(const std::string& url);

}  // namespace oci
