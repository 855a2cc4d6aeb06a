// server_error: what a registry says went wrong, made fit to be told.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "oci/base/error.h"
#include "oci/registry/http_client.h"

namespace oci {

// distribution-spec, "Error Codes", and what servers send instead.
struct ServerProblem {
  std::string code;     // "MANIFEST_UNKNOWN"; empty if the server names none
  std::string message;  // one line, no control or bidirectional characters, ≤ 400 bytes
};

// Never throws: HTML, plain text, an empty or a broken body are told as far as they go.
std::vector<ServerProblem> read_problems(const HttpResponse& answer);

// True if one of the answer's problems has that code.
bool has_code(const HttpResponse& answer, std::string_view code);

// Text of strangers in one line: control, bidirectional and invalid characters become
// "?", the rest is cut at `most` bytes.
std::string harmless(std::string_view text, std::size_t most = 400);

// `doing` failed with this answer: "pushing the manifest …: registry.example answers 400
// MANIFEST_INVALID: …". 401 and 403 are Errc::denied, 404 not_found, 408, 429 and 5xx
// unavailable, the rest bad_input.
Error server_error(const HttpResponse& answer, std::string_view url,
                   std::string_view doing);

}  // namespace oci
