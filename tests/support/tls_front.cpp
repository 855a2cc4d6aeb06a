#include "tests/support/tls_front.h"

#include <arpa/inet.h>
#include <csignal>
#include <memory>
#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace {

template <class T, void (*free_it)(T*)>
struct Free {
  void operator()(T* handle) const { free_it(handle); }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY, EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509, X509_free>>;
using Connection = std::unique_ptr<SSL, Free<SSL, SSL_free>>;
struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Bio = std::unique_ptr<BIO, FreeBio>;

void check(bool fine) {
  if (!fine) throw std::runtime_error("OpenSSL refuses");
}

std::string text_of(const Bio& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

Certificate read_certificate(const std::string& pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  check(certificate != nullptr);
  return certificate;
}

Key read_key(const std::string& pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  check(key != nullptr);
  return key;
}

void extend(X509* certificate, int kind, const std::string& value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
  check(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

void name_it(X509_NAME* name, const std::string& text) {
  check(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(text.c_str()),
                                   -1, -1, 0) == 1);
}

// Of a fresh key, without a signature.
Certificate unsigned_certificate(EVP_PKEY* key, const std::string& name, int days) {
  static int serial = 0;
  constexpr long k_day = 24 * 60 * 60;
  Certificate certificate(X509_new());
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -10 * k_day);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), days * k_day);
  X509_set_pubkey(certificate.get(), key);
  name_it(X509_get_subject_name(certificate.get()), name);
  return certificate;
}

TlsIdentity written(X509* certificate, EVP_PKEY* key) {
  const Bio first(BIO_new(BIO_s_mem()));
  const Bio second(BIO_new(BIO_s_mem()));
  check(PEM_write_bio_X509(first.get(), certificate) == 1);
  check(PEM_write_bio_PrivateKey(second.get(), key, nullptr, nullptr, 0, nullptr,
                                 nullptr) == 1);
  return {text_of(first), text_of(second)};
}

bool pass_on(int from, SSL* to) {
  char buffer[16 * 1024];
  const ssize_t got = ::recv(from, buffer, sizeof buffer, 0);
  return got > 0 && SSL_write(to, buffer, static_cast<int>(got)) == got;
}

bool pass_on(SSL* from, int to) {
  char buffer[16 * 1024];
  do {
    const int got = SSL_read(from, buffer, sizeof buffer);
    if (got <= 0) return false;
    const auto size = static_cast<std::size_t>(got);
    if (::send(to, buffer, size, MSG_NOSIGNAL) != got) return false;
  } while (SSL_pending(from) > 0);
  return true;
}

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

}  // namespace

TlsIdentity make_authority(const std::string& name) {
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate = unsigned_certificate(key.get(), name, 1);
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get()));
  extend(certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
  check(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0);
  return written(certificate.get(), key.get());
}

TlsIdentity make_identity(const TlsIdentity& authority, const std::string& names,
                          int days) {
  const Certificate issuer = read_certificate(authority.certificate);
  const Key issuer_key = read_key(authority.key);
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate = unsigned_certificate(key.get(), "lithify test", days);
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer.get()));
  extend(certificate.get(), NID_subject_alt_name, names);
  check(X509_sign(certificate.get(), issuer_key.get(), EVP_sha256()) > 0);
  return written(certificate.get(), key.get());
}

struct TlsFront::Context {
  SSL_CTX* ssl = SSL_CTX_new(TLS_server_method());
  ~Context() { SSL_CTX_free(ssl); }
};

TlsFront::TlsFront(int backend, const TlsIdentity& identity, const std::string& clients)
    : context_(std::make_unique<Context>()), backend_(backend) {
  ::signal(SIGPIPE, SIG_IGN);  // of a client that went away while OpenSSL writes
  check(SSL_CTX_use_certificate(context_->ssl,
                                read_certificate(identity.certificate).get()) == 1);
  check(SSL_CTX_use_PrivateKey(context_->ssl, read_key(identity.key).get()) == 1);
  if (!clients.empty()) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context_->ssl),
                        read_certificate(clients).get());
    SSL_CTX_set_verify(context_->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       nullptr);
  }
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t length = sizeof address;
  check(::bind(socket_, generic, length) == 0 && ::listen(socket_, 16) == 0 &&
        ::getsockname(socket_, generic, &length) == 0);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

TlsFront::~TlsFront() {
  ::shutdown(socket_, SHUT_RDWR);
  acceptor_.join();
  conversations_.clear();  // stops and joins them
  ::close(socket_);
}

void TlsFront::accept_all() {
  while (true) {
    const int client = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return;
    conversations_.emplace_back([this, client](std::stop_token stop) {
      {
        const std::stop_callback end(stop, [client] { ::shutdown(client, SHUT_RDWR); });
        converse(client);
      }
      ::close(client);
    });
  }
}

void TlsFront::converse(int client) {
  const Connection tls(SSL_new(context_->ssl));
  SSL_set_fd(tls.get(), client);
  const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(backend_);
  if (SSL_accept(tls.get()) == 1 &&
      ::connect(server, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    bool open = true;
    while (open) {
      pollfd sides[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
      if (::poll(sides, 2, -1) <= 0) break;
      if (sides[0].revents != 0) open = pass_on(tls.get(), server);
      if (open && sides[1].revents != 0) open = pass_on(server, tls.get());
    }
    SSL_shutdown(tls.get());
  }
  ::close(server);
  ::shutdown(client, SHUT_RDWR);
}
