// TlsFront: TLS before a server that has none, with certificates made on the spot.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

// Text in PEM form.
struct TlsIdentity {
  std::string certificate;
  std::string key;
};

// Signs itself; may sign others.
TlsIdentity make_authority(const std::string& name);
// `names` as OpenSSL writes them: "IP:127.0.0.1,DNS:localhost". `days` may be negative:
// it has ended then.
TlsIdentity make_identity(const TlsIdentity& authority, const std::string& names,
                          int days = 1);

// A thread for each connection; passes bytes on to 127.0.0.1:`backend`.
class TlsFront {
 public:
  // `clients`: the certificate of who signs those of clients; empty: none is wanted.
  TlsFront(int backend, const TlsIdentity& identity, const std::string& clients = "");
  ~TlsFront();
  TlsFront(const TlsFront&) = delete;
  TlsFront& operator=(const TlsFront&) = delete;

  int port() const { return port_; }
  std::string domain(const std::string& host = "127.0.0.1") const {
    return host + ":" + std::to_string(port_);
  }

 private:
  struct Context;
  void accept_all();
  void converse(int client);

  std::unique_ptr<Context> context_;
  int backend_;
  int socket_ = -1;
  int port_ = 0;
  std::thread acceptor_;
  std::vector<std::jthread> conversations_;
};
