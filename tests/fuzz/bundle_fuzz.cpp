// bundle_fuzz: a bundle that is accepted prints to one that reads back the same, and
// verifying it never fails otherwise than in the report.
#include <cstdint>
#include <cstdlib>

#include "oci/base/error.h"
#include "oci/sign/verifier.h"

namespace {

// Of tests/golden/sign/p256.pub, which signed the corpus.
constexpr std::string_view k_key =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEreNaPR7/+op7cMk7grT4/eEKf5pW\n"
    "MjyZa5TvzfSZCtMTfe+BLFCf2uNQqS61y7+4Jl4TwVgLpzR8z0F3uEMKxg==\n"
    "-----END PUBLIC KEY-----\n";

void verify(std::string_view text) {
  oci::Verifier verifier(
      oci::KeyRule::any_of({{"key", oci::PublicKey::parse(k_key, "key")}}),
      {oci::Digest::of("manifest")});
  verifier.offer_bundle("fuzzed", text);
  verifier.offer_envelope("fuzzed", text);
  verifier.offer_classic("fuzzed", text, text);
  const oci::VerifyReport report = std::move(verifier).finish();
  if (report.accepted || report.json().empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const oci::Bundle bundle = oci::Bundle::parse(text, "fuzzed");
    if (!(oci::Bundle::parse(bundle.str(), "printed") == bundle)) std::abort();
  } catch (const oci::Error& e) {
    if (e.code() != oci::Errc::bad_input) std::abort();
  }
  verify(text);
  return 0;
}
