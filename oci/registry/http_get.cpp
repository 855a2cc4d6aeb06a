#include "oci/registry/http_get.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/registry/origin.h"

namespace oci {

namespace {

constexpr int k_max_redirects = 10;

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 ||
         status == 308;
}

// "bytes 4-9/10": 4.
std::uint64_t range_start(const HttpResponse& response) {
  constexpr std::string_view k_unit = "bytes ";
  const std::string* range = response.header("content-range");
  std::uint64_t start = 0;
  if (range != nullptr && range->rfind(k_unit, 0) == 0) {
    std::from_chars(range->data() + k_unit.size(), range->data() + range->size(), start);
  }
  return start;
}

// What a request asked from the middle of, cut to that.
class Rest final : public Sink {
 public:
  Rest(const GetRequest& request, Sink& body) : request_(request), body_(body) {}

  void begin(const HttpResponse& answer) {
    const std::string shown = url_for_people(request_.url);
    const std::string* encoding = answer.header("content-encoding");
    if (encoding != nullptr && !encoding->empty() && *encoding != "identity") {
      throw Error(Errc::unavailable,
                  shown + " comes in a content encoding, which was not asked for");
    }
    if (answer.status == 206 && range_start(answer) != request_.offset) {
      throw Error(Errc::unavailable,
                  fmt::format("{} was asked for bytes from {} and sent others", shown,
                              request_.offset));
    }
    skip_ = answer.status == 206 ? 0 : request_.offset;
  }

  void write(Bytes data) override {
    const std::uint64_t skipped = std::min<std::uint64_t>(data.size(), skip_);
    skip_ -= skipped;
    data = data.subspan(skipped);
    if (request_.max_bytes != 0 && written_ + data.size() > request_.max_bytes) {
      throw Error(Errc::bad_input,
                  fmt::format("{} has more than {} bytes", url_for_people(request_.url),
                              request_.max_bytes));
    }
    written_ += data.size();
    if (!data.empty()) body_.write(data);
  }

  std::uint64_t written() const { return written_; }
  // It ended before the part that was asked for began.
  bool missed() const { return skip_ > 0; }

 private:
  const GetRequest& request_;
  Sink& body_;
  std::uint64_t skip_ = 0;
  std::uint64_t written_ = 0;
};

std::string redirect_target(const HttpResponse& response, const std::string& from) {
  const std::string* location = response.header("location");
  const auto target = location ? resolve_url(from, *location) : std::nullopt;
  if (!target) {
    throw Error(Errc::unavailable,
                url_for_people(from) + " redirects without saying where to");
  }
  const auto origin = Origin::of(*target);
  if (!origin) {
    throw Error(Errc::denied, fmt::format("{} redirects to {}, which is no http server",
                                          url_for_people(from), url_for_people(*target)));
  }
  if (Origin::of(from)->is_secure() && !origin->is_secure()) {
    throw Error(Errc::denied, fmt::format("{} redirects to {}, from https to http",
                                          url_for_people(from), url_for_people(*target)));
  }
  return *target;
}

HttpRequest hop_request(const GetRequest& request, const std::string& url, Rest& rest) {
  HttpRequest hop;
  hop.url = url;
  if (request.offset > 0) {
    hop.headers.emplace_back("Range", fmt::format("bytes={}-", request.offset));
  }
  if (Origin::of(url) == Origin::of(request.url)) {
    hop.headers.insert(hop.headers.end(), request.headers.begin(), request.headers.end());
    hop.tls = request.tls;
  }
  hop.stall_timeout = request.stall_timeout;
  hop.total_timeout = request.total_timeout;
  hop.on_answer = [&rest](const HttpResponse& answer) { rest.begin(answer); };
  return hop;
}

}  // namespace

GetResponse http_get(HttpClient& http, const GetRequest& request, Sink& body,
                     std::stop_token stop) {
  std::string url = request.url;
  bool outside = false;  // somebody outside sends us on
  for (int hop = 0; hop <= k_max_redirects; ++hop) {
    Rest rest(request, body);
    HttpRequest asked = hop_request(request, url, rest);
    asked.public_only = outside;
    HttpResponse response = http.send(asked, rest, stop);
    if (!is_redirect(response.status)) {
      // A 200 that ends before the offset has nothing of what was asked for.
      const int status = response.status == 200 && rest.missed() ? 416 : response.status;
      return {status,
              url,
              rest.written(),
              response.retry_after,
              std::move(response.headers),
              std::move(response.problem)};
    }
    outside = outside || !response.from_private;
    url = redirect_target(response, url);
  }
  throw Error(Errc::unavailable,
              fmt::format("{} redirects more than {} times", url_for_people(request.url),
                          k_max_redirects));
}

}  // namespace oci
