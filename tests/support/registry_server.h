// RegistryServer: an OCI registry on the loopback interface, honest unless told
// otherwise. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/registry_content.h"

// What is done to a request. Several members may be set: {.cut_sent = 10, .reset = true}.
struct Action {
  // An answer in place of the registry's, which does not see the request. 0: the
  // registry's own, with these headers added.
  int status = 0;
  WireHeaders headers = {};
  std::string body = {};

  // The connection ends when so many bytes of the body have come, or been sent.
  std::optional<std::uint64_t> cut_received = {};
  std::optional<std::uint64_t> cut_sent = {};
  bool reset = false;  // it ends with RST; without a cut, as soon as the head has come
  bool stall = false;  // it does not end but falls silent, until the server is gone
  bool drop_answer = false;  // the request is performed, then the connection ends
  std::chrono::milliseconds delay{0};  // before anything is done
  bool close = false;        // the connection ends after the answer, unannounced
  bool early = false;        // `status` is answered before the body is read
  bool no_continue = false;  // Expect: 100-continue is not heeded
  std::optional<std::uint64_t> content_length = {};  // told in place of the true one
};

// The first rule that fits a request and still fires decides.
struct Rule {
  std::string method = {};   // empty: any
  std::string part = {};     // of the target
  std::string pattern = {};  // a regular expression to be found in the target
  int skip = 0;              // fitting requests that pass first
  int times = 1;             // then it fires so often
  Action action = {};
};

// One request as it came.
struct Event {
  std::string method;
  std::string target;
  WireHeaders headers;
  std::uint64_t received = 0;  // bytes of body
  int status = 0;              // answered; 0: nothing

  bool has(std::string_view name) const;  // a header, in lower case
  std::string header(std::string_view name) const;
  // "PUT /v2/a/blobs/uploads/1?_state=…&digest=sha256:9f86d081…": states are left out,
  // digests are brief.
  std::string brief() const;
};

// A thread for each connection. Connections are kept alive. Safe to share between
// threads; several servers may run at once, and one may be called 127.0.0.1 as well as
// localhost.
class RegistryServer {
 public:
  explicit RegistryServer(RegistryOptions options = {});
  // Ends all connections, also stalled ones, and waits for their threads.
  ~RegistryServer();
  RegistryServer(const RegistryServer&) = delete;
  RegistryServer& operator=(const RegistryServer&) = delete;

  int port() const { return port_; }
  std::string domain(const std::string& host = "127.0.0.1") const;  // "127.0.0.1:1234"
  std::string url(const std::string& target, const std::string& host = "127.0.0.1") const;

  RegistryContent& content() { return content_; }

  void add(Rule rule);
  std::vector<Event> events() const;
  // brief() of each event that has `part` in it.
  std::vector<std::string> log(const std::string& part = "") const;
  void clear_log();
  int connections() const;  // accepted so far

 private:
  class Conversation;

  void accept_all();
  std::optional<Action> action_for(const Event& event);
  std::size_t remember(Event event);
  void update(std::size_t number, std::uint64_t received, int status);
  // False if the server is going down.
  bool wait(std::chrono::milliseconds time);
  void wait_for_the_end();

  RegistryContent content_;
  int socket_ = -1;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  int connections_ = 0;
  std::vector<Rule> rules_;
  std::vector<Event> events_;
  std::size_t cleared_ = 0;             // events that were forgotten: numbers go on
  std::map<int, std::thread> threads_;  // by the number of the connection
  std::map<int, int> open_;             // its descriptor, while it is open
  std::thread acceptor_;
};
