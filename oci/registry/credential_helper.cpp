// credential_helper: what is said to a helper, and what its answers mean.
#include "oci/registry/credential_helper.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/error.h"
#include "oci/base/json.h"
#include "oci/registry/child_process.h"
#include "oci/registry/server_error.h"

namespace oci {

namespace {

constexpr std::chrono::seconds k_timeout{30};
constexpr std::size_t k_max_answer = 64 * 1024;
constexpr std::size_t k_max_name = 64;
constexpr std::string_view k_nothing = "credentials not found in native keychain";

bool is_name(std::string_view name) {
  constexpr std::string_view k_allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  return !name.empty() && name.size() <= k_max_name &&
         name.find_first_not_of(k_allowed) == std::string_view::npos;
}

ChildResult ask(const std::string& program, const std::string& action,
                const std::string& server, const Secret& input, std::stop_token stop) {
  try {
    return run_child({program, action}, input, k_max_answer, k_timeout, std::move(stop));
  } catch (Error& e) {
    if (e.code() == Errc::not_found) {
      throw Error(Errc::denied,
                  fmt::format("{} is not installed: it keeps the login for {}", program,
                              harmless(server)))
          .add_hint("install " + program +
                    ", or take `credsStore` and `credHelpers` out of your config.json");
    }
    e.add_context(fmt::format("asking {} about {}", program, harmless(server)));
    throw;
  }
}

// Without the line end.
std::string message(std::string_view text) {
  const std::size_t last = text.find_last_not_of(" \t\r\n");
  return last == std::string_view::npos ? "" : harmless(text.substr(0, last + 1));
}

// Helpers speak of failures on standard output; some of what they call uses the other.
Error failure(const std::string& program, const std::string& server,
              const ChildResult& result) {
  std::string said = message(result.output.reveal());
  if (said.empty()) said = message(result.complaint);
  if (said.empty()) said = fmt::format("exit status {}", result.status);
  return Error(Errc::denied,
               fmt::format("{} fails for {}: {}", program, harmless(server), said));
}

bool knows_nothing(const ChildResult& result) {
  return result.status != 0 &&
         result.output.reveal().find(k_nothing) != std::string::npos;
}

// A server is one line, whatever file it comes from.
Secret server_line(const std::string& server) {
  if (server.find_first_of(std::string_view("\n\r\0", 3)) != std::string::npos) {
    throw Error(Errc::bad_input, "no name of a server: " + harmless(server));
  }
  return Secret(server);
}

std::string member(const nlohmann::json& answer, const char* name) {
  const auto found = answer.find(name);
  return found == answer.end() || !found->is_string() ? std::string()
                                                      : found->get<std::string>();
}

}  // namespace

CredentialHelper::CredentialHelper(std::string name)
    : program_("docker-credential-" + name) {
  if (!is_name(name)) {
    throw Error(Errc::bad_input, "no name of a credential helper: " + harmless(name))
        .add_hint("name a program docker-credential-NAME by its NAME alone");
  }
}

std::optional<Credential> CredentialHelper::get(const std::string& server,
                                                std::stop_token stop) const {
  const ChildResult result =
      ask(program_, "get", server, server_line(server), std::move(stop));
  if (knows_nothing(result)) return std::nullopt;
  if (result.status != 0) throw failure(program_, server, result);
  nlohmann::json answer;
  try {
    answer = parse_json(result.output.reveal(), "the answer of " + program_);
  } catch (const Error&) {
    // Its own words may repeat what the helper said.
    throw Error(Errc::denied, "the answer of " + program_ + " is no JSON");
  }
  if (!answer.is_object()) {
    throw Error(Errc::denied, "the answer of " + program_ + " is no JSON object");
  }
  Credential credential;
  credential.username = member(answer, "Username");
  credential.secret = Secret(member(answer, "Secret"));
  if (credential.secret.empty()) return std::nullopt;
  if (credential.username == "<token>") {
    credential.kind = Credential::Kind::identity_token;
  }
  credential.origin = fmt::format("{} (asked for {})", program_, harmless(server));
  return credential;
}

void CredentialHelper::store(const std::string& server, const std::string& username,
                             const Secret& secret, std::stop_token stop) const {
  const nlohmann::json told = {{"ServerURL", server_line(server).reveal()},
                               {"Username", username},
                               {"Secret", secret.reveal()}};
  const ChildResult result =
      ask(program_, "store", server, Secret(canonical_json(told)), std::move(stop));
  if (result.status != 0) throw failure(program_, server, result);
}

// Some helpers call it an error to erase nothing, some do not notice.
bool CredentialHelper::erase(const std::string& server, std::stop_token stop) const {
  if (!get(server, stop)) return false;
  const ChildResult result =
      ask(program_, "erase", server, server_line(server), std::move(stop));
  if (knows_nothing(result)) return false;
  if (result.status != 0) throw failure(program_, server, result);
  return true;
}

}  // namespace oci
