#include "builder/cli/signing_key.h"

#include <filesystem>
#include <unistd.h>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/sign/key_reference.h"
#include "oci/sign/private_key.h"

#include "builder/cli/ask.h"
#include "builder/cli/no_dumps.h"
#include "builder/tell/text.h"

namespace lithify {

namespace {

constexpr const char* k_variables[] = {"LITHIFY_PASSWORD", "COSIGN_PASSWORD"};
constexpr const char* k_hint =
    "give it with `--passphrase-file FILE` or, on standard input, with "
    "`--password-stdin`; or set LITHIFY_PASSWORD";

// Two answers to one question: which is meant?
void refuse_two_sources(const Options& options) {
  if (!options.password_stdin || options.passphrase_file.empty()) return;
  throw oci::Error(oci::Errc::bad_input,
                   "--password-stdin and --passphrase-file exclude each other")
      .add_hint("give the passphrase once");
}

// Some tokens need no PIN, or have keys of their own to type it on.
bool can_tell(const Session& session) {
  const Options& options = session.options();
  return options.password_stdin || !options.passphrase_file.empty() ||
         session.environment().count("LITHIFY_PASSWORD") != 0 ||
         isatty(STDIN_FILENO) == 1;
}

}  // namespace

oci::Secret passphrase(Session& session, const std::string& what, bool twice) {
  forbid_dumps();
  const Options& options = session.options();
  refuse_two_sources(options);
  if (options.password_stdin) return read_secret("a passphrase");
  if (!options.passphrase_file.empty()) {
    return oci::during(
        [] { return "reading the passphrase"; },
        [&] { return oci::read_passphrase_file(options.passphrase_file); });
  }
  for (const char* variable : k_variables) {
    const auto given = session.environment().find(variable);
    if (given != session.environment().end()) return oci::Secret(given->second);
  }
  oci::Secret first = ask_secret(session, "passphrase of " + what, k_hint);
  if (twice && !(first == ask_secret(session, "once more", k_hint))) {
    throw oci::Error(oci::Errc::bad_input, "the two passphrases are not the same");
  }
  return first;
}

std::unique_ptr<oci::Signer> open_signer(Session& session, const std::string& reference) {
  forbid_dumps();
  oci::Secret secret;
  if (oci::has_key_text(reference)) {
    const oci::Secret text = oci::read_key_text(reference, session.environment());
    const std::string name = oci::key_name(reference);
    if (oci::PrivateKey::is_encrypted(text.reveal(), name)) {
      secret = passphrase(session, name, false);
    }
  } else if (oci::wants_pin(reference, session.environment()) && can_tell(session)) {
    secret = passphrase(session, oci::key_name(reference), false);
  }
  return oci::load_signer(reference, session.environment(), secret, session.stop());
}

std::string verify_line(const std::string& key, const std::string& image) {
  std::filesystem::path file = std::filesystem::path(key).replace_extension(".pub");
  std::error_code problem;
  if (!std::filesystem::exists(file, problem)) file = "KEY.pub";
  return fmt::format("cosign verify --key {} --insecure-ignore-tlog=true {}",
                     visible(file.string()), image);
}

}  // namespace lithify
