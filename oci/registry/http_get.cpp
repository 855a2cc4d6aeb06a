#include "oci/registry/http_get.h"

#include <algorithm>
#include <charconv>
#include <iterator>

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

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "bytes 4-9/10": from 4 of 10.
struct Stretch {
  std::uint64_t start = 0;
  std::optional<std::uint64_t> total = {};
};
Stretch stretch_of(const HttpResponse& response) {
  constexpr std::string_view k_unit = "bytes ";
  const std::string* range = response.header("content-range");
  if (range == nullptr || range->rfind(k_unit, 0) != 0) return {};
  std::string_view text(*range);
  text.remove_prefix(k_unit.size());
  const std::size_t dash = std::min(text.find('-'), text.size());
  const std::size_t slash = std::min(text.find('/'), text.size());
  Stretch stretch;
  stretch.start = number(text.substr(0, dash)).value_or(0);
  if (slash < text.size()) stretch.total = number(text.substr(slash + 1));
  return stretch;
}

// How long the whole file is, as far as the answer tells.
std::optional<std::uint64_t> told_size(const HttpResponse& response) {
  if (response.status == 206) return stretch_of(response).total;
  const std::string* length = response.header("content-length");
  return length == nullptr ? std::nullopt : number(*length);
}

// The server sends a range that was not asked for.
struct OtherRange {};

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
    if (answer.status == 206 && stretch_of(answer).start != request_.offset) {
      throw OtherRange{};
    }
    const auto size = told_size(answer);
    if (request_.size && size && *size != *request_.size) {
      throw Error(Errc::mismatch, fmt::format("{} has {} bytes, not the {} expected",
                                              shown, *size, *request_.size));
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

// What strangers may be told.
bool is_for_all(const std::pair<std::string, std::string>& header) {
  return header.first == "Accept" || header.first == "Range";
}

HttpRequest hop_request(const HttpRequest& first, const std::string& url) {
  HttpRequest hop = first;
  hop.url = url;
  if (Origin::of(url) == Origin::of(first.url)) return hop;
  hop.tls = {};
  hop.headers.clear();
  std::copy_if(first.headers.begin(), first.headers.end(),
               std::back_inserter(hop.headers), is_for_all);
  return hop;
}

}  // namespace

HttpResponse send_following(HttpClient& http, const HttpRequest& request, Sink& body,
                            std::stop_token stop, std::string* final_url) {
  std::string url = request.url;
  bool outside = request.public_only;  // somebody outside sends us on
  for (int hop = 0; hop <= k_max_redirects; ++hop) {
    HttpRequest asked = hop_request(request, url);
    asked.public_only = outside;
    HttpResponse response = http.send(asked, body, stop);
    if (!is_redirect(response.status)) {
      if (final_url != nullptr) *final_url = url;
      return response;
    }
    outside = outside || !response.from_private;
    url = redirect_target(response, url);
  }
  throw Error(Errc::unavailable,
              fmt::format("{} redirects more than {} times", url_for_people(request.url),
                          k_max_redirects));
}

GetResponse http_get(HttpClient& http, const GetRequest& request, Sink& body,
                     std::stop_token stop) {
  Rest rest(request, body);
  HttpRequest asked;
  asked.url = request.url;
  asked.headers = request.headers;
  if (request.offset > 0 && !request.whole) {
    asked.headers.emplace_back("Range", fmt::format("bytes={}-", request.offset));
  }
  asked.tls = request.tls;
  asked.stall_timeout = request.stall_timeout;
  asked.total_timeout = request.total_timeout;
  asked.on_answer = [&rest](const HttpResponse& answer) { rest.begin(answer); };
  GetResponse result;
  HttpResponse response;
  try {
    response = send_following(http, asked, rest, std::move(stop), &result.final_url);
  } catch (const OtherRange&) {
    result.status = 416;
    return result;
  }
  // A 200 that ends before the offset has nothing of what was asked for.
  result.status = response.status == 200 && rest.missed() ? 416 : response.status;
  result.bytes = rest.written();
  result.retry_after = response.retry_after;
  result.headers = std::move(response.headers);
  result.problem = std::move(response.problem);
  return result;
}

}  // namespace oci
