// RegistryBench: the real registry client, and a registry that can be told to fail it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "oci/base/base64.h"
#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/image/manifest.h"
#include "oci/registry/registry_client.h"
#include "oci/store/memory_store.h"

#include "tests/support/registry_server.h"
#include "tests/support/temporary_directory.h"

using Lines = std::vector<std::string>;

// One credential for everybody who asks; `fresh` is what a second look finds.
class BenchKeychain final : public oci::Keychain {
 public:
  std::optional<oci::Credential> credential;
  std::optional<oci::Credential> fresh;

  std::optional<oci::Credential> find(const std::string&, const std::string&, bool again,
                                      std::stop_token) override {
    return again && fresh ? fresh : credential;
  }
  std::vector<std::string> places() const override { return {"/a/config.json"}; }
};

// Stands before another client, to change what goes and what comes.
class HttpShim final : public oci::HttpClient {
 public:
  std::unique_ptr<oci::HttpClient> next = oci::curl_http_client();
  std::function<void(oci::HttpRequest&)> asked = {};
  std::function<void(oci::HttpResponse&)> answered = {};

  oci::HttpResponse send(const oci::HttpRequest& request, oci::Sink& body,
                         std::stop_token stop) override {
    oci::HttpRequest changed = request;
    if (asked) asked(changed);
    oci::HttpResponse answer = next->send(changed, body, std::move(stop));
    if (answered) answered(answer);
    return answer;
  }
};

// "PUT upload 1 [0-3] 201": what was asked, and what came of it.
inline std::string short_event(const Event& event) {
  const WireRequest request{event.method, event.target, event.headers};
  const std::string path = request.path();
  const auto after = [&](std::string_view part) {
    const std::size_t at = path.rfind(part);
    return at == std::string::npos ? std::string() : path.substr(at + part.size());
  };
  std::string what = path;
  if (path.ends_with("/blobs/uploads/")) {
    what = "session";
    if (const auto from = request.query("from")) what += " from " + *from;
  } else if (const std::string upload = after("/blobs/uploads/"); !upload.empty()) {
    what = "upload " + upload;
  } else if (path.find("/blobs/") != std::string::npos) {
    what = "blob";
  } else if (const std::string name = after("/manifests/"); !name.empty()) {
    what = "manifest " + name.substr(0, name.find(':') == std::string::npos ? 40 : 6);
  }
  std::string text = event.method + " " + what;
  for (const char* range : {"content-range", "range"}) {
    if (event.has(range)) text += " [" + event.header(range) + "]";
  }
  return text + " " + (event.status == 0 ? "-" : std::to_string(event.status));
}

inline std::string text_of_error(const oci::Error& error) {
  std::string text = error.what();
  for (const std::string& note : error.notes())
    text += "\n" + note;
  return text + "\n" + error.hint();
}

struct RegistryBench {
  explicit RegistryBench(RegistryOptions options = {}) : server(std::move(options)) {
    settings.retry = {4, std::chrono::milliseconds(1), std::chrono::milliseconds(5),
                      std::chrono::milliseconds(2000)};
    settings.tell = [this](const std::string& sentence) { told.push_back(sentence); };
    settings.stop = stop.get_token();
  }

  RegistryServer server;
  BenchKeychain keys;
  HttpShim http;
  TemporaryDirectory directory;
  std::string conf;  // of registries.conf
  oci::RegistrySettings settings;
  std::stop_source stop;
  std::vector<std::string> told;
  oci::MemoryStore store;  // what is pushed from and pulled into
  oci::SilentReporter silent;
  oci::Activity activity{silent, "test"};

  oci::Registries& registries() {
    if (registries_) return *registries_;
    oci::RegistryConfigPlaces places{.system = {}, .certificates = {}};
    if (!conf.empty()) {
      places.registries_conf = directory.path() / "registries.conf";
      oci::AtomicFile file(places.registries_conf);
      file.write(oci::as_bytes(conf));
      file.commit();
    }
    config_ = std::make_unique<oci::RegistryConfig>(std::move(places));
    registries_ = std::make_unique<oci::Registries>(http, keys, *config_, settings);
    return *registries_;
  }
  std::unique_ptr<oci::RegistryClient> open(const std::string& path,
                                            oci::Access access = oci::Access::push) {
    return registries().open(server.domain() + "/" + path, access);
  }
  // Of the repository "a/b"; made at the first call, which belongs to one thread.
  oci::RegistryClient& client() {
    if (!client_) client_ = open("a/b");
    return *client_;
  }

  oci::BlobRef keep(const std::string& text) { return oci::put(store, text); }
  // Throws what the client throws.
  void push(const std::string& text) {
    client().take(store, keep(text), activity, stop.get_token());
  }
  bool arrived(const std::string& text, const std::string& repository = "a/b") {
    return server.content().blob(repository, oci::Digest::of(text).str()) == text;
  }
  std::string pull(const std::string& text) {
    const oci::BlobRef blob{oci::Digest::of(text), text.size()};
    return oci::read_all(*client().open(blob), 64 << 20, "blob");
  }
  bool fetch(const std::string& text) {
    const oci::BlobRef blob{oci::Digest::of(text), text.size()};
    client().fetch(blob, store, directory.path() / "partial", activity);
    return store.has(blob.digest);
  }

  Lines log() const { return log_of(server); }
  static Lines log_of(const RegistryServer& server) {
    Lines lines;
    for (const Event& event : server.events())
      lines.push_back(short_event(event));
    return lines;
  }
  void fail(const std::string& method, const std::string& part, int status,
            int times = 1) {
    Rule rule{method, part};
    rule.times = times;
    rule.action.status = status;
    server.add(rule);
  }
  void login(const std::string& password = "secret") { keys.credential = of(password); }
  static oci::Credential of(const std::string& password) {
    return {oci::Credential::Kind::password, "me", oci::Secret(password),
            "/a/config.json"};
  }

 private:
  std::unique_ptr<oci::RegistryConfig> config_;
  std::unique_ptr<oci::Registries> registries_;
  std::unique_ptr<oci::RegistryClient> client_;
};

struct Failure {
  oci::Errc code = oci::Errc::internal;
  std::string text = "(nothing was thrown)";  // with notes and hint
};

template <class Action>
Failure failure_in(Action action) {
  try {
    action();
  } catch (const oci::Error& e) {
    return {e.code(), text_of_error(e)};
  }
  return {};
}

// Whether anything that is ours to keep reached `server`: a header with credentials, or
// the password or a token anywhere.
inline bool saw_secrets(const RegistryServer& server) {
  const std::string basic = oci::base64_encode("me:secret");
  for (const Event& event : server.events()) {
    if (event.has("authorization") || event.has("cookie")) return true;
    std::string all = event.target;
    for (const auto& [name, value] : event.headers)
      all += "\n" + value;
    for (const std::string& secret :
         {std::string("secret"), std::string("token-"), basic}) {
      if (all.find(secret) != std::string::npos) return true;
    }
  }
  return false;
}

// Whether `action`, stopped a little after it began, ends with Cancelled in a second.
template <class Action>
bool is_cancelled_soon(RegistryBench& bench, Action action) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  const std::jthread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    bench.stop.request_stop();
  });
  try {
    action();
  } catch (const oci::Cancelled&) {
    return Clock::now() - start < std::chrono::milliseconds(1600);
  }
  return false;
}
