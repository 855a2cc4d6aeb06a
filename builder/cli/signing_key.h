// signing_key: the key that a command signs with, passphrase and all.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "oci/registry/secret.h"
#include "oci/sign/signer.h"

#include "builder/cli/wiring.h"

namespace lithify {

// The passphrase of `what`: --password-stdin, --passphrase-file, LITHIFY_PASSWORD,
// COSIGN_PASSWORD (both of which may be empty), or asked for; `twice` for a new one. From
// here on the process leaves no dumps, as from open_signer().
oci::Secret passphrase(Session& session, const std::string& what, bool twice);

// The key at `reference`. Its passphrase is asked for only if it has one.
std::unique_ptr<oci::Signer> open_signer(Session& session, const std::string& reference);

// "cosign verify …": what others type to see that `key` signed the image, "REF@digest".
// The public key stands where `key generate` would have put it.
std::string verify_line(const std::string& key, const std::string& image);

}  // namespace lithify
