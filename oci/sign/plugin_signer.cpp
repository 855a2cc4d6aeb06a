// plugin_signer: the words that such a program is told, and its answers.
#include "oci/sign/plugin_signer.h"

#include <chrono>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/error.h"
#include "oci/base/json.h"
#include "oci/image/document_node.h"
#include "oci/registry/child_process.h"
#include "oci/registry/server_error.h"
#include "oci/sign/members.h"

namespace oci {

namespace {

using nlohmann::json;

constexpr std::string_view k_version = "v1";
constexpr int k_sha256 = 5;  // as Go numbers its hashes
constexpr std::size_t k_max_name = 64;
constexpr std::size_t k_max_id = 4096;
constexpr std::size_t k_max_answer = 64 * 1024;
constexpr std::chrono::minutes k_timeout{2};

// The document with the arguments of one method, under the method's name.
std::string request(const PluginReference& reference, const char* method,
                    const json& arguments) {
  return canonical_json({{"initOptions",
                          {{"protocolVersion", k_version},
                           {"keyResourceID", reference.id},
                           {"hashFunc", k_sha256},
                           {"rpcOptions", json::object()}}},
                         {"methodName", method},
                         {method, arguments}});
}

ChildResult run(const PluginReference& reference, const std::string& told,
                const Secret& input, std::stop_token stop) {
  const std::string program = reference.program();
  try {
    return run_child({program, std::string(k_version), told}, input, k_max_answer,
                     k_timeout, std::move(stop));
  } catch (Error& e) {
    if (e.code() == Errc::not_found) {
      throw Error(Errc::not_found,
                  fmt::format("{} is not installed: it would know the key {}://{}",
                              program, reference.name, harmless(reference.id, 200)))
          .add_hint("install it in PATH, or name a key file or env://VAR");
    }
    e.add_context("asking " + program);
    throw;
  }
}

// The bytes at `method`.`member` of the answer. The exit status means nothing, says the
// protocol.
std::string ask(const PluginReference& reference, const char* method,
                const json& arguments, const char* member, const Secret& input,
                std::stop_token stop) {
  const ChildResult result =
      run(reference, request(reference, method, arguments), input, std::move(stop));
  const std::string what = "the answer of " + reference.program();
  try {
    const json document = parse_json(result.output.reveal(), what, k_max_answer);
    const DocumentNode answer(document, what);
    const std::string problem = answer.text_or_empty("errorMessage");
    if (!problem.empty()) {
      throw Error(Errc::denied, fmt::format("{} refuses {}: {}", reference.program(),
                                            method, harmless(problem)));
    }
    return require_bytes(answer.require(method), member);
  } catch (Error& e) {
    if (e.code() == Errc::bad_input && !result.complaint.empty()) {
      e.add_note("it says: " + harmless(result.complaint));
    }
    throw;
  }
}

PublicKey ask_public_key(const PluginReference& reference, std::stop_token stop) {
  const json arguments = {{"publicKeyOptions", {{"rpcOptions", json::object()}}}};
  const std::string pem =
      ask(reference, "publicKey", arguments, "publicKeyPEM", Secret(), std::move(stop));
  return PublicKey::parse(pem, "the key of " + reference.program());
}

}  // namespace

std::optional<PluginReference> PluginReference::parse(std::string_view text) {
  constexpr std::string_view k_allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  const std::size_t end = text.find("://");
  if (end == std::string_view::npos || end == 0 || end > k_max_name ||
      text.size() > k_max_id ||
      text.substr(0, end).find_first_not_of(k_allowed) != std::string_view::npos) {
    return std::nullopt;
  }
  return PluginReference{std::string(text.substr(0, end)),
                         std::string(text.substr(end + 3))};
}

PluginSigner::PluginSigner(PluginReference reference, std::stop_token stop)
    : reference_(std::move(reference)),
      stop_(std::move(stop)),
      public_(ask_public_key(reference_, stop_)) {}

Signature PluginSigner::sign(Bytes payload) {
  const json arguments = {
      {"signOptions",
       {{"rpcOptions", json::object()}, {"messageOptions", json::object()}}}};
  const Secret input(
      std::string(reinterpret_cast<const char*>(payload.data()), payload.size()));
  const std::string made =
      ask(reference_, "signMessage", arguments, "signature", input, stop_);
  const Bytes bytes = as_bytes(made);
  if (!public_.verifies(payload, bytes)) {
    throw Error(Errc::bad_input,
                fmt::format("the signature of {} does not verify by its own key",
                            reference_.program()))
        .add_note(
            "for ECDSA it must be DER over SHA-256, for RSA PKCS#1 v1.5 over "
            "SHA-256, for Ed25519 over the payload itself");
  }
  return {{bytes.begin(), bytes.end()}, public_.hint(), {}};
}

}  // namespace oci
