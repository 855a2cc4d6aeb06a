// curl_http_client: HttpClient on libcurl.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <optional>
#include <vector>

#include <curl/curl.h>
#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/registry/http_client.h"

namespace oci {

namespace {

constexpr int k_max_redirects = 5;
constexpr long k_connect_timeout_seconds = 15;
constexpr long k_least_speed = 1000;  // bytes a second; less is no mirror but a trap
constexpr long k_receive_buffer = 512 * 1024;
constexpr std::size_t k_max_idle = 16;

struct CloseEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
using Easy = std::unique_ptr<CURL, CloseEasy>;

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

template <class Value>
void set(CURL* easy, CURLoption option, Value value) {
  const CURLcode code = curl_easy_setopt(easy, option, value);
  if (code != CURLE_OK) {
    throw Error(Errc::internal,
                fmt::format("libcurl refuses option {}: {}", static_cast<int>(option),
                            curl_easy_strerror(code)));
  }
}

template <class Value>
Value info(CURL* easy, CURLINFO which) {
  Value value{};
  curl_easy_getinfo(easy, which, &value);
  return value;
}

bool is_redirect(long status) {
  return status == 301 || status == 302 || status == 303 || status == 307 ||
         status == 308;
}

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() &&
         ::strncasecmp(text.data(), prefix.data(), prefix.size()) == 0;
}

bool is_https(const std::string& url) {
  return starts_with_ignoring_case(url, "https://");
}

void check_url(const std::string& url) {
  const bool plain = std::all_of(url.begin(), url.end(), [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && c != 0x7f;
  });
  if (!plain) {
    throw Error(Errc::bad_input, "the URL contains a blank or a control character");
  }
  if (!is_https(url) && !starts_with_ignoring_case(url, "http://")) {
    throw Error(Errc::bad_input,
                fmt::format("{} is neither http nor https", url_for_people(url)));
  }
}

// The state of one request while libcurl calls back. No exception crosses its frames:
// they wait in `failure`.
class Transfer {
 public:
  Transfer(CURL* easy, const HttpRequest& request, Sink& body, std::stop_token stop)
      : easy_(easy), request_(request), body_(body), stop_(std::move(stop)) {}

  static std::size_t on_body(char* data, std::size_t, std::size_t size, void* self) {
    return static_cast<Transfer*>(self)->guarded(
        [&](Transfer& transfer) { transfer.take(std::string_view(data, size)); }, size);
  }
  static std::size_t on_header(char* data, std::size_t, std::size_t size, void* self) {
    return static_cast<Transfer*>(self)->guarded(
        [&](Transfer& transfer) { transfer.header(std::string_view(data, size)); }, size);
  }
  static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<Transfer*>(self)->stop_.stop_requested() ? 1 : 0;
  }

  // After the transfer: throws what went wrong inside a callback.
  void rethrow() const {
    if (stop_.stop_requested()) throw Cancelled();
    if (failure_) std::rethrow_exception(failure_);
  }
  std::uint64_t written() const { return written_; }
  std::uint64_t seen() const { return seen_; }

 private:
  template <class Body>
  std::size_t guarded(Body body, std::size_t size) noexcept {
    try {
      body(*this);
      return size;
    } catch (...) {
      failure_ = std::current_exception();
      return 0;
    }
  }

  void header(std::string_view line) {
    if (starts_with_ignoring_case(line, "HTTP/")) range_start_.reset();
    constexpr std::string_view k_range = "content-range: bytes ";
    if (starts_with_ignoring_case(line, k_range)) {
      const std::string digits(line.substr(k_range.size(), 20));
      range_start_ = std::strtoull(digits.c_str(), nullptr, 10);
    }
  }

  void take(std::string_view data) {
    const long status = info<long>(easy_, CURLINFO_RESPONSE_CODE);
    if (status != 200 && status != 206) return;
    if (seen_ == 0 && status == 206 && range_start_.value_or(0) != request_.offset) {
      throw Error(Errc::unavailable,
                  fmt::format("{} was asked for bytes from {} and sent others",
                              url_for_people(request_.url), request_.offset));
    }
    const std::uint64_t before = seen_;
    seen_ += data.size();
    if (status == 200 && before < request_.offset) {
      data.remove_prefix(std::min<std::uint64_t>(data.size(), request_.offset - before));
    }
    if (request_.max_bytes != 0 && written_ + data.size() > request_.max_bytes) {
      throw Error(Errc::bad_input,
                  fmt::format("{} has more than {} bytes", url_for_people(request_.url),
                              request_.max_bytes));
    }
    written_ += data.size();
    if (!data.empty()) body_.write(as_bytes(data));
  }

  CURL* easy_;
  const HttpRequest& request_;
  Sink& body_;
  std::stop_token stop_;
  std::exception_ptr failure_;
  std::optional<std::uint64_t> range_start_;
  std::uint64_t seen_ = 0;
  std::uint64_t written_ = 0;
};

class CurlHttpClient final : public HttpClient {
 public:
  CurlHttpClient() {
    static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (started != CURLE_OK) throw Error(Errc::machine, "libcurl cannot start");
    remember("SSL_CERT_FILE", certificate_file_);
    remember("SSL_CERT_DIR", certificate_directory_);
    // libcurl reads this one in lower case only, for the sake of CGI programs.
    if (std::getenv("REQUEST_METHOD") == nullptr) remember("HTTP_PROXY", http_proxy_);
    if (std::getenv("http_proxy") != nullptr) http_proxy_.clear();
  }

  HttpResponse get(const HttpRequest& request, Sink& body,
                   std::stop_token stop) override {
    if (stop.stop_requested()) throw Cancelled();
    Easy easy = borrow();
    std::string url = request.url;
    for (int hop = 0;; ++hop) {
      check_url(url);
      HttpResponse response = get_once(easy.get(), url, request, body, stop);
      if (!is_redirect(response.status)) {
        give_back(std::move(easy));
        return response;
      }
      if (hop == k_max_redirects) {
        throw Error(Errc::unavailable,
                    fmt::format("{} redirects more than {} times",
                                url_for_people(request.url), k_max_redirects));
      }
      url = redirect_target(easy.get(), url);
    }
  }

 private:
  static void remember(const char* name, std::string& value) {
    if (const char* found = std::getenv(name)) value = found;
  }

  static std::string redirect_target(CURL* easy, const std::string& from) {
    const char* target = info<const char*>(easy, CURLINFO_REDIRECT_URL);
    if (target == nullptr) {
      throw Error(Errc::unavailable,
                  url_for_people(from) + " redirects without saying where to");
    }
    if (is_https(from) && !is_https(target)) {
      throw Error(Errc::denied,
                  fmt::format("{} redirects to {}, from https to http",
                              url_for_people(from), url_for_people(target)));
    }
    return target;
  }

  HttpResponse get_once(CURL* easy, const std::string& url, const HttpRequest& request,
                        Sink& body, const std::stop_token& stop) {
    Transfer transfer(easy, request, body, stop);
    const HeaderList headers(curl_slist_append(nullptr, "Accept-Encoding: identity"));
    prepare(easy, url, request);
    set(easy, CURLOPT_HTTPHEADER, headers.get());
    set(easy, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
    set(easy, CURLOPT_WRITEDATA, &transfer);
    set(easy, CURLOPT_HEADERFUNCTION, &Transfer::on_header);
    set(easy, CURLOPT_HEADERDATA, &transfer);
    set(easy, CURLOPT_XFERINFOFUNCTION, &Transfer::on_progress);
    set(easy, CURLOPT_XFERINFODATA, &transfer);
    set(easy, CURLOPT_NOPROGRESS, 0L);
    const CURLcode code = curl_easy_perform(easy);
    transfer.rethrow();
    if (code != CURLE_OK) throw connection_error(code, url);
    HttpResponse response;
    response.status = static_cast<int>(info<long>(easy, CURLINFO_RESPONSE_CODE));
    response.final_url = url;
    response.bytes = transfer.written();
    const auto wait = info<curl_off_t>(easy, CURLINFO_RETRY_AFTER);
    response.retry_after = std::chrono::seconds(std::clamp<curl_off_t>(wait, 0, 86400));
    // A 200 that ends before the offset has nothing of what was asked for.
    if (response.status == 200 && transfer.seen() < request.offset) response.status = 416;
    return response;
  }

  void prepare(CURL* easy, const std::string& url, const HttpRequest& request) const {
    curl_easy_reset(easy);  // options only: connections stay
    set(easy, CURLOPT_URL, url.c_str());
    set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    set(easy, CURLOPT_PATH_AS_IS, 1L);
    set(easy, CURLOPT_FOLLOWLOCATION, 0L);
    set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(easy, CURLOPT_NOSIGNAL, 1L);
    set(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    set(easy, CURLOPT_CONNECTTIMEOUT, k_connect_timeout_seconds);
    set(easy, CURLOPT_LOW_SPEED_LIMIT, k_least_speed);
    set(easy, CURLOPT_LOW_SPEED_TIME, static_cast<long>(request.stall_timeout.count()));
    set(easy, CURLOPT_TIMEOUT, static_cast<long>(request.total_timeout.count()));
    set(easy, CURLOPT_BUFFERSIZE, k_receive_buffer);
    set(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    set(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    set(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    set(easy, CURLOPT_USERAGENT, "lithify");
    if (request.offset > 0) {
      set(easy, CURLOPT_RANGE, fmt::format("{}-", request.offset).c_str());
    }
    if (!certificate_file_.empty()) set(easy, CURLOPT_CAINFO, certificate_file_.c_str());
    if (!certificate_directory_.empty())
      set(easy, CURLOPT_CAPATH, certificate_directory_.c_str());
    if (!http_proxy_.empty() && !is_https(url))
      set(easy, CURLOPT_PROXY, http_proxy_.c_str());
  }

  static Error connection_error(CURLcode code, const std::string& url) {
    const std::string shown = url_for_people(url);
    if (code == CURLE_OPERATION_TIMEDOUT) {
      return Error(Errc::unavailable, shown + " does not answer, or too slowly");
    }
    if (code == CURLE_URL_MALFORMAT) {
      return Error(Errc::bad_input, shown + " is not a URL");
    }
    return Error(Errc::unavailable,
                 fmt::format("{} cannot be read: {}", shown, curl_easy_strerror(code)));
  }

  Easy borrow() {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        Easy easy = std::move(idle_.back());
        idle_.pop_back();
        return easy;
      }
    }
    Easy easy(curl_easy_init());
    if (!easy) throw Error(Errc::machine, "libcurl has no memory for a request");
    return easy;
  }

  void give_back(Easy easy) {
    const std::lock_guard lock(mutex_);
    if (idle_.size() < k_max_idle) idle_.push_back(std::move(easy));
  }

  std::string certificate_file_;
  std::string certificate_directory_;
  std::string http_proxy_;
  std::mutex mutex_;
  std::vector<Easy> idle_;  // each keeps its own connections
};

}  // namespace

std::unique_ptr<HttpClient> curl_http_client() {
  return std::make_unique<CurlHttpClient>();
}

}  // namespace oci
