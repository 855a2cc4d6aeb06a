// key_reference: schemes.
#include "oci/sign/key_reference.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/registry/server_error.h"
#include "oci/sign/pem.h"
#include "oci/sign/pkcs11_signer.h"
#include "oci/sign/plugin_signer.h"
#include "oci/sign/private_key.h"

namespace oci {

namespace {

constexpr std::string_view k_environment = "env://";

Secret read_variable(const std::string& name, const KeyEnvironment& environment) {
  const auto found = environment.find(name);
  if (found == environment.end() || found->second.empty()) {
    throw Error(Errc::not_found,
                fmt::format("the variable {} is not set: it was to hold a key",
                            harmless(name, 100)))
        .add_hint("put the text of the key file into it, with its lines");
  }
  return Secret(found->second);
}

// Not read_file(): its buffers are not wiped. `what` may have `most` bytes.
Secret read_secret_file(const std::string& path, std::size_t most,
                        std::string_view what) {
  // A pipe to which nobody writes would hold us for ever otherwise.
  Fd fd = open_file(path, O_RDONLY | O_NONBLOCK);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    throw Error(Errc::bad_input, path + " is not a regular file");
  }
  FileSource source(std::move(fd), path);
  std::string text(most + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const auto rest = std::as_writable_bytes(std::span(text).subspan(size));
    const std::size_t got = source.read(rest);
    if (got == 0) break;
    size += got;
  }
  text.resize(size);
  Secret secret(std::move(text));
  if (size > most) {
    throw Error(Errc::bad_input, fmt::format("{} has more than the {} bytes {} may have",
                                             path, most, what));
  }
  return secret;
}

Error no_reference(std::string_view reference) {
  return Error(Errc::bad_input,
               fmt::format("{} is no key that can be read", key_name(reference)))
      .add_note(
          "a key is a file, env://VAR for the text in a variable, pkcs11:… for one on a "
          "token, or NAME://ID for one that the program sigstore-kms-NAME keeps");
}

PluginReference plugin_reference(std::string_view reference) {
  auto plugin = PluginReference::parse(reference);
  if (!plugin) throw no_reference(reference);
  return std::move(*plugin);
}

}  // namespace

// The PIN is behind the question mark, even of a reference that cannot be read.
std::string without_pin(std::string_view reference) {
  if (Pkcs11Uri::is_one(reference)) reference = reference.substr(0, reference.find('?'));
  return std::string(reference);
}

std::string key_name(std::string_view reference) {
  return harmless(without_pin(reference), 200);
}

bool wants_pin(std::string_view reference, const KeyEnvironment& environment) {
  return Pkcs11Uri::is_one(reference) && !Pkcs11Uri::parse(reference).has_pin() &&
         environment.count("COSIGN_PKCS11_PIN") == 0;
}

void refuse_code(std::string_view reference) {
  if (!Pkcs11Uri::is_one(reference)) return;
  if (Pkcs11Uri::parse(reference).module_path().empty()) return;
  throw Error(Errc::bad_input,
              "`module-path` would run code that a build file or policy chose")
      .add_hint("set COSIGN_PKCS11_MODULE_PATH instead");
}

bool has_key_text(std::string_view reference) {
  return reference.starts_with(k_environment) ||
         (reference.find("://") == std::string_view::npos &&
          !Pkcs11Uri::is_one(reference));
}

bool is_key_file(std::string_view reference) {
  return has_key_text(reference) && !reference.starts_with(k_environment);
}

Secret read_key_text(std::string_view reference, const KeyEnvironment& environment) {
  if (!has_key_text(reference)) throw no_reference(reference);
  if (reference.starts_with(k_environment)) {
    return read_variable(std::string(reference.substr(k_environment.size())),
                         environment);
  }
  return read_secret_file(std::string(reference), k_max_key_file, "a key");
}

Secret read_passphrase_file(const std::string& path) {
  const Secret whole = read_secret_file(path, k_max_passphrase, "a passphrase");
  std::string_view text = whole.reveal();
  while (text.ends_with('\n') || text.ends_with('\r'))
    text.remove_suffix(1);
  return Secret(std::string(text));
}

PublicKey read_public_key(std::string_view reference, const KeyEnvironment& environment,
                          std::stop_token stop) {
  if (Pkcs11Uri::is_one(reference)) {
    return pkcs11_public_key(Pkcs11Uri::parse(reference), environment);
  }
  if (!has_key_text(reference)) {
    return PluginSigner(plugin_reference(reference), std::move(stop)).public_key();
  }
  const Secret text = read_key_text(reference, environment);
  return PublicKey::parse(text.reveal(), key_name(reference));
}

std::unique_ptr<Signer> load_signer(std::string_view reference,
                                    const KeyEnvironment& environment,
                                    const Secret& passphrase, std::stop_token stop) {
  if (Pkcs11Uri::is_one(reference)) {
    return std::make_unique<Pkcs11Signer>(Pkcs11Uri::parse(reference), environment,
                                          passphrase);
  }
  if (!has_key_text(reference)) {
    return std::make_unique<PluginSigner>(plugin_reference(reference), std::move(stop));
  }
  const Secret text = read_key_text(reference, environment);
  return std::make_unique<PrivateKey>(
      PrivateKey::parse(text.reveal(), passphrase, key_name(reference)));
}

}  // namespace oci
