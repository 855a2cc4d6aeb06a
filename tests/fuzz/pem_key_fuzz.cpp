// pem_key_fuzz: keys of any form. What is accepted prints to what reads back as the same
// key; no passphrase is tried, because scrypt alone would take all the time.
#include <cstdint>
#include <cstdlib>

#include "oci/base/error.h"
#include "oci/sign/pem.h"
#include "oci/sign/private_key.h"
#include "oci/sign/sealed_key.h"

namespace {

template <class Read>
void attempt(Read read) {
  try {
    read();
  } catch (const oci::Error& e) {
    if (e.code() != oci::Errc::bad_input && e.code() != oci::Errc::denied) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  attempt([&] {
    const oci::PublicKey key = oci::PublicKey::parse(text, "fuzzed");
    if (!(oci::PublicKey::parse(key.pem(), "printed") == key)) std::abort();
  });
  attempt([&] { oci::PublicKey::from_der(text, "fuzzed"); });
  attempt([&] {
    if (oci::PrivateKey::is_encrypted(text, "fuzzed")) return;
    const oci::PrivateKey key = oci::PrivateKey::parse(text, oci::Secret(), "fuzzed");
    const oci::Secret pem = key.pkcs8_pem();
    const oci::PrivateKey again =
        oci::PrivateKey::parse(pem.reveal(), oci::Secret(), "printed");
    if (!(again.public_key() == key.public_key())) std::abort();
  });
  attempt([&] {
    for (const oci::PemBlock& block : oci::parse_pem(text, "fuzzed"))
      oci::SealedKey::parse(block.bytes.reveal(), "fuzzed");
  });
  attempt([&] {
    const oci::SealedKey key = oci::SealedKey::parse(text, "fuzzed");
    if (!(oci::SealedKey::parse(key.str(), "printed") == key)) std::abort();
  });
  return 0;
}
