// curl_http_client: HttpClient on libcurl.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <list>
#include <mutex>
#include <optional>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include <curl/curl.h>
#include <fmt/format.h>
#include <openssl/ssl.h>

#include "oci/base/error.h"
#include "oci/registry/http_client.h"
#include "oci/registry/network_address.h"
#include "oci/registry/origin.h"
#include "oci/registry/proxy.h"
#include "oci/registry/tls_error.h"

namespace oci {

namespace {

using Clock = std::chrono::steady_clock;

constexpr long k_connect_timeout_seconds = 15;
constexpr std::uint64_t k_least_speed = 1000;  // bytes a second; less is a trap
constexpr long k_receive_buffer = 512 * 1024;
constexpr long k_upload_buffer = 1024 * 1024;
constexpr std::uint64_t k_large_body = 256 * 1024;
constexpr std::size_t k_max_idle = 16;
constexpr std::size_t k_max_headers = 64 * 1024;
constexpr std::size_t k_max_problem = 64 * 1024;

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

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
  };
  while (!text.empty() && blank(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && blank(text.back()))
    text.remove_suffix(1);
  return text;
}

// The state of one exchange while libcurl calls back. No exception crosses its frames:
// they wait in `failure`.
class Transfer {
 public:
  Transfer(CURL* easy, const HttpRequest& request, Sink& body, std::stop_token stop)
      : easy_(easy), request_(request), sink_(body), stop_(std::move(stop)) {
    if (request.body && request.body->size > 0) source_ = request.body->open(0);
  }

  static std::size_t on_body(char* data, std::size_t, std::size_t size, void* self) {
    return of(self).guarded<std::size_t>(0, [&](Transfer& me) {
      return me.take({data, size}) ? size : 0;
    });
  }
  static std::size_t on_header(char* data, std::size_t, std::size_t size, void* self) {
    return of(self).guarded<std::size_t>(0, [&](Transfer& me) {
      me.header({data, size});
      return size;
    });
  }
  static std::size_t on_read(char* to, std::size_t, std::size_t size, void* self) {
    return of(self).guarded<std::size_t>(CURL_READFUNC_ABORT,
                                         [&](Transfer& me) { return me.give(to, size); });
  }
  static int on_seek(void* self, curl_off_t offset, int whence) {
    return of(self).guarded<int>(CURL_SEEKFUNC_FAIL, [&](Transfer& me) {
      if (whence != SEEK_SET || offset < 0) return CURL_SEEKFUNC_CANTSEEK;
      // libcurl would send a body again when a connection dies under it. What a server
      // made of the first one is for the caller to find out.
      if (me.sent_ > 0) return CURL_SEEKFUNC_FAIL;
      me.sent_ = static_cast<std::uint64_t>(offset);
      me.source_ = me.request_.body->open(me.sent_);
      return CURL_SEEKFUNC_OK;
    });
  }
  static int on_progress(void* self, curl_off_t, curl_off_t got, curl_off_t,
                         curl_off_t gone) {
    return of(self).moves(static_cast<std::uint64_t>(got + gone)) ? 0 : 1;
  }
  static curl_socket_t on_socket(void* self, curlsocktype, curl_sockaddr* address) {
    return of(self).guarded<curl_socket_t>(CURL_SOCKET_BAD, [&](Transfer& me) {
      me.refuse_private(is_private_address(address->addr));
      return ::socket(address->family, address->socktype | SOCK_CLOEXEC,
                      address->protocol);
    });
  }
  static int on_connected(void* self, char* address, char*, int, int) {
    return of(self).guarded<int>(CURL_PREREQFUNC_ABORT, [&](Transfer& me) {
      me.refuse_private(is_private_address(std::string_view(address)));
      return CURL_PREREQFUNC_OK;
    });
  }
  static CURLcode on_tls(CURL*, void* context, void* self) {
    return of(self).guarded<CURLcode>(CURLE_SSL_CACERT_BADFILE, [&](Transfer& me) {
      me.trust(static_cast<SSL_CTX*>(context));
      return CURLE_OK;
    });
  }

  // After the transfer: throws what went wrong inside a callback.
  void rethrow() const {
    if (stop_.stop_requested()) throw Cancelled();
    if (failure_) std::rethrow_exception(failure_);
    if (stalled_) {
      throw Error(Errc::unavailable,
                  url_for_people(request_.url) + " does not answer, or too slowly");
    }
  }
  // True if we broke off ourselves, with all that we wanted.
  bool has_enough() const { return has_enough_; }
  HttpResponse take_response() { return std::move(response_); }

 private:
  static Transfer& of(void* self) { return *static_cast<Transfer*>(self); }

  template <class Result, class Body>
  Result guarded(Result failed, Body body) noexcept {
    try {
      return body(*this);
    } catch (...) {
      failure_ = std::current_exception();
      return failed;
    }
  }

  void header(std::string_view line) {
    if (starts_with_ignoring_case(line, "HTTP/")) {
      response_.headers.clear();  // those of a 100, or of a connection that died
      header_bytes_ = 0;
    }
    header_bytes_ += line.size();
    if (header_bytes_ > k_max_headers) {
      throw Error(Errc::bad_input,
                  fmt::format("{} sends more than {} bytes of headers",
                              url_for_people(request_.url), k_max_headers));
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return;
    std::string name(line.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    response_.headers.emplace_back(std::move(name), trimmed(line.substr(colon + 1)));
  }

  // False once there is enough.
  bool take(std::string_view data) {
    const long status = info<long>(easy_, CURLINFO_RESPONSE_CODE);
    if (status < 200 || status > 299) {
      std::string& problem = response_.problem;
      problem.append(data.substr(0, k_max_problem - problem.size()));
      has_enough_ = problem.size() == k_max_problem;
      return !has_enough_;
    }
    if (response_.bytes == 0 && request_.on_answer) {
      response_.status = static_cast<int>(status);
      request_.on_answer(response_);
    }
    if (request_.max_bytes != 0 && response_.bytes + data.size() > request_.max_bytes) {
      throw Error(Errc::bad_input,
                  fmt::format("{} has more than {} bytes", url_for_people(request_.url),
                              request_.max_bytes));
    }
    response_.bytes += data.size();
    sink_.write(as_bytes(data));
    return true;
  }

  std::size_t give(char* to, std::size_t size) {
    if (!source_) return 0;
    const auto got = source_->read(std::as_writable_bytes(std::span(to, size)));
    sent_ += got;
    return got;
  }

  // False if nothing has moved for too long.
  bool moves(std::uint64_t bytes) noexcept {
    if (stop_.stop_requested()) return false;
    const Clock::time_point now = Clock::now();
    const bool thinks = request_.body && request_.body->size > 0 &&
                        sent_ >= request_.body->size && header_bytes_ == 0;
    const auto patience = thinks ? request_.think_timeout : request_.stall_timeout;
    const auto enough =
        k_least_speed * static_cast<std::uint64_t>(request_.stall_timeout.count());
    if (bytes >= moved_ + enough || bytes < moved_ || thinks != thinks_) {
      moved_ = bytes;
      moved_at_ = now;
      thinks_ = thinks;
    }
    stalled_ = now - moved_at_ > patience;
    return !stalled_;
  }

  void refuse_private(bool is_private) const {
    if (!request_.public_only || !is_private) return;
    throw Error(Errc::denied, fmt::format("{} leads to an address inside this network",
                                          url_for_people(request_.url)))
        .add_note(
            "a server outside sent us there, which is how such servers are attacked");
  }

  // Beside the authorities of the machine, as docker does.
  void trust(SSL_CTX* context) const {
    X509_STORE* store = SSL_CTX_get_cert_store(context);
    for (const std::string& file : request_.tls.authorities) {
      if (X509_STORE_load_locations(store, file.c_str(), nullptr) != 1) {
        throw Error(Errc::bad_input, file + " holds no certificate in PEM form");
      }
    }
  }

  CURL* easy_;
  const HttpRequest& request_;
  Sink& sink_;
  std::stop_token stop_;
  HttpResponse response_;
  std::unique_ptr<Source> source_;
  std::uint64_t sent_ = 0;
  std::size_t header_bytes_ = 0;
  std::exception_ptr failure_;
  bool has_enough_ = false;
  bool stalled_ = false;
  bool thinks_ = false;
  std::uint64_t moved_ = 0;
  Clock::time_point moved_at_ = Clock::now();
};

Error connection_error(CURLcode code, const char* detail, const HttpRequest& request) {
  const std::string shown = url_for_people(request.url);
  const std::string why = *detail != '\0' ? detail : curl_easy_strerror(code);
  if (auto refused = client_certificate_error(request, why)) return std::move(*refused);
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return Error(Errc::unavailable, shown + " does not answer, or too slowly");
    case CURLE_URL_MALFORMAT:
      return Error(Errc::bad_input, shown + " is not a URL");
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
      return not_trusted(request, why);
    default:
      return Error(Errc::unavailable,
                   fmt::format("{} cannot be {}: {}", shown,
                               request.body ? "written to" : "read", why));
  }
}

// As libcurl read it, in seconds or as a date. It takes a number that it cannot hold for
// none.
std::chrono::seconds retry_after(const HttpResponse& response, curl_off_t read) {
  constexpr curl_off_t k_day = 86400;
  const std::string* text = response.header("retry-after");
  const bool huge = text != nullptr && text->size() > 18 &&
                    text->find_first_not_of("0123456789") == std::string::npos;
  return std::chrono::seconds(huge ? k_day : std::clamp<curl_off_t>(read, 0, k_day));
}

class CurlHttpClient final : public HttpClient {
 public:
  CurlHttpClient() {
    remember("SSL_CERT_FILE", certificate_file_);
    remember("SSL_CERT_DIR", certificate_directory_);
    // libcurl reads this one in lower case only, for the sake of CGI programs.
    if (std::getenv("REQUEST_METHOD") == nullptr) remember("HTTP_PROXY", http_proxy_);
    if (std::getenv("http_proxy") != nullptr) http_proxy_.clear();
  }

  HttpResponse send(const HttpRequest& request, Sink& body,
                    std::stop_token stop) override {
    if (stop.stop_requested()) throw Cancelled();
    check_url(request.url);
    const Key key{Origin::of(request.url).value_or(Origin{}), request.tls};
    Easy easy = borrow(key);
    HttpResponse response = exchange(easy.get(), request, body, stop);
    give_back(key, std::move(easy));
    return response;
  }

 private:
  // Connections are kept with their handle, so a handle goes back to where it was.
  struct Key {
    Origin origin;
    TlsSettings tls;
    bool operator==(const Key&) const = default;
  };

  static void remember(const char* name, std::string& value) {
    if (const char* found = std::getenv(name)) value = found;
  }

  HttpResponse exchange(CURL* easy, const HttpRequest& request, Sink& body,
                        const std::stop_token& stop) {
    Transfer transfer(easy, request, body, stop);
    std::array<char, CURL_ERROR_SIZE> detail{};
    const HeaderList headers = headers_of(request);
    curl_easy_reset(easy);  // options only: connections stay
    prepare(easy, request);
    prepare_method(easy, request);
    prepare_tls(easy, request.tls);
    set(easy, CURLOPT_HTTPHEADER, headers.get());
    set(easy, CURLOPT_ERRORBUFFER, detail.data());
    connect(easy, request, transfer);
    const CURLcode code = curl_easy_perform(easy);
    set(easy, CURLOPT_ERRORBUFFER, static_cast<char*>(nullptr));
    transfer.rethrow();
    if (code != CURLE_OK && !transfer.has_enough()) {
      throw connection_error(code, detail.data(), request);
    }
    HttpResponse response = transfer.take_response();
    response.status = static_cast<int>(info<long>(easy, CURLINFO_RESPONSE_CODE));
    response.retry_after =
        retry_after(response, info<curl_off_t>(easy, CURLINFO_RETRY_AFTER));
    const char* peer = info<const char*>(easy, CURLINFO_PRIMARY_IP);
    response.from_private = peer != nullptr && !has_proxy(request.url) &&
                            is_private_address(std::string_view(peer));
    return response;
  }

  static HeaderList headers_of(const HttpRequest& request) {
    HeaderList headers(curl_slist_append(nullptr, "Accept-Encoding: identity"));
    for (const auto& [name, value] : request.headers) {
      if ((name + value).find_first_of("\r\n") != std::string::npos) {
        throw Error(Errc::internal, "a header with a line break");
      }
      // libcurl drops "Name:", which stands for no header at all.
      const std::string line = value.empty() ? name + ";" : name + ": " + value;
      curl_slist* longer = curl_slist_append(headers.get(), line.c_str());
      if (longer == nullptr) throw Error(Errc::machine, "no memory for a request");
      headers.release();
      headers.reset(longer);
    }
    return headers;
  }

  void prepare(CURL* easy, const HttpRequest& request) const {
    set(easy, CURLOPT_URL, request.url.c_str());
    set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    set(easy, CURLOPT_PATH_AS_IS, 1L);
    set(easy, CURLOPT_FOLLOWLOCATION, 0L);
    set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(easy, CURLOPT_NOSIGNAL, 1L);
    set(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    set(easy, CURLOPT_CONNECTTIMEOUT, k_connect_timeout_seconds);
    set(easy, CURLOPT_TIMEOUT, static_cast<long>(request.total_timeout.count()));
    set(easy, CURLOPT_BUFFERSIZE, k_receive_buffer);
    set(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    set(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    set(easy, CURLOPT_USERAGENT, "lithify");
    if (is_this_machine(request.url)) {
      set(easy, CURLOPT_NOPROXY, "*");
    } else if (!http_proxy_.empty() && !is_https(request.url)) {
      set(easy, CURLOPT_PROXY, http_proxy_.c_str());
    }
  }

  static void prepare_method(CURL* easy, const HttpRequest& request) {
    const std::uint64_t size = request.body ? request.body->size : 0;
    if (request.method == "HEAD") {
      set(easy, CURLOPT_NOBODY, 1L);
    } else if (size > 0) {
      set(easy, CURLOPT_UPLOAD, 1L);
      set(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(size));
      if (size > k_large_body) set(easy, CURLOPT_UPLOAD_BUFFERSIZE, k_upload_buffer);
    } else if (request.method != "GET" && request.method != "DELETE") {
      // An empty body has a length too: servers insist on it.
      set(easy, CURLOPT_POST, 1L);
      set(easy, CURLOPT_POSTFIELDS, "");
      set(easy, CURLOPT_POSTFIELDSIZE, 0L);
    }
    set(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }

  void prepare_tls(CURL* easy, const TlsSettings& tls) const {
    set(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!certificate_file_.empty()) set(easy, CURLOPT_CAINFO, certificate_file_.c_str());
    if (!certificate_directory_.empty())
      set(easy, CURLOPT_CAPATH, certificate_directory_.c_str());
    if (!tls.verify) {
      set(easy, CURLOPT_SSL_VERIFYPEER, 0L);
      set(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (!tls.certificate.empty()) set(easy, CURLOPT_SSLCERT, tls.certificate.c_str());
    if (!tls.key.empty()) set(easy, CURLOPT_SSLKEY, tls.key.c_str());
  }

  static void connect(CURL* easy, const HttpRequest& request, Transfer& transfer) {
    set(easy, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
    set(easy, CURLOPT_WRITEDATA, &transfer);
    set(easy, CURLOPT_HEADERFUNCTION, &Transfer::on_header);
    set(easy, CURLOPT_HEADERDATA, &transfer);
    set(easy, CURLOPT_READFUNCTION, &Transfer::on_read);
    set(easy, CURLOPT_READDATA, &transfer);
    set(easy, CURLOPT_SEEKFUNCTION, &Transfer::on_seek);
    set(easy, CURLOPT_SEEKDATA, &transfer);
    set(easy, CURLOPT_XFERINFOFUNCTION, &Transfer::on_progress);
    set(easy, CURLOPT_XFERINFODATA, &transfer);
    set(easy, CURLOPT_NOPROGRESS, 0L);
    if (request.public_only && !has_proxy(request.url)) {
      set(easy, CURLOPT_OPENSOCKETFUNCTION, &Transfer::on_socket);
      set(easy, CURLOPT_OPENSOCKETDATA, &transfer);
      set(easy, CURLOPT_PREREQFUNCTION, &Transfer::on_connected);
      set(easy, CURLOPT_PREREQDATA, &transfer);
    }
    if (!request.tls.authorities.empty()) {
      set(easy, CURLOPT_SSL_CTX_FUNCTION, &Transfer::on_tls);
      set(easy, CURLOPT_SSL_CTX_DATA, &transfer);
    }
  }

  Easy borrow(const Key& key) {
    {
      const std::lock_guard lock(mutex_);
      const auto found = std::find_if(idle_.begin(), idle_.end(),
                                      [&](const auto& one) { return one.first == key; });
      if (found != idle_.end()) {
        Easy easy = std::move(found->second);
        idle_.erase(found);
        return easy;
      }
    }
    // Not in the constructor: many runs never speak to a server.
    static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (started != CURLE_OK) throw Error(Errc::machine, "libcurl cannot start");
    Easy easy(curl_easy_init());
    if (!easy) throw Error(Errc::machine, "libcurl has no memory for a request");
    return easy;
  }

  void give_back(const Key& key, Easy easy) {
    const std::lock_guard lock(mutex_);
    idle_.emplace_front(key, std::move(easy));
    if (idle_.size() > k_max_idle) idle_.pop_back();
  }

  std::string certificate_file_;
  std::string certificate_directory_;
  std::string http_proxy_;
  std::mutex mutex_;
  std::list<std::pair<Key, Easy>> idle_;  // the last used first
};

}  // namespace

std::unique_ptr<HttpClient> curl_http_client() {
  return std::make_unique<CurlHttpClient>();
}

}  // namespace oci
