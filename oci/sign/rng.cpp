// rng: the generator of the program itself.
#include "oci/sign/rng.h"

#include <openssl/rand.h>

#include "oci/base/error.h"

namespace oci {

std::string Rng::bytes(std::size_t count) {
  std::string made(count, '\0');
  fill(std::as_writable_bytes(std::span(made)));
  return made;
}

void SystemRng::fill(std::span<std::byte> into) {
  if (RAND_bytes(reinterpret_cast<unsigned char*>(into.data()),
                 static_cast<int>(into.size())) != 1) {
    throw Error(Errc::machine, "this machine gives no random bytes");
  }
}

}  // namespace oci
