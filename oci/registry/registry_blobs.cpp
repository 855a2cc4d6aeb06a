// registry_blobs: blobs out of a repository and into it.
#include <algorithm>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/registry/download.h"
#include "oci/registry/http_get.h"
#include "oci/registry/registry_client.h"
#include "oci/registry/server_error.h"
#include "oci/registry/spooled_blob.h"
#include "oci/registry/streaming_source.h"
#include "oci/registry/upload.h"
#include "oci/store/blob_range.h"

namespace oci {

namespace {

constexpr std::uint64_t k_progress = 1 << 20;

bool is_body(int status) {
  return status == 200 || status == 206;
}

// A stretch of a blob that was compared as a whole.
class SpooledRange final : public Source {
 public:
  SpooledRange(std::unique_ptr<SpooledBlob> spool, std::uint64_t offset,
               std::uint64_t size)
      : spool_(std::move(spool)), from_(spool_->open(offset)), left_(size) {}

  std::size_t read(std::span<std::byte> into) override {
    const std::size_t got =
        from_->read(into.first(std::min<std::uint64_t>(into.size(), left_)));
    left_ -= got;
    return got;
  }

 private:
  std::unique_ptr<SpooledBlob> spool_;
  std::unique_ptr<Source> from_;
  std::uint64_t left_;
};

// Requested when one of two is.
class EitherStop {
 public:
  EitherStop(std::stop_token a, std::stop_token b)
      : first_(std::move(a), Pass{both_}), second_(std::move(b), Pass{both_}) {}
  std::stop_token token() const { return both_.get_token(); }

 private:
  struct Pass {
    std::stop_source& to;
    void operator()() const { to.request_stop(); }
  };
  std::stop_source both_;  // first: the callbacks use it
  std::stop_callback<Pass> first_;
  std::stop_callback<Pass> second_;
};

class CountingSink final : public Sink {
 public:
  explicit CountingSink(Sink& next) : next_(next) {}
  void write(Bytes data) override {
    next_.write(data);
    count += data.size();
  }
  std::uint64_t count = 0;

 private:
  Sink& next_;
};

// What makes the next server of a list worth asking.
bool is_passed_over(Errc code) {
  return code == Errc::denied || code == Errc::not_found || code == Errc::unavailable ||
         code == Errc::mismatch || code == Errc::bad_input;
}

}  // namespace

class RegistryClient::SpooledWriter final : public BlobWriter {
 public:
  explicit SpooledWriter(RegistryClient& to) : to_(to) {}

  void write(Bytes data) override { spool_.write(data); }

  BlobRef commit() override {
    const BlobRef blob = spool_.finish();
    if (to_.has(blob.digest)) return blob;
    SilentReporter silent;
    Activity activity(silent, "");
    to_.upload(blob,
               {blob.size, [this](std::uint64_t offset) { return spool_.open(offset); }},
               activity, {});
    activity.end(Outcome::done);
    return blob;
  }

 private:
  RegistryClient& to_;
  SpooledBlob spool_;
};

bool RegistryClient::has(const Digest& digest) const {
  {
    const std::lock_guard lock(mutex_);
    if (blobs_.count(digest) > 0) return true;
  }
  const HttpRequest request = request_for("HEAD", primary() + "/blobs/" + digest.str());
  const std::string doing =
      fmt::format("looking for blob {} in {}", digest.brief(), name_);
  const HttpResponse answer = head(request, doing);
  if (is_body(answer.status)) return true;
  if (answer.status == 404 || answer.status == 410) return false;
  throw refusal(answer, request.url, doing);
}

std::optional<RegistryClient::Setback> RegistryClient::read_once(
    const GetRequest& request, Sink& to, const std::stop_token& stop) const {
  try {
    const GetResponse answer = http_get(*http_, request, to, stop);
    if (!is_body(answer.status)) {
      const HttpResponse told{answer.status, answer.headers, 0, answer.problem,
                              answer.retry_after};
      return Setback{refusal(told, request.url, "reading from " + name_), answer.status,
                     answer.retry_after};
    }
    if (answer.bytes == request.max_bytes) return std::nullopt;
    return Setback{
        Error(Errc::unavailable, fmt::format("{} ends {} bytes early", request.url,
                                             request.max_bytes - answer.bytes))};
  } catch (const Error& e) {
    return Setback{e};
  }
}

// Goes on where it broke, at the registry again: the address of a storage service that it
// led to may have ended.
void RegistryClient::stream(const BlobRef& blob, Sink& to, std::stop_token stop) const {
  CountingSink counting(to);
  const std::vector<std::string> urls = urls_of(blob);
  Patience patience = shared_.patience();
  std::size_t next = 0;
  bool whole = false;
  while (counting.count < blob.size) {
    const std::uint64_t before = counting.count;
    GetRequest request{urls[next], before, blob.size - before, blob.size, whole};
    const auto setback = read_once(request, counting, stop);
    if (!setback) return;
    const Errc code = setback->error.code();
    if (next + 1 < urls.size() && is_passed_over(code)) {
      ++next;
      continue;
    }
    if (setback->status == 416 && before > 0 && !whole) {
      whole = true;  // it has no ranges, or others than were asked for
    } else if (setback->status != 0 ? !may_pass(setback->status)
                                    : code != Errc::unavailable) {
      throw Error(setback->error);
    }
    if (counting.count >= before + k_progress) patience.regain();
    patience.lose(setback->error, setback->asked, stop);
  }
}

// The mirrors that give digests first, the registry last.
std::vector<std::string> RegistryClient::urls_of(const BlobRef& blob) const {
  std::vector<std::string> urls;
  for (std::size_t i = 0; i < http_->count(); ++i) {
    if (i + 1 == http_->count() || http_->endpoint(i).digests) {
      urls.push_back(http_->base(i) + "/blobs/" + blob.digest.str());
    }
  }
  return urls;
}

std::unique_ptr<Source> RegistryClient::open(const BlobRef& blob) const {
  auto stream_it = [this, blob](Sink& to, std::stop_token dropped) {
    const EitherStop either(std::move(dropped), shared_.settings().stop);
    stream(blob, to, either.token());
  };
  return verified(std::make_unique<StreamingSource>(std::move(stream_it)), blob.digest,
                  blob.size, fmt::format("blob {} of {}", blob.digest.brief(), name_));
}

// All of it comes, and first: there is nothing to compare a part with.
std::unique_ptr<Source> RegistryClient::open_range(const BlobRef& blob,
                                                   std::uint64_t offset,
                                                   std::uint64_t size) const {
  check_range(blob, offset, size);
  auto spool = std::make_unique<SpooledBlob>();
  copy(*open(blob), *spool);
  return std::make_unique<SpooledRange>(std::move(spool), offset, size);
}

void RegistryClient::fetch(const BlobRef& blob, BlobStore& into,
                           const std::filesystem::path& partial_directory,
                           Activity& activity) const {
  const DownloadRequest request{urls_of(blob), blob,
                                fmt::format("blob {} of {}", blob.digest.brief(), name_),
                                fmt::format("see `lithify doctor {}`", name_)};
  try {
    Downloader(*http_, into, partial_directory, shared_.patience())
        .fetch(request, activity, shared_.settings().stop);
  } catch (Error& error) {
    if (error.code() == Errc::denied) explain_denial(error);
    throw;
  }
}

std::unique_ptr<BlobWriter> RegistryClient::create() {
  return std::make_unique<SpooledWriter>(*this);
}

bool RegistryClient::take(const BlobStore& from, const BlobRef& blob, Activity& activity,
                          std::stop_token stop) {
  if (has(blob.digest)) return false;
  if (const auto* registry = dynamic_cast<const RegistryClient*>(&from)) {
    shared_.seen(blob.digest, registry->name());
  }
  HttpBody body{blob.size, [&from, blob](std::uint64_t offset) {
                  return offset == 0 ? from.open(blob)
                                     : from.open_range(blob, offset, blob.size - offset);
                }};
  upload(blob, std::move(body), activity, std::move(stop));
  return true;
}

void RegistryClient::upload(const BlobRef& blob, HttpBody body, Activity& activity,
                            std::stop_token stop) {
  const EitherStop either(std::move(stop), shared_.settings().stop);
  UploadRequest request{.base = primary(),
                        .origin = http_->endpoint(http_->count() - 1).origin,
                        .blob = blob,
                        .body = std::move(body),
                        .what = fmt::format("blob {} to {}", blob.digest.brief(), name_)};
  for (const std::string& place : shared_.repositories_of(blob.digest)) {
    const std::size_t slash = place.find('/');
    if (place == name_ || place.substr(0, slash) != domain()) continue;
    request.mount_from.push_back(place.substr(slash + 1));
  }
  request.may_mount = [this, &either](const std::string& repository) {
    return http_->also("repository:" + repository + ":pull", either.token());
  };
  try {
    Upload(shared_, *http_, std::move(request), activity, either.token()).run();
  } catch (Error& error) {
    if (error.code() == Errc::denied) explain_denial(error);
    throw;
  }
  shared_.seen(blob.digest, name_);
  const std::lock_guard lock(mutex_);
  blobs_.insert(blob.digest);
}

}  // namespace oci
