// RegistryContent: what an OCI distribution server keeps and answers, without the wire.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Names in lower case when received.
using WireHeaders = std::vector<std::pair<std::string, std::string>>;

struct WireRequest {
  std::string method;
  std::string target;  // as sent: path and query
  WireHeaders headers = {};
  std::string body = {};

  std::string path() const { return target.substr(0, target.find('?')); }
  // Decoded; nullopt if it is not there.
  std::optional<std::string> query(std::string_view name) const;
  std::vector<std::string> queries(std::string_view name) const;
  std::string header(std::string_view name) const;  // empty if it is not there
};

struct WireResponse {
  int status = 200;
  WireHeaders headers = {};  // without Content-Length
  std::string body = {};
};

struct RegistryOptions {
  enum class Auth { none, basic, bearer };
  Auth auth = Auth::none;
  std::string user = "me";
  std::string password = "secret";
  std::string refresh_token = "refresh-me";  // is as good as the password at /token
  bool anonymous_pull = false;               // tokens to read, for those without a name
  std::chrono::milliseconds token_life{300'000};
  std::string realm = {};  // empty: /token of this server, as the client calls it

  bool referrers = true;     // the API; else 404, and no OCI-Subject
  bool validate = true;      // a manifest's blobs must be there
  bool mounts = true;        // else an ordinary session
  bool single_post = false;  // POST with ?digest= takes the blob
  // What was received when an upload broke off can be asked for with the last Location,
  // as of distribution 3; else the session is lost, as before.
  bool resumable = true;
  std::uint64_t chunk_minimum = 0;  // OCI-Chunk-Min-Length; 0: none
  std::size_t page = 1000;          // most tags in an answer
};

// Safe to share between threads.
class RegistryContent {
 public:
  explicit RegistryContent(RegistryOptions options) : options_(std::move(options)) {}

  // What an honest server answers.
  WireResponse answer(const WireRequest& request);
  // The answer if it needs no body: the client may not do this. nullopt: go on.
  std::optional<WireResponse> refuse(const WireRequest& request);
  // The connection ended inside the body of `request`.
  void broke_off(const WireRequest& request);

  // For tests to look at and to prepare. All return the digest.
  std::string put_blob(const std::string& repository, const std::string& bytes);
  std::string put_manifest(const std::string& repository, const std::string& reference,
                           const std::string& bytes, const std::string& type);
  std::optional<std::string> blob(const std::string& repository,
                                  const std::string& digest) const;
  // By tag or digest.
  std::optional<std::string> manifest(const std::string& repository,
                                      const std::string& reference) const;
  std::vector<std::string> tags(const std::string& repository) const;
  std::size_t sessions() const;  // uploads that are neither done nor given up
  std::size_t tokens() const;    // handed out so far
  void expire_tokens();

 private:
  struct Manifest {
    std::string bytes;
    std::string type;
  };
  struct Repository {
    std::map<std::string, std::string> blobs;  // by digest
    std::map<std::string, Manifest> manifests;
    std::map<std::string, std::string> tags;
  };
  struct Session {
    std::string repository;
    std::string data = {};
    std::map<std::string, std::size_t> states = {};  // sealed state → its offset
  };
  struct Token {
    std::set<std::string> grants;  // "repository:a/b:pull"
    std::chrono::steady_clock::time_point end;
  };
  // "/v2/NAME/KIND/REFERENCE" in its parts.
  struct Route {
    std::string repository = {};
    std::string kind = {};  // "manifests", "blobs", "uploads", "tags", "referrers", or ""
    std::string reference = {};
    static std::optional<Route> of(const std::string& path);
  };

  WireResponse token(const WireRequest& request);
  WireResponse challenge(const WireRequest& request, const Route& route,
                         bool insufficient) const;
  const Token* token_of(const WireRequest& request) const;
  bool has_password(const WireRequest& request) const;
  std::optional<WireResponse> refuse_locked(const WireRequest& request,
                                            const Route& route);
  WireResponse dispatch(const WireRequest& request, const Route& route);

  WireResponse blobs(const WireRequest& request, const Route& route);
  WireResponse start(const WireRequest& request, const Route& route);
  WireResponse upload(const WireRequest& request, const Route& route);
  WireResponse commit(const WireRequest& request, const std::string& id);
  WireResponse progress(int status, const std::string& id);
  bool mounted(const WireRequest& request, const Route& route, const std::string& digest);
  WireResponse manifests(const WireRequest& request, const Route& route);
  WireResponse put(const WireRequest& request, const Route& route);
  std::optional<WireResponse> invalid(const WireRequest& request, const Route& route,
                                      std::string& subject) const;
  WireResponse list_tags(const WireRequest& request, const Route& route) const;
  WireResponse list_referrers(const WireRequest& request, const Route& route) const;
  std::string digest_of(const Repository& repository, const std::string& reference) const;

  RegistryOptions options_;
  mutable std::mutex mutex_;
  std::map<std::string, Repository> repositories_;
  std::map<std::string, Session> sessions_;
  std::map<std::string, Token> tokens_;
  std::size_t last_session_ = 0;
  std::size_t last_token_ = 0;
};
