// PluginSigner: a key that only a program can use: sigstore-kms-NAME.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "oci/registry/secret.h"
#include "oci/sign/signer.h"

namespace oci {

// "NAME://ID" in its parts; nullopt for what is no such reference. NAME becomes part of a
// program's name: at most 64 letters, digits, ".", "_" and "-".
struct PluginReference {
  std::string name;
  std::string id;
  static std::optional<PluginReference> parse(std::string_view text);
  std::string program() const { return "sigstore-kms-" + name; }
  bool operator==(const PluginReference&) const = default;
};

// sigstore, pkg/signature/kms/cliplugin, protocol "v1": the program is found along PATH
// and inherits our environment, from which it takes its login; its words are the version
// and a JSON document, its standard input is what is to be signed, and it answers with a
// JSON document. No shell is involved. Each call starts it once, waits at most two
// minutes, since a person may have to touch something, and ends it when `stop` is
// requested (Cancelled).
//
// Errc::not_found if there is no such program, denied if it says no; bad_input if its key
// is one that PublicKey refuses, or its signature does not verify by that key.
class PluginSigner final : public Signer {
 public:
  // Asks for the public key.
  explicit PluginSigner(PluginReference reference, std::stop_token stop = {});

  Signature sign(Bytes payload) override;
  PublicKey public_key() const override { return public_; }

 private:
  PluginReference reference_;
  std::stop_token stop_;
  PublicKey public_;
};

}  // namespace oci
