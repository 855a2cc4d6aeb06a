// download: try, resume, try elsewhere; believe only the digest.
#include "oci/registry/download.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/registry/http_get.h"
#include "oci/registry/server_error.h"

namespace oci {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t k_report_step = 256 * 1024;
constexpr std::chrono::milliseconds k_lock_poll{50};
constexpr int k_max_wrong = 2;
// Less between two failures is no progress: a mirror that drips would hold us for ever.
constexpr std::uint64_t k_progress = 64 * 1024;
// For a file that is small whatever it says: an index, a signature.
constexpr std::chrono::seconds k_small_timeout{60};

bool is_body(int status) {
  return status == 200 || status == 206;
}
bool is_absent(int status) {
  return status == 404 || status == 410;
}

// With the first thing that the server says about it.
std::string answer(const std::string& url, const GetResponse& response) {
  HttpResponse told;
  told.status = response.status;
  told.headers = response.headers;
  told.problem = response.problem;
  std::string text = fmt::format("{} answers {}", url_for_people(url), response.status);
  const std::vector<ServerProblem> problems = read_problems(told);
  if (problems.empty()) return text;
  const ServerProblem& first = problems.front();
  if (!first.code.empty()) text += " " + first.code;
  if (!first.message.empty()) text += ": " + first.message;
  return text;
}

}  // namespace

// An unfinished file, ours alone while we hold its lock.
class Downloader::Partial {
 public:
  Partial(const fs::path& directory, const Digest& digest, const std::stop_token& stop)
      : path_(directory / digest.hex()) {
    std::error_code error;
    fs::create_directories(directory, error);
    if (error) {
      throw write_error(error.value(), "creating the directory " + directory.string());
    }
    while (!try_open())
      wait_or_stop(k_lock_poll, stop);
  }

  std::uint64_t size() const { return size_; }
  void append(Bytes data) {
    write_all(fd_.get(), data, path_.string());
    size_ += data.size();
  }
  void clear() {
    if (::ftruncate(fd_.get(), 0) != 0) {
      throw write_error(errno, "emptying " + path_.string());
    }
    size_ = 0;
  }
  std::unique_ptr<Source> open() const {
    return std::make_unique<FileSource>(open_file(path_, O_RDONLY), path_.string());
  }
  void remove() { ::unlink(path_.c_str()); }

 private:
  // False if someone else holds the file, or removed it before our lock.
  bool try_open() {
    fd_ = open_file(path_, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, 0644);
    struct stat status {};
    if (::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0) return false;
    if (::fstat(fd_.get(), &status) != 0 || status.st_nlink == 0) return false;
    size_ = static_cast<std::uint64_t>(status.st_size);
    return true;
  }

  fs::path path_;
  Fd fd_;
  std::uint64_t size_ = 0;
};

// One call of fetch(), with the file's lock in hand.
class Downloader::Attempt {
 public:
  Attempt(Downloader& downloader, const DownloadRequest& request, Activity& activity,
          std::stop_token stop)
      : downloader_(downloader),
        request_(request),
        activity_(activity),
        stop_(std::move(stop)),
        partial_(downloader.partial_directory_, request.blob.digest, stop_),
        patience_(downloader.patience_),
        open_urls_(request.urls) {}

  BlobRef run() {
    if (downloader_.into_.has(request_.blob.digest)) {  // a neighbour was faster
      partial_.remove();
      return request_.blob;
    }
    if (partial_.size() > request_.blob.size) partial_.clear();
    std::size_t next = 0;
    while (true) {
      if (partial_.size() < request_.blob.size || request_.blob.size == 0) {
        if (open_urls_.empty()) throw nobody_has_it();
        next %= open_urls_.size();
        const std::size_t count = open_urls_.size();
        if (!advance(next)) {
          if (open_urls_.size() == count) ++next;
          continue;
        }
      }
      if (commit()) return request_.blob;
      const std::string why =
          fmt::format("{} has other bytes than its digest {} says",
                      url_for_people(last_url_), request_.blob.digest.brief());
      // Who sent only a part of it may not be the one who lied.
      if (all_from_one_) {
        lied(why, next);
      } else {
        discard(why);
        ++next;
      }
    }
  }

 private:
  class Tail final : public Sink {
   public:
    explicit Tail(Attempt& attempt) : attempt_(attempt) {}
    void write(Bytes data) override {
      if (attempt_.partial_.size() + data.size() > attempt_.request_.blob.size) {
        throw Error(
            Errc::mismatch,
            fmt::format("{} has more than the {} bytes that are expected",
                        url_for_people(attempt_.last_url_), attempt_.request_.blob.size));
      }
      attempt_.partial_.append(data);
      attempt_.report();
    }

   private:
    Attempt& attempt_;
  };

  // True when the file has its full length.
  bool advance(std::size_t which) {
    last_url_ = open_urls_[which];
    const std::uint64_t before = partial_.size();
    all_from_one_ = before == 0;
    GetResponse response;
    try {
      Tail tail(*this);
      GetRequest request{last_url_, before};
      request.size = request_.blob.size;
      response = http_get(downloader_.http_, request, tail, stop_);
    } catch (const Error& e) {
      if (partial_.size() >= before + k_progress) patience_.regain();
      if (e.code() == Errc::mismatch) {
        lied(e.what(), which);
      } else if (e.code() == Errc::unavailable) {
        patience_.lose(e, std::chrono::seconds(0), stop_);
      } else if (e.code() == Errc::denied) {
        refused_by(e, which);
      } else {
        throw;
      }
      return false;
    }
    return judge(response, which);
  }

  bool judge(const GetResponse& response, std::size_t which) {
    if (is_body(response.status)) {
      if (partial_.size() == request_.blob.size) return true;
      lied(fmt::format("{} ends after {} of {} bytes", url_for_people(last_url_),
                       partial_.size(), request_.blob.size),
           which);
    } else if (response.status == 416) {
      discard(url_for_people(last_url_) + " is shorter than it should be");
    } else if (may_pass(response.status)) {
      patience_.lose(Error(Errc::unavailable, answer(last_url_, response)),
                     response.retry_after, stop_);
    } else {
      refusals_.push_back(answer(last_url_, response));
      if (!is_absent(response.status)) refused_ = true;
      open_urls_.erase(open_urls_.begin() + static_cast<std::ptrdiff_t>(which));
    }
    return false;
  }

  // By a server, or by our rules about servers; the next may do better.
  void refused_by(const Error& why, std::size_t which) {
    if (request_.urls.size() == 1) throw Error(why);
    refusals_.push_back(why.what());
    refused_ = true;
    open_urls_.erase(open_urls_.begin() + static_cast<std::ptrdiff_t>(which));
  }

  bool commit() {
    auto writer = downloader_.into_.create();
    try {
      auto checked = verified(partial_.open(), request_.blob.digest, request_.blob.size);
      copy(*checked, *writer);
    } catch (const Error& e) {
      if (e.code() != Errc::mismatch) throw;
      return false;
    }
    writer->commit();
    partial_.remove();
    return true;
  }

  // As long as there are others, nobody is believed twice.
  void lied(const std::string& why, std::size_t which) {
    if (open_urls_.size() == 1) return discard(why);
    ++wrong_;
    partial_.clear();
    refusals_.push_back(why);
    open_urls_.erase(open_urls_.begin() + static_cast<std::ptrdiff_t>(which));
  }

  void discard(const std::string& why) {
    partial_.clear();
    if (++wrong_ < k_max_wrong) return;
    partial_.remove();
    Error error(Errc::mismatch, why);
    error.add_note(fmt::format("{} bytes with digest {} were expected",
                               request_.blob.size, request_.blob.digest.str()));
    if (!request_.hint.empty()) error.add_hint(request_.hint);
    throw error;
  }

  Error nobody_has_it() {
    partial_.remove();
    Error error(refused_ ? Errc::denied : Errc::unavailable,
                fmt::format("{} is on none of its mirrors", request_.what));
    for (const std::string& refusal : refusals_)
      error.add_note(refusal);
    if (!request_.hint.empty()) error.add_hint(request_.hint);
    return error;
  }

  void report() {
    if (partial_.size() < reported_ + k_report_step &&
        partial_.size() != request_.blob.size) {
      return;
    }
    reported_ = partial_.size();
    activity_.advance(reported_, request_.blob.size);
  }

  Downloader& downloader_;
  const DownloadRequest& request_;
  Activity& activity_;
  std::stop_token stop_;
  Partial partial_;
  Patience patience_;
  std::vector<std::string> open_urls_;
  std::string last_url_ = "the unfinished download";
  std::vector<std::string> refusals_;
  bool refused_ = false;
  std::uint64_t reported_ = 0;
  int wrong_ = 0;
  bool all_from_one_ = false;  // all bytes are from the URL that was asked last
};

Downloader::Downloader(HttpClient& http, BlobStore& into, fs::path partial_directory,
                       RetryPolicy retry)
    : Downloader(http, into, std::move(partial_directory), Patience(retry)) {}

Downloader::Downloader(HttpClient& http, BlobStore& into, fs::path partial_directory,
                       Patience patience)
    : http_(http),
      into_(into),
      partial_directory_(std::move(partial_directory)),
      patience_(std::move(patience)) {}

BlobRef Downloader::fetch(const DownloadRequest& request, Activity& activity,
                          std::stop_token stop) {
  if (into_.has(request.blob.digest)) return request.blob;
  if (request.urls.empty()) {
    throw Error(Errc::internal, request.what + " has no mirror to come from");
  }
  return during([&] { return "downloading " + request.what; },
                [&] { return Attempt(*this, request, activity, stop).run(); });
}

namespace {

// One try: what to wait before the next, or whether the file is there at all.
struct Try {
  std::optional<Error> failure;  // one that may pass
  std::chrono::seconds retry_after{0};
  bool present = false;
};

Try try_once(HttpClient& http, const GetRequest& request, Sink& body,
             std::stop_token stop) {
  try {
    const GetResponse response = http_get(http, request, body, stop);
    if (is_body(response.status)) return {std::nullopt, {}, true};
    if (is_absent(response.status)) return {};
    const Errc code = may_pass(response.status) ? Errc::unavailable : Errc::denied;
    Error error(code, answer(request.url, response));
    if (code == Errc::denied) throw Error(error);
    return {std::move(error), response.retry_after, false};
  } catch (const Error& e) {
    if (e.code() != Errc::unavailable) throw;
    return {e, {}, false};
  }
}

// Tries until the file came or is known to be absent; false if it is. `fresh` gives an
// empty sink for each try.
template <class Fresh>
bool get_patiently(HttpClient& http, const SmallRequest& request,
                   std::chrono::seconds timeout, Fresh fresh, std::stop_token stop) {
  Patience patience(request.retry);
  GetRequest once{request.url, 0, request.limit};
  once.total_timeout = timeout;
  while (true) {
    const Try result = try_once(http, once, fresh(), stop);
    if (!result.failure) return result.present;
    patience.lose(*result.failure, result.retry_after, stop);
  }
}

}  // namespace

std::optional<std::string> fetch_small(HttpClient& http, const SmallRequest& request,
                                       std::stop_token stop) {
  StringSink text;
  const auto fresh = [&]() -> Sink& {
    text.text.clear();
    return text;
  };
  if (!get_patiently(http, request, k_small_timeout, fresh, std::move(stop)))
    return std::nullopt;
  return std::move(text.text);
}

std::optional<BlobRef> fetch_unnamed(HttpClient& http, const SmallRequest& request,
                                     BlobStore& into, std::stop_token stop) {
  std::unique_ptr<BlobWriter> writer;
  const auto fresh = [&]() -> Sink& {
    writer = into.create();
    return *writer;
  };
  constexpr std::chrono::seconds k_any{0};
  if (!get_patiently(http, request, k_any, fresh, std::move(stop))) return std::nullopt;
  return writer->commit();
}

}  // namespace oci
