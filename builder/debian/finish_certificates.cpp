// finish_certificates: what update-ca-certificates makes of ca-certificates' files.
#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <set>

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "oci/base/digest.h"

#include "builder/debian/finishers.h"
#include "builder/debian/lines.h"

namespace lithify {
namespace {

constexpr std::string_view k_packaged = "usr/share/ca-certificates";
constexpr std::string_view k_local = "usr/local/share/ca-certificates";
constexpr std::string_view k_selection = "etc/ca-certificates.conf";
constexpr std::string_view k_directory = "etc/ssl/certs";
constexpr std::uint64_t k_max_certificate = 1 << 20;

constexpr std::string_view k_selection_head =
    "# Which certificates of /usr/share/ca-certificates are trusted: one path a line.\n"
    "# update-ca-certificates(8) reads this file; a leading '!' deselects a line.\n";

struct Certificate {
  std::string path;  // absolute
  std::string text;
};

std::vector<std::string> certificates_below(const InstalledRoot& root,
                                            std::string_view directory) {
  std::vector<std::string> names;
  const std::string start = root.place(directory) + "/";
  for (const std::string& path : root.below(directory)) {
    if (path.ends_with(".crt") && path.starts_with(start)) {
      names.push_back(path.substr(start.size()));
    }
  }
  return names;
}

// The selection that is there, or everything.
std::vector<std::string> selected(InstalledRoot& root) {
  const auto known = root.read(k_selection);
  if (!known) {
    const std::vector<std::string> all = certificates_below(root, k_packaged);
    std::string text(k_selection_head);
    for (const std::string& name : all)
      text += name + "\n";
    root.write(k_selection, text);
    return all;
  }
  std::vector<std::string> names;
  for (const std::string_view line : lines_of(*known)) {
    if (!line.empty() && line[0] != '#' && line[0] != '!') names.emplace_back(line);
  }
  return names;
}

std::vector<Certificate> trusted(InstalledRoot& root) {
  std::vector<Certificate> all;
  const auto add = [&](std::string_view directory, const std::string& name) {
    std::string path = fmt::format("/{}/{}", directory, name);
    auto text = root.read(path, k_max_certificate);
    if (!text || text->empty()) return;
    if (!text->ends_with('\n')) *text += '\n';
    all.push_back({std::move(path), std::move(*text)});
  };
  for (const std::string& name : selected(root))
    add(k_packaged, name);
  for (const std::string& name : certificates_below(root, k_local))
    add(k_local, name);
  return all;
}

std::string link_name(std::string_view path) {
  std::string name(path.substr(path.rfind('/') + 1));
  name.resize(name.size() - 4);  // ".crt"
  for (char& c : name) {
    if (c == ' ' || c == ',') c = '_';
    if (c == '(' || c == ')') c = '=';
  }
  return name + ".pem";
}

// OpenSSL's hash of the subject and the digest of the certificate, if the text holds
// exactly one; links are made for no others.
struct Identity {
  unsigned long subject = 0;
  oci::Digest fingerprint;
};

std::optional<Identity> identify(const std::string& text) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
      BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free);
  const auto read = [&] {
    return std::unique_ptr<X509, decltype(&X509_free)>(
        PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), X509_free);
  };
  const auto one = read();
  if (!one || read()) return std::nullopt;
  unsigned char* encoded = nullptr;
  const int size = i2d_X509(one.get(), &encoded);
  if (size <= 0) return std::nullopt;
  const std::unique_ptr<unsigned char, void (*)(unsigned char*)> owned(
      encoded, [](unsigned char* bytes) { OPENSSL_free(bytes); });
  const auto bytes = std::as_bytes(std::span(encoded, static_cast<std::size_t>(size)));
  int hashed = 0;
  const unsigned long subject =
      X509_NAME_hash_ex(X509_get_subject_name(one.get()), nullptr, nullptr, &hashed);
  if (hashed == 0) return std::nullopt;
  return Identity{subject, oci::Digest::of(bytes)};
}

void make_hash_links(InstalledRoot& root,
                     const std::map<std::string, const Certificate*>& links) {
  std::map<unsigned long, unsigned> count;
  std::set<oci::Digest> seen;
  for (const auto& [name, certificate] : links) {
    const auto identity = identify(certificate->text);
    if (!identity || !seen.insert(identity->fingerprint).second) continue;
    const unsigned index = count[identity->subject]++;
    root.symlink(fmt::format("{}/{:08x}.{}", k_directory, identity->subject, index),
                 name);
  }
}

}  // namespace

void finish_certificates(Finishing& finishing) {
  if (!finishing.has("ca-certificates")) return;
  InstalledRoot& root = finishing.root;
  std::map<std::string, const Certificate*> links;
  std::string bundle;
  const std::vector<Certificate> all = trusted(root);
  for (const Certificate& certificate : all) {
    const std::string name = link_name(certificate.path);
    root.symlink(fmt::format("{}/{}", k_directory, name), certificate.path);
    links[name] = &certificate;
    bundle += certificate.text;
  }
  make_hash_links(root, links);
  root.write(fmt::format("{}/ca-certificates.crt", k_directory), bundle);
  if (!root.is_directory(k_local)) root.directory(k_local);
}

}  // namespace lithify
