// upload: what servers were seen to do is in the comments; the ways to send a blob are in
// the order that works with most of them.
#include "oci/registry/upload.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/registry/server_error.h"
#include "oci/registry/upload_quirks.h"

namespace oci {

namespace {

constexpr std::uint64_t k_mib = 1 << 20;
constexpr std::uint64_t k_least_chunk = 256 * 1024;
constexpr std::uint64_t k_progress = k_mib;
constexpr std::size_t k_max_mounts = 3;
constexpr int k_max_hops = 5;
constexpr int k_max_wrong = 2;

// Reads `size` bytes of another source, says how far it got, and what went wrong there.
class PartSource final : public Source {
 public:
  struct Told {
    std::function<void(std::uint64_t)> got;
    std::function<void(std::exception_ptr)> failed;
  };
  PartSource(std::unique_ptr<Source> from, std::uint64_t size, Told told)
      : from_(std::move(from)), left_(size), told_(std::move(told)) {}

  std::size_t read(std::span<std::byte> into) override {
    if (left_ == 0) return 0;
    std::size_t got = 0;
    try {
      got = from_->read(into.first(std::min<std::uint64_t>(into.size(), left_)));
    } catch (...) {
      told_.failed(std::current_exception());
      throw;
    }
    left_ -= got;
    told_.got(got);
    return got;
  }

 private:
  std::unique_ptr<Source> from_;
  std::uint64_t left_;
  Told told_;
};

bool is_success(int status) {
  return status >= 200 && status <= 204;
}

// A body is sent again only where the answer says that the method stays.
bool leads_on(int status, const std::string& method) {
  if (status == 307 || status == 308) return true;
  return method == "HEAD" && status >= 301 && status <= 303;
}

}  // namespace

Upload::Upload(Registries& shared, HttpClient& http, UploadRequest request,
               Activity& activity, std::stop_token stop)
    : shared_(shared),
      http_(http),
      request_(std::move(request)),
      activity_(activity),
      stop_(std::move(stop)),
      patience_(shared.patience()),
      way_(shared.way_to(request_.origin)) {}

bool Upload::run() {
  const auto session = open_session(true);
  if (!session) return false;
  return send_until_there(*session);
}

bool Upload::send_until_there(Session session) {
  while (true) {
    const Step step = send_once(session);
    if (step == Step::done) {
      shared_.learned(request_.origin, way_);
      return true;
    }
    if (step != Step::again) {
      if (session.acknowledged >= best_ + k_progress) patience_.regain();
      best_ = std::max(best_, session.acknowledged);
      patience_.lose(*failure_, asked_, stop_);
      // The answer to a PUT that succeeded may be what was lost.
      if (is_there()) return true;
      if (recover(step, session)) continue;
    }
    session = *open_session(false);
  }
}

Upload::Step Upload::send_once(Session& session) {
  failure_.reset();
  asked_ = {};
  try {
    return send(session);
  } catch (const Error& e) {
    // What cannot be read here will not be readable by asking the server again.
    if (body_failure_ || e.code() != Errc::unavailable) throw;
    failure_ = e;
    connection_broke();
    return Step::resume;
  }
}

// Whether the session goes on.
bool Upload::recover(Step step, Session& session) {
  return step == Step::resume && keeps_sessions(request_.origin) && ask_status(session);
}

// ---- sessions -----------------------------------------------------------------------

std::optional<Upload::Session> Upload::open_session(bool mount) {
  std::optional<Session> session;
  if (mount && !request_.mount_from.empty()) {
    session = try_mounts();
    if (session && session->location.empty()) return std::nullopt;
  }
  if (session) return session;
  const HttpResponse answer = ask("POST", request_.base + "/blobs/uploads/", false);
  if (answer.status != 202 && answer.status != 201) throw refusal(answer);
  Session fresh;
  fresh.location = request_.base + "/blobs/uploads/";
  move_to(fresh, answer);
  return fresh;
}

// A session without location: mounted. No session: nobody could be mounted from. Who
// cannot mount gives a session, which is as good as any: to ask others would leave it
// behind.
std::optional<Upload::Session> Upload::try_mounts() {
  std::size_t asked = 0;
  for (const std::string& from : request_.mount_from) {
    if (asked == k_max_mounts) break;
    if (request_.may_mount && !request_.may_mount(from)) continue;
    ++asked;
    const std::string url = with_query(with_query(request_.base + "/blobs/uploads/",
                                                  "mount", request_.blob.digest.str()),
                                       "from", from);
    HttpResponse answer;
    try {
      answer = ask("POST", url, false);
    } catch (const Error& e) {
      // Not being allowed to read there is no reason not to write here, and some servers
      // fall over the question.
      if (e.code() != Errc::denied && e.code() != Errc::unavailable) throw;
      continue;
    }
    if (answer.status == 201) return Session{};
    if (answer.status != 202) continue;
    Session session;
    session.location = url;
    move_to(session, answer);
    return session;
  }
  return std::nullopt;
}

bool Upload::is_there() {
  const HttpResponse answer =
      ask("HEAD", request_.base + "/blobs/" + request_.blob.digest.str(), false);
  return answer.status == 200;
}

// distribution 2 and zot lose a session that broke: 404, and a new one is needed.
bool Upload::ask_status(Session& session) {
  const HttpResponse answer = ask("GET", session.location, session.outside);
  if (answer.status != 204 && answer.status != 202 && answer.status != 200) return false;
  auto got = acknowledged(answer);
  if (!got || *got > request_.blob.size) return false;
  // "0-0", and nothing was not it.
  if (*got == 0 && session.misplaced > 0) got = 1;
  session.acknowledged = *got;
  if (answer.header("location") != nullptr) move_to(session, answer);
  return true;
}

// ---- ways to send -------------------------------------------------------------------

Upload::Step Upload::send(Session& session) {
  switch (way_.method) {
    case UploadMethod::put:
      return send_whole(session);
    case UploadMethod::stream:
      return send_stream(session);
    case UploadMethod::chunks:
      break;
  }
  return send_chunks(session);
}

Upload::Step Upload::send_whole(Session& session) {
  if (session.acknowledged > 0) return send_stream(session);
  const std::string url =
      with_query(session.location, "digest", request_.blob.digest.str());
  const HttpResponse answer = call("PUT", url, session, part(0, request_.blob.size),
                                   {{"Content-Type", "application/octet-stream"}});
  if (is_success(answer.status)) {
    check_named(answer);
    return Step::done;
  }
  return judge(answer, session);
}

// All that is missing in one PATCH.
Upload::Step Upload::send_stream(Session& session) {
  const std::uint64_t from = session.acknowledged;
  const std::uint64_t size = request_.blob.size;
  if (from < size) {
    HttpHeaders headers{{"Content-Type", "application/octet-stream"}};
    if (from > 0)
      headers.emplace_back("Content-Range", fmt::format("{}-{}", from, size - 1));
    const HttpResponse answer =
        call("PATCH", session.location, session, part(from, size - from), headers);
    if (!is_success(answer.status)) return judge(answer, session);
    move_to(session, answer);
    session.acknowledged = size;
  }
  return close(session);
}

Upload::Step Upload::send_chunks(Session& session) {
  if (way_.chunk == 0) way_.chunk = first_chunk(UINT64_MAX);
  while (session.acknowledged < request_.blob.size) {
    const std::uint64_t from = session.acknowledged;
    const std::uint64_t size =
        std::min(request_.blob.size - from, std::max(way_.chunk, session.least_chunk));
    const HttpResponse answer =
        call("PATCH", session.location, session, part(from, size),
             {{"Content-Type", "application/octet-stream"},
              {"Content-Range", fmt::format("{}-{}", from, from + size - 1)}});
    if (!is_success(answer.status)) return judge(answer, session);
    move_to(session, answer);
    const std::uint64_t now = acknowledged(answer).value_or(from + size);
    // One that took nothing, or more than it was given, counts something else.
    session.acknowledged = now > from && now <= from + size ? now : from + size;
  }
  return close(session);
}

Upload::Step Upload::close(Session& session) {
  const std::string url =
      with_query(session.location, "digest", request_.blob.digest.str());
  const HttpResponse answer = call("PUT", url, session, {});
  if (!is_success(answer.status)) return judge(answer, session);
  check_named(answer);
  return Step::done;
}

// ---- answers ------------------------------------------------------------------------

Upload::Step Upload::judge(const HttpResponse& answer, Session& session) {
  const int status = answer.status;
  if (may_pass(status)) return may_pass_later(answer, Step::resume);
  if (status == 416) return misplaced(answer, session);
  if (has_code(answer, "DIGEST_INVALID")) return wrong_bytes(answer);
  if (is_lost_session(answer) && (!lost_ || way_.method == UploadMethod::chunks)) {
    lost_ = true;
    return may_pass_later(answer, Step::restart);
  }
  if (status == 413) return smaller(answer, session);
  if (status == 400 || status == 404 || status == 405 || status == 411 || status == 501) {
    return other_method(answer);
  }
  throw refusal(answer);
}

Upload::Step Upload::may_pass_later(const HttpResponse& answer, Step then) {
  failure_ = refusal(answer);
  asked_ = answer.retry_after;
  return then;
}

// We counted wrong, or the server did; who says it twice has no more use.
Upload::Step Upload::misplaced(const HttpResponse& answer, Session& session) {
  ++session.misplaced;
  return may_pass_later(answer, session.misplaced > 1 ? Step::restart : Step::resume);
}

Upload::Step Upload::other_method(const HttpResponse& answer) {
  // An answer may have been lost on the way, and the request sent twice.
  if (is_there()) return Step::done;
  lost_ = false;
  if (way_.method == UploadMethod::put) {
    way_.method = UploadMethod::stream;
  } else if (way_.method == UploadMethod::stream && takes_chunks(request_.origin)) {
    way_.method = UploadMethod::chunks;
  } else {
    throw refusal(answer);
  }
  return Step::again;
}

// The user's, or what is usual, if that is less than what was refused.
std::uint64_t Upload::first_chunk(std::uint64_t refused) const {
  if (shared_.settings().chunk_size > 0) return shared_.settings().chunk_size;
  return std::clamp(refused / 4, k_least_chunk, usual_chunk(request_.origin));
}

// Something before the server limits bodies.
Upload::Step Upload::smaller(const HttpResponse& answer, const Session& session) {
  if (!takes_chunks(request_.origin)) throw refusal(answer);
  if (way_.method != UploadMethod::chunks) {
    way_.method = UploadMethod::chunks;
    way_.chunk = first_chunk(part_size_);
    return Step::again;
  }
  way_.chunk /= 4;
  if (way_.chunk < std::max(k_least_chunk, session.least_chunk)) {
    throw refusal(answer).add_hint(
        "raise the limit on bodies of the proxy before the registry (nginx: "
        "client_max_body_size)");
  }
  return Step::again;
}

// Some lose every chunk but the first and notice at the end.
Upload::Step Upload::wrong_bytes(const HttpResponse& answer) {
  if (++wrong_ >= k_max_wrong) {
    throw Error(Errc::mismatch, fmt::format("{} arrived with other bytes, {} times",
                                            request_.what, wrong_))
        .add_note(refusal(answer).what())
        .add_note(fmt::format("{} bytes were sent", request_.blob.size));
  }
  if (way_.method == UploadMethod::chunks) way_.method = UploadMethod::stream;
  return Step::again;
}

// Twice at the same place is a limit that nobody tells of.
void Upload::connection_broke() {
  const std::uint64_t distance =
      sent_ > last_break_ ? sent_ - last_break_ : last_break_ - sent_;
  const bool again = last_break_ > k_mib && distance < k_mib;
  last_break_ = sent_;
  if (again && way_.method != UploadMethod::chunks && takes_chunks(request_.origin)) {
    way_.method = UploadMethod::chunks;
  }
}

// ---- requests -----------------------------------------------------------------------

HttpResponse Upload::call(const std::string& method, const std::string& url,
                          const Session& session, const HttpBody& body,
                          HttpHeaders headers) {
  HttpRequest request;
  request.method = method;
  request.url = url;
  request.headers = std::move(headers);
  request.body = body;
  request.max_bytes = 64 * 1024;
  request.public_only = session.outside;
  NullSink nothing;
  for (int hop = 0;; ++hop) {
    HttpResponse answer = http_.send(request, nothing, stop_);
    if (!leads_on(answer.status, method) || hop == k_max_hops) return answer;
    Session next = session;
    next.location = request.url;
    move_to(next, answer);
    request.url = next.location;
    request.public_only = next.outside;
  }
}

// A request without body, until it is answered.
HttpResponse Upload::ask(const std::string& method, const std::string& url,
                         bool outside) {
  Session session;
  session.outside = outside;
  while (true) {
    std::optional<Error> failure;
    std::chrono::seconds asked{0};
    try {
      HttpResponse answer = call(method, url, session, {});
      if (!may_pass(answer.status)) return answer;
      failure = refusal(answer);
      asked = answer.retry_after;
    } catch (const Error& e) {
      if (e.code() != Errc::unavailable) throw;
      failure = e;
    }
    patience_.lose(*failure, asked, stop_);
  }
}

// Each answer says where to go on. That may be another server, which gets the bytes and
// nothing that is secret.
void Upload::move_to(Session& session, const HttpResponse& answer) const {
  const std::string* location = answer.header("location");
  if (location == nullptr) {
    const bool begins = session.location.ends_with("/blobs/uploads/") ||
                        session.location.find("/blobs/uploads/?") != std::string::npos;
    if (!begins) return;  // stays where it is
    throw Error(Errc::unavailable,
                fmt::format("{} does not say where to send {}",
                            url_for_people(request_.base), request_.what));
  }
  const auto target = resolve_url(session.location, *location);
  const auto origin = target ? Origin::of(*target) : std::nullopt;
  if (!origin) {
    throw Error(Errc::denied, fmt::format("{} wants {} at no http address",
                                          url_for_people(request_.base), request_.what));
  }
  if (request_.origin.is_secure() && !origin->is_secure()) {
    throw Error(Errc::denied,
                fmt::format("{} wants {} at {}, from https to http",
                            url_for_people(request_.base), request_.what, origin->str()));
  }
  session.outside =
      (session.outside || !answer.from_private) && *origin != request_.origin;
  session.location = *target;
  session.least_chunk = std::max(session.least_chunk, least_chunk(answer));
}

HttpBody Upload::part(std::uint64_t offset, std::uint64_t size) {
  part_size_ = size;
  const PartSource::Told told{[this](std::uint64_t got) {
                                sent_ += got;
                                activity_.advance(sent_, request_.blob.size);
                              },
                              [this](std::exception_ptr why) { body_failure_ = why; }};
  return {size, [this, offset, size, told](std::uint64_t skip) {
            sent_ = offset + skip;
            try {
              return std::make_unique<PartSource>(request_.body.open(offset + skip),
                                                  size - skip, told);
            } catch (...) {
              told.failed(std::current_exception());
              throw;
            }
          }};
}

void Upload::check_named(const HttpResponse& answer) const {
  const std::string* named = answer.header("docker-content-digest");
  if (named == nullptr || named->rfind("sha256:", 0) != 0) return;
  if (*named == request_.blob.digest.str()) return;
  throw Error(Errc::mismatch,
              fmt::format("{} was stored as {}", request_.what, harmless(*named, 80)));
}

Error Upload::refusal(const HttpResponse& answer) const {
  return server_error(answer, request_.base, "pushing " + request_.what);
}

}  // namespace oci
