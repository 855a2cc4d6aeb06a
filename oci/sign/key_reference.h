// key_reference: where a key is, as people write it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "oci/registry/secret.h"
#include "oci/sign/public_key.h"
#include "oci/sign/signer.h"

namespace oci {

// A key is written as FILE, as env://VAR for the text in a variable, as pkcs11:… for one
// on a token (pkcs11_signer.h), or as NAME://ID for one that the program
// sigstore-kms-NAME keeps (plugin_signer.h). The environment is the caller's to pass.
using KeyEnvironment = std::map<std::string, std::string>;

// The PEM of a file or variable. Errc::not_found if there is nothing; Errc::bad_input for
// other references and for more than k_max_key_file bytes.
Secret read_key_text(std::string_view reference, const KeyEnvironment& environment);
// A passphrase: what the file holds, without the end of its last line. Errc::bad_input
// for more than k_max_passphrase bytes.
Secret read_passphrase_file(const std::string& path);
inline constexpr std::size_t k_max_passphrase = 64 * 1024;
// True if the text must be read before a signer is there, so that its passphrase can be
// asked for (PrivateKey::is_encrypted).
bool has_key_text(std::string_view reference);

// True for a file: only that stands relative to something.
bool is_key_file(std::string_view reference);

// The public key at `reference`; in a file or variable a private one is refused.
PublicKey read_public_key(std::string_view reference, const KeyEnvironment& environment,
                          std::stop_token stop = {});

// The private key at `reference`, whatever keeps it. `passphrase` is the PIN of a token
// if neither the reference nor the environment has one. Throws what PrivateKey::parse(),
// Pkcs11Signer and PluginSigner throw.
std::unique_ptr<Signer> load_signer(std::string_view reference,
                                    const KeyEnvironment& environment,
                                    const Secret& passphrase, std::stop_token stop = {});

// Whether nobody but the person can tell the PIN of the token; false for other keys.
bool wants_pin(std::string_view reference, const KeyEnvironment& environment);

// Errc::bad_input for a reference by which whoever wrote it would choose code that is run
// in this process: `module-path`. For references out of files.
void refuse_code(std::string_view reference);

// The reference as it may be shown: what can hold a PIN is left out.
std::string without_pin(std::string_view reference);

// What messages call the key: the reference itself, in one line, without a PIN.
std::string key_name(std::string_view reference);

}  // namespace oci
