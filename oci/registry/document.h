// document: what a registry's answers say of manifests, tags and pages.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci/base/descriptor.h"
#include "oci/registry/http_client.h"

namespace oci {

// The descriptor of `text`, which `reference` (a tag or a digest) was answered with. Its
// digest is that of the bytes; Errc::mismatch if the reference or the server's header
// names another, Errc::bad_input if Content-Type and mediaType say different things or it
// is docker's schema 1.
Descriptor described(const HttpResponse& answer, std::string_view text,
                     std::string_view reference, const std::string& url);

// A tag list's names. Errc::bad_input if it is none.
std::vector<std::string> tags_of(std::string_view json, const std::string& name);

// The `rel="next"` of the Link header, on the same origin as `url` (RFC 8288).
std::optional<std::string> next_page(const HttpResponse& answer, const std::string& url);

// The many ways of registries to say that a tag may not be moved: ECR's 400
// TAG_INVALID, Harbor's 412, 409, and 403 or 405 with words to that effect.
bool is_kept_tag(const HttpResponse& answer);
// The same in words: not where 409 or 412 may mean that somebody else was faster.
bool says_tag_is_kept(const HttpResponse& answer);

}  // namespace oci
