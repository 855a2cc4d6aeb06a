// pkcs11_uri: RFC 7512, section 2.3, and no more of it than a key needs.
#include "oci/sign/pkcs11_uri.h"

#include <algorithm>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/registry/server_error.h"
#include "oci/sign/key_reference.h"

namespace oci {

namespace {

constexpr std::size_t k_max_bytes = 4096;
constexpr std::size_t k_max_attributes = 32;
constexpr std::string_view k_scheme = "pkcs11:";

// What is wrong, without what was written: a PIN may be in it.
Error wrong(const std::string& what) {
  return Error(Errc::bad_input, "the pkcs11: reference " + what)
      .add_hint(
          "as `pkcs11:token=release;object=key?pin-source=/etc/pin&"
          "module-path=/usr/lib/softhsm/libsofthsm2.so`");
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// nullopt for a percent sign without two hex digits.
std::optional<std::string> decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hex_value(text[i + 1]), low = hex_value(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

// Calls `found` with each name and value, which is not decoded but can be.
template <class Found>
void each_attribute(std::string_view text, char separator, Found found) {
  std::set<std::string_view> seen;
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find(separator));
    text.remove_prefix(std::min(text.size(), one.size() + 1));
    const std::size_t equals = one.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      throw wrong("has an attribute without a name and `=`");
    }
    const std::string_view name = one.substr(0, equals);
    if (!seen.insert(name).second) {
      throw wrong(fmt::format("has `{}` twice", harmless(name, 40)));
    }
    if (seen.size() > k_max_attributes) {
      throw wrong(fmt::format("has more than {} attributes", k_max_attributes));
    }
    if (!decoded(one.substr(equals + 1))) {
      throw wrong(fmt::format("has a broken percent sign in `{}`", harmless(name, 40)));
    }
    found(name, one.substr(equals + 1));
  }
}

// What may stand in OpenSSL's configuration as it is.
bool is_plain_path(std::string_view path) {
  return path.starts_with('/') && std::all_of(path.begin(), path.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  (c >= '0' && c <= '9') ||
                  std::string_view("/._+@-").find(c) != std::string_view::npos;
         });
}

std::string file_of(std::string_view source) {
  if (source.starts_with("|")) throw wrong("has a command for a PIN, which is not run");
  if (source.starts_with("file://")) source.remove_prefix(7);
  if (source.starts_with("file:")) source.remove_prefix(5);
  if (source.empty()) throw wrong("has an empty `pin-source`");
  return std::string(source);
}

}  // namespace

Pkcs11Uri Pkcs11Uri::parse(std::string_view text) {
  if (!is_one(text)) throw wrong("does not begin with `pkcs11:`");
  if (text.size() > k_max_bytes) {
    throw wrong(fmt::format("has more than {} bytes", k_max_bytes));
  }
  if (std::any_of(text.begin(), text.end(), [](char c) { return c <= ' ' || c > '~'; })) {
    throw wrong("has characters that must be written with percent signs");
  }
  text.remove_prefix(k_scheme.size());
  const std::size_t question = std::min(text.find('?'), text.size());
  Pkcs11Uri uri;
  each_attribute(text.substr(0, question), ';', [&](auto name, auto value) {
    if (name == "type" && value != "private" && value != "public") {
      throw wrong("is about something else than a key");
    }
    if (name != "type") uri.path_.emplace(name, value);
  });
  if (uri.path_.empty()) throw wrong("does not say which key");
  const std::string_view query =
      question < text.size() ? text.substr(question + 1) : std::string_view();
  each_attribute(query, '&', [&](auto name, auto value) {
    const std::string plain = *decoded(value);
    if (name == "pin-value") {
      uri.pin_value_ = Secret(plain);
    } else if (name == "pin-source") {
      uri.pin_source_ = file_of(plain);
    } else if (name == "module-path") {
      if (!is_plain_path(plain)) throw wrong("has a `module-path` that is no plain path");
      uri.module_path_ = plain;
    } else if (name == "module-name") {
      throw wrong("has `module-name`, where `module-path` is wanted");
    }
  });
  if (!uri.pin_value_.empty() && !uri.pin_source_.empty()) {
    throw wrong("gives the PIN in two ways");
  }
  return uri;
}

std::string Pkcs11Uri::of_type(std::string_view type) const {
  std::string text(k_scheme);
  for (const auto& [name, value] : path_) {
    if (text.size() > k_scheme.size()) text += ';';
    text += name + '=' + value;
  }
  if (!type.empty()) text += fmt::format(";type={}", type);
  return text;
}

Secret Pkcs11Uri::pin() const {
  if (pin_source_.empty()) return pin_value_;
  return during([] { return std::string("reading the PIN of a token"); },
                [&] { return read_passphrase_file(pin_source_); });
}

}  // namespace oci
