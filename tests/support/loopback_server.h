// LoopbackServer: an HTTP server on 127.0.0.1 that answers what a function says.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arpa/inet.h>
#include <atomic>
#include <functional>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

// `answer` gets the head of the request and returns all bytes of the response; an empty
// answer closes the connection. Connections are served one after the other and kept
// alive.
class LoopbackServer {
 public:
  using Answer = std::function<std::string(const std::string& head)>;

  explicit LoopbackServer(Answer answer) : answer_(std::move(answer)) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t length = sizeof address;
    if (::bind(socket_, generic, length) != 0 || ::listen(socket_, 8) != 0 ||
        ::getsockname(socket_, generic, &length) != 0) {
      throw std::runtime_error("no loopback server");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~LoopbackServer() {
    stopping_ = true;
    ::shutdown(socket_, SHUT_RDWR);
    if (const int open = connection_.load(); open >= 0) ::shutdown(open, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;

  std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }
  int connections() const { return connections_; }

 private:
  void serve() {
    while (!stopping_) {
      const int connection = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection < 0) return;
      ++connections_;
      connection_ = connection;
      if (!stopping_) converse(connection);
      connection_ = -1;
      ::close(connection);
    }
  }

  void converse(int connection) {
    std::string pending;
    char buffer[4096];
    while (true) {
      const std::size_t end = pending.find("\r\n\r\n");
      if (end == std::string::npos) {
        const ssize_t n = ::recv(connection, buffer, sizeof buffer, 0);
        if (n <= 0) return;
        pending.append(buffer, static_cast<std::size_t>(n));
        continue;
      }
      const std::string response = answer_(pending.substr(0, end + 2));
      pending.erase(0, end + 4);
      if (response.empty()) return;
      if (::send(connection, response.data(), response.size(), MSG_NOSIGNAL) < 0) return;
      if (response.find("Connection: close\r\n") != std::string::npos) return;
    }
  }

  Answer answer_;
  int socket_ = -1;
  int port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> connection_ = -1;
  std::atomic<int> connections_ = 0;
  std::thread thread_;
};
