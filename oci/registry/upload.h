// Upload: one blob into a repository, whatever stands in the way.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "oci/base/activity.h"
#include "oci/registry/registries.h"
#include "oci/store/blob_store.h"

namespace oci {

struct UploadRequest {
  std::string base;  // "https://host/v2/path"
  Origin origin;     // of the registry
  BlobRef blob;
  HttpBody body;                             // its bytes, from any offset
  std::vector<std::string> mount_from = {};  // paths of repositories of that registry
  // Whether one of those may be asked to mount from; empty: all.
  std::function<bool(const std::string& repository)> may_mount = {};
  std::string what;  // for messages: "blob 9f86d081… to ghcr.io/a/b"
};

// distribution-spec, "Pushing blobs". In order: a mount from the first of `mount_from`
// that is not refused; one PUT with the whole blob; where servers or what stands before
// them refuse that, one streamed PATCH, or PATCHes of a size that passes. The way that
// worked is remembered for the host.
//
// When a connection breaks or the server fails: the blob may be there already (HEAD);
// else the session is asked how much it has, and gets the rest; else a new session
// begins. There is progress as long as a MiB more arrives each time. Bytes that arrive
// wrong are sent once more, then Errc::mismatch. An error of `body` comes out as it is.
class Upload {
 public:
  // `http` adds credentials for the registry and for nobody else: a session that leads to
  // another server is sent bare, and never from https to http.
  Upload(Registries& shared, HttpClient& http, UploadRequest request, Activity& activity,
         std::stop_token stop);

  // False if it was mounted: no byte was sent.
  bool run();

 private:
  // again: another way, at once. resume: after a while, where the session stands.
  // restart: after a while, in a new session.
  enum class Step { done, again, resume, restart };
  struct Session {
    std::string location;
    std::uint64_t acknowledged = 0;
    std::uint64_t least_chunk = 0;
    bool outside = false;  // it was given by a public server
    int misplaced = 0;     // how often it said that bytes do not belong there
  };

  bool send_until_there(Session session);
  Step send_once(Session& session);
  bool recover(Step step, Session& session);
  std::optional<Session> open_session(bool mount);  // nullopt: mounted
  std::optional<Session> try_mounts();
  bool is_there();
  bool ask_status(Session& session);

  Step send(Session& session);
  Step send_whole(Session& session);
  Step send_stream(Session& session);
  Step send_chunks(Session& session);
  Step close(Session& session);
  Step judge(const HttpResponse& answer, Session& session);
  Step misplaced(const HttpResponse& answer, Session& session);
  Step may_pass_later(const HttpResponse& answer, Step then);
  Step other_method(const HttpResponse& answer);
  std::uint64_t first_chunk(std::uint64_t refused) const;
  Step smaller(const HttpResponse& answer, const Session& session);
  Step wrong_bytes(const HttpResponse& answer);
  void connection_broke();

  HttpResponse call(const std::string& method, const std::string& url,
                    const Session& session, const HttpBody& body,
                    HttpHeaders headers = {});
  HttpResponse ask(const std::string& method, const std::string& url, bool outside);
  void move_to(Session& session, const HttpResponse& answer) const;
  HttpBody part(std::uint64_t offset, std::uint64_t size);
  void check_named(const HttpResponse& answer) const;
  Error refusal(const HttpResponse& answer) const;

  Registries& shared_;
  HttpClient& http_;
  UploadRequest request_;
  Activity& activity_;
  std::stop_token stop_;
  Patience patience_;
  UploadWay way_;
  std::exception_ptr body_failure_;
  std::uint64_t part_size_ = 0;   // of the request in flight
  std::uint64_t sent_ = 0;        // how far the body was read for the request in flight
  std::uint64_t last_break_ = 0;  // where the last connection broke
  std::uint64_t best_ = 0;        // the furthest byte a server acknowledged
  std::optional<Error> failure_;  // the one that may pass
  std::chrono::seconds asked_{0};
  int wrong_ = 0;
  bool lost_ = false;  // a session was, in the way that is used now
};

}  // namespace oci
