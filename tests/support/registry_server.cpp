// RegistryServer: HTTP/1.1 as far as registries need it, and the ways to break it.
#include "tests/support/registry_server.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cctype>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <regex>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

#include <fmt/format.h>

namespace {

// The other side has gone away, or the script ends the connection.
struct Ended {};

constexpr std::size_t k_max_head = 64 * 1024;

std::string lower(std::string text) {
  for (char& c : text)
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

}  // namespace

// One connection, from accept to close.
class RegistryServer::Conversation {
 public:
  Conversation(RegistryServer& server, int socket) : server_(server), socket_(socket) {}

  void run() {
    try {
      while (exchange()) {
      }
    } catch (const Ended&) {
    } catch (const std::exception&) {
      // What cannot be read ends the connection, as a server would.
    }
  }

 private:
  // One request and its answer; false if no other can follow.
  bool exchange() {
    WireRequest request = read_head();
    const Event event{request.method, request.target, request.headers};
    event_ = server_.remember(event);
    received_ = 0;
    action_ = server_.action_for(event).value_or(Action{});
    if (action_.delay.count() > 0 && !server_.wait(action_.delay)) throw Ended{};
    const bool cut = action_.cut_received || action_.cut_sent;
    if ((action_.stall || action_.reset) && !cut) end();
    const bool keep = lower(request.header("connection")) != "close";
    if (action_.status != 0 && action_.early) {
      send(request, scripted());
      if (request.header("expect").empty()) read_body(request);
      return keep && request.header("expect").empty();
    }
    if (!request.header("expect").empty()) {
      // Whoever asks before sending is told no before sending.
      if (auto refused = server_.content_.refuse(request);
          refused && action_.status == 0) {
        send(request, *refused);
        return false;
      }
      if (!action_.no_continue) send_all("HTTP/1.1 100 Continue\r\n\r\n");
    }
    read_body(request);
    WireResponse response =
        action_.status != 0 ? scripted() : server_.content_.answer(request);
    if (action_.drop_answer) end();
    if (action_.status == 0) {
      response.headers.insert(response.headers.end(), action_.headers.begin(),
                              action_.headers.end());
    }
    send(request, response);
    return keep && !action_.close;
  }

  WireResponse scripted() const {
    return {action_.status, action_.headers, action_.body};
  }

  WireRequest read_head() {
    std::size_t end = std::string::npos;
    while ((end = pending_.find("\r\n\r\n")) == std::string::npos) {
      // Clients that try TLS first would wait ten seconds for its answer.
      const bool is_tls = pending_.starts_with('\x16');
      if (is_tls || pending_.size() > k_max_head) throw Ended{};
      receive();
    }
    const std::string head = pending_.substr(0, end + 2);
    pending_.erase(0, end + 4);
    WireRequest request;
    const std::size_t first = head.find("\r\n");
    const std::size_t blank = head.find(' ');
    const std::size_t second = head.find(' ', blank + 1);
    if (second == std::string::npos || second > first) throw Ended{};
    request.method = head.substr(0, blank);
    request.target = head.substr(blank + 1, second - blank - 1);
    for (std::size_t at = first + 2; at < head.size();) {
      const std::size_t line_end = head.find("\r\n", at);
      const std::size_t colon = head.find(':', at);
      if (colon == std::string::npos || colon > line_end) throw Ended{};
      const std::size_t value =
          std::min(head.find_first_not_of(' ', colon + 1), line_end);
      request.headers.emplace_back(lower(head.substr(at, colon - at)),
                                   head.substr(value, line_end - value));
      at = line_end + 2;
    }
    return request;
  }

  void read_body(WireRequest& request) {
    try {
      if (lower(request.header("transfer-encoding")) == "chunked") {
        while (read_chunk(request.body)) {
        }
      } else if (const std::string length = request.header("content-length");
                 !length.empty()) {
        take(std::stoull(length), request.body);
      }
      if (action_.cut_received && received_ >= *action_.cut_received) end();
    } catch (const Ended&) {
      if (action_.status == 0) server_.content_.broke_off(request);
      throw;
    }
  }

  bool read_chunk(std::string& body) {
    const std::uint64_t size = std::stoull(read_line(), nullptr, 16);
    take(size, body);
    read_line();
    return size > 0;
  }

  std::string read_line() {
    std::size_t end = std::string::npos;
    while ((end = pending_.find("\r\n")) == std::string::npos)
      receive();
    std::string line = pending_.substr(0, end);
    pending_.erase(0, end + 2);
    return line;
  }

  // Moves `size` bytes of body into `body`, or as many as the script lets through.
  void take(std::uint64_t size, std::string& body) {
    while (size > 0) {
      if (pending_.empty()) receive();
      std::uint64_t now = std::min<std::uint64_t>(size, pending_.size());
      if (action_.cut_received)
        now = std::min(
            now, *action_.cut_received - std::min(received_, *action_.cut_received));
      body.append(pending_, 0, now);
      pending_.erase(0, now);
      received_ += now;
      size -= now;
      server_.update(event_, received_, 0);
      if (action_.cut_received && received_ >= *action_.cut_received) end();
    }
  }

  void send(const WireRequest& request, const WireResponse& response) {
    const bool bare = response.status == 204 || response.status == 304;
    std::string head = fmt::format("HTTP/1.1 {} Scripted\r\n", response.status);
    for (const auto& [name, value] : response.headers)
      head += fmt::format("{}: {}\r\n", name, value);
    if (!bare || action_.content_length) {
      head += fmt::format("Content-Length: {}\r\n",
                          action_.content_length.value_or(response.body.size()));
    }
    server_.update(event_, received_, response.status);
    send_all(head + "\r\n");
    if (request.method == "HEAD" || bare) return;
    if (action_.cut_sent && *action_.cut_sent <= response.body.size()) {
      send_all(std::string_view(response.body).substr(0, *action_.cut_sent));
      end();
    }
    send_all(response.body);
    // What a false length promises never comes.
    if (action_.content_length) end();
  }

  void send_all(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) throw Ended{};
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }

  void receive() {
    char buffer[64 * 1024];
    const ssize_t n = ::recv(socket_, buffer, sizeof buffer, 0);
    if (n <= 0) throw Ended{};
    pending_.append(buffer, static_cast<std::size_t>(n));
  }

  [[noreturn]] void end() {
    if (action_.stall) server_.wait_for_the_end();
    if (action_.reset) {
      const linger at_once{1, 0};
      ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    throw Ended{};
  }

  RegistryServer& server_;
  int socket_;
  std::string pending_;
  Action action_;
  std::size_t event_ = 0;
  std::uint64_t received_ = 0;
};

bool Event::has(std::string_view name) const {
  return std::any_of(headers.begin(), headers.end(),
                     [&](const auto& header) { return header.first == name; });
}

std::string Event::header(std::string_view name) const {
  return WireRequest{method, target, headers}.header(name);
}

std::string Event::brief() const {
  static const std::regex state("_state=[^&]*");
  static const std::regex digest("sha256(:|%3A)([0-9a-f]{8})[0-9a-f]{56}");
  std::string text = std::regex_replace(method + " " + target, state, "_state=…");
  return std::regex_replace(text, digest, "sha256:$2…");
}

RegistryServer::RegistryServer(RegistryOptions options) : content_(std::move(options)) {
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t length = sizeof address;
  if (::bind(socket_, generic, length) != 0 || ::listen(socket_, 64) != 0 ||
      ::getsockname(socket_, generic, &length) != 0) {
    ::close(socket_);
    throw std::runtime_error("no loopback server");
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

RegistryServer::~RegistryServer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& [number, socket] : open_)
      ::shutdown(socket, SHUT_RDWR);
  }
  changed_.notify_all();
  ::shutdown(socket_, SHUT_RDWR);
  acceptor_.join();
  for (auto& [number, thread] : threads_)
    thread.join();
  ::close(socket_);
}

void RegistryServer::accept_all() {
  while (true) {
    const int socket = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) return;
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      ::close(socket);
      return;
    }
    const int number = ++connections_;
    open_[number] = socket;
    threads_[number] = std::thread([this, number, socket] {
      Conversation(*this, socket).run();
      const std::lock_guard closing(mutex_);
      open_.erase(number);
      ::close(socket);
    });
  }
}

std::string RegistryServer::domain(const std::string& host) const {
  return host + ":" + std::to_string(port_);
}

std::string RegistryServer::url(const std::string& target,
                                const std::string& host) const {
  return "http://" + domain(host) + target;
}

void RegistryServer::add(Rule rule) {
  const std::lock_guard lock(mutex_);
  rules_.push_back(std::move(rule));
}

std::optional<Action> RegistryServer::action_for(const Event& event) {
  const std::lock_guard lock(mutex_);
  for (Rule& rule : rules_) {
    if (!rule.method.empty() && rule.method != event.method) continue;
    if (event.target.find(rule.part) == std::string::npos) continue;
    if (!rule.pattern.empty() &&
        !std::regex_search(event.target, std::regex(rule.pattern))) {
      continue;
    }
    if (rule.skip > 0) {
      --rule.skip;
    } else if (rule.times > 0) {
      --rule.times;
      return rule.action;
    }
  }
  return std::nullopt;
}

std::size_t RegistryServer::remember(Event event) {
  const std::lock_guard lock(mutex_);
  events_.push_back(std::move(event));
  return cleared_ + events_.size() - 1;
}

void RegistryServer::update(std::size_t number, std::uint64_t received, int status) {
  const std::lock_guard lock(mutex_);
  if (number < cleared_) return;
  Event& event = events_.at(number - cleared_);
  event.received = received;
  if (status != 0) event.status = status;
}

std::vector<Event> RegistryServer::events() const {
  const std::lock_guard lock(mutex_);
  return events_;
}

std::vector<std::string> RegistryServer::log(const std::string& part) const {
  std::vector<std::string> lines;
  for (const Event& event : events()) {
    std::string line = event.brief();
    if (line.find(part) != std::string::npos) lines.push_back(std::move(line));
  }
  return lines;
}

void RegistryServer::clear_log() {
  const std::lock_guard lock(mutex_);
  cleared_ += events_.size();
  events_.clear();
}

int RegistryServer::connections() const {
  const std::lock_guard lock(mutex_);
  return connections_;
}

bool RegistryServer::wait(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, time, [&] { return stopping_; });
}

void RegistryServer::wait_for_the_end() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return stopping_; });
}
