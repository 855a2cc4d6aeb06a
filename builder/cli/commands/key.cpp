// lithify key: keys for signing: made, imported, shown.
#include <array>
#include <filesystem>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/sign/key_reference.h"
#include "oci/sign/private_key.h"

#include "builder/cli/commands/commands.h"
#include "builder/cli/no_dumps.h"
#include "builder/cli/signing_key.h"
#include "builder/tell/text.h"

namespace lithify {

namespace {

struct TypeName {
  std::string_view name;
  oci::KeyType type;
};
constexpr std::array<TypeName, 5> k_types = {{{"p256", oci::KeyType::ecdsa_p256},
                                              {"p384", oci::KeyType::ecdsa_p384},
                                              {"p521", oci::KeyType::ecdsa_p521},
                                              {"rsa", oci::KeyType::rsa},
                                              {"ed25519", oci::KeyType::ed25519}}};

oci::KeyType type_of(const std::string& name) {
  for (const TypeName& known : k_types) {
    if (known.name == name) return known.type;
  }
  throw oci::Error(oci::Errc::bad_input, fmt::format("`{}` is no type of key", name))
      .add_hint("the types are p256, p384, p521, rsa and ed25519");
}

const std::string& operand(const Session& session, std::size_t which,
                           const std::string& usage) {
  const auto& operands = session.options().operands;
  if (operands.size() > which) return operands[which];
  throw oci::Error(oci::Errc::bad_input, "`key` needs more words")
      .add_hint("write `lithify key " + usage + "`");
}

// A key that is there is somebody's only one.
void refuse_present(const std::filesystem::path& file) {
  std::error_code problem;
  if (!std::filesystem::exists(std::filesystem::symlink_status(file, problem))) return;
  throw oci::Error(oci::Errc::refused, fmt::format("{} is there already", file.string()))
      .add_hint("give another name, or put the old key away");
}

int keep(Session& session, const oci::PrivateKey& key, const std::string& name) {
  const std::string secret_file = name + ".key";
  const std::string public_file = name + ".pub";
  refuse_present(secret_file);
  refuse_present(public_file);
  const oci::Secret words = passphrase(session, secret_file, true);
  oci::SystemRng rng;
  oci::write_file_atomically(secret_file, key.sealed_pem(words, rng), 0600);
  oci::write_file_atomically(public_file, key.public_key().pem());
  session.tell(fmt::format("{} is the private key, {} the public one\n", secret_file,
                           public_file));
  const std::string caution = key.public_key().caution();
  if (!caution.empty()) session.tell("warning: " + caution + "\n");
  return exits::k_ok;
}

oci::PrivateKey read_private(Session& session, const std::string& reference) {
  forbid_dumps();
  const oci::Secret text = oci::read_key_text(reference, session.environment());
  const std::string name = oci::key_name(reference);
  oci::Secret words;
  if (oci::PrivateKey::is_encrypted(text.reveal(), name)) {
    words = passphrase(session, name, false);
  }
  return oci::PrivateKey::parse(text.reveal(), words, name);
}

std::string name_at(const Session& session, std::size_t which) {
  const auto& operands = session.options().operands;
  return operands.size() > which ? operands[which] : "lithify";
}

}  // namespace

int run_key(Session& session) {
  const std::string& verb = operand(session, 0, "generate");
  if (verb == "generate") {
    const oci::KeyType type = type_of(session.options().key_type);
    forbid_dumps();
    return keep(session, oci::PrivateKey::generate(type), name_at(session, 1));
  }
  if (verb == "import") {
    const std::string& file = operand(session, 1, "import FILE [NAME]");
    return keep(session, read_private(session, file), name_at(session, 2));
  }
  if (verb == "public") {
    const std::string& key = operand(session, 1, "public KEY");
    session.print(open_signer(session, key)->public_key().pem());
    return exits::k_ok;
  }
  if (verb == "export") {
    const std::string& key = operand(session, 1, "export KEY");
    session.print(read_private(session, key).pkcs8_pem().reveal());
    return exits::k_ok;
  }
  throw oci::Error(oci::Errc::bad_input, fmt::format("`key` does not know `{}`", verb))
      .add_hint("it knows generate, public, import and export");
}

}  // namespace lithify
