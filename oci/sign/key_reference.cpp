// key_reference: schemes.
#include "oci/sign/key_reference.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/registry/server_error.h"
#include "oci/sign/pem.h"

namespace oci {

namespace {

constexpr std::string_view k_environment = "env://";

Secret read_variable(const std::string& name,
                     const std::map<std::string, std::string>& environment) {
  const auto found = environment.find(name);
  if (found == environment.end() || found->second.empty()) {
    throw Error(Errc::not_found,
                fmt::format("the variable {} is not set: it was to hold a key",
                            harmless(name, 100)))
        .add_hint("put the text of the key file into it, with its lines");
  }
  return Secret(found->second);
}

// Not read_file(): its buffers are not wiped.
Secret read_key_file(const std::string& path) {
  // A pipe to which nobody writes would hold us for ever otherwise.
  Fd fd = open_file(path, O_RDONLY | O_NONBLOCK);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    throw Error(Errc::bad_input, path + " is not a regular file");
  }
  FileSource source(std::move(fd), path);
  std::string text(k_max_key_file + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const auto rest = std::as_writable_bytes(std::span(text).subspan(size));
    const std::size_t got = source.read(rest);
    if (got == 0) break;
    size += got;
  }
  text.resize(size);
  Secret secret(std::move(text));
  if (size > k_max_key_file) {
    throw Error(Errc::bad_input,
                fmt::format("{} has more than the {} bytes a key may have", path,
                            k_max_key_file));
  }
  return secret;
}

void refuse_other_schemes(std::string_view reference) {
  const std::size_t end = reference.find("://");
  if (end == std::string_view::npos && !reference.starts_with("pkcs11:")) return;
  throw Error(Errc::bad_input,
              fmt::format("{} is no key that can be read", key_name(reference)))
      .add_note("a key is a file, or env://VAR for the text in a variable");
}

}  // namespace

std::string key_name(std::string_view reference) {
  return harmless(reference, 200);
}

Secret read_key_text(std::string_view reference,
                     const std::map<std::string, std::string>& environment) {
  if (reference.starts_with(k_environment)) {
    return read_variable(std::string(reference.substr(k_environment.size())),
                         environment);
  }
  refuse_other_schemes(reference);
  return read_key_file(std::string(reference));
}

PublicKey read_public_key(std::string_view reference,
                          const std::map<std::string, std::string>& environment) {
  const Secret text = read_key_text(reference, environment);
  return PublicKey::parse(text.reveal(), key_name(reference));
}

}  // namespace oci
