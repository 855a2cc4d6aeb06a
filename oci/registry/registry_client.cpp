#include "oci/registry/registry_client.h"

#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/base/json.h"
#include "oci/image/manifest_graph.h"
#include "oci/registry/document.h"
#include "oci/registry/download.h"
#include "oci/registry/http_get.h"
#include "oci/registry/server_error.h"
#include "oci/registry/streaming_source.h"
#include "oci/registry/upload.h"
#include "oci/store/blob_range.h"

namespace oci {

namespace {

constexpr std::size_t k_max_pages = 1000;
constexpr std::uint64_t k_max_page = 4 << 20;
constexpr std::uint64_t k_progress = 1 << 20;

// An index of nothing has none; old servers need all four to give what they have.
constexpr std::string_view k_accept =
    "application/vnd.oci.image.index.v1+json, "
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json";

bool is_success(int status) {
  return status >= 200 && status <= 204;
}
bool is_absent(int status) {
  return status == 404 || status == 410;
}

// A stretch of another source.
class RangeSource final : public Source {
 public:
  RangeSource(std::unique_ptr<Source> from, std::uint64_t skip, std::uint64_t size)
      : from_(std::move(from)), skip_(skip), left_(size) {}

  std::size_t read(std::span<std::byte> into) override {
    while (skip_ > 0) {
      const std::size_t got =
          from_->read(into.first(std::min<std::uint64_t>(into.size(), skip_)));
      if (got == 0) return 0;
      skip_ -= got;
    }
    const std::size_t got =
        from_->read(into.first(std::min<std::uint64_t>(into.size(), left_)));
    left_ -= got;
    return got;
  }

 private:
  std::unique_ptr<Source> from_;
  std::uint64_t skip_;
  std::uint64_t left_;
};

// What makes the next server of a list worth asking.
bool is_passed_over(Errc code) {
  return code == Errc::denied || code == Errc::not_found || code == Errc::unavailable ||
         code == Errc::mismatch;
}

}  // namespace

// ---- a blob whose name is not known yet
// ----------------------------------------------------

class RegistryClient::SpooledWriter final : public BlobWriter {
 public:
  explicit SpooledWriter(RegistryClient& to)
      : to_(to), path_(std::filesystem::temp_directory_path() / "lithify-XXXXXX") {
    std::string name = path_.string();
    file_ = Fd(::mkostemp(name.data(), O_CLOEXEC));
    if (file_.get() < 0)
      throw write_error(errno, "making a file in " + path_.parent_path().string());
    ::unlink(name.c_str());
  }

  void write(Bytes data) override {
    write_all(file_.get(), data, path_.string());
    hasher_.update(data);
    size_ += data.size();
  }

  BlobRef commit() override {
    const BlobRef blob{std::move(hasher_).finish(), size_};
    if (to_.has(blob.digest)) return blob;
    SilentReporter silent;
    Activity activity(silent, "");
    const int file = file_.get();
    to_.upload(blob,
               {size_, [file](std::uint64_t offset) { return range_of(file, offset); }},
               activity, to_.shared_.settings().stop);
    activity.end(Outcome::done);
    return blob;
  }

 private:
  class Range final : public Source {
   public:
    Range(int file, std::uint64_t offset) : file_(file), offset_(offset) {}
    std::size_t read(std::span<std::byte> into) override {
      const ssize_t got =
          ::pread(file_, into.data(), into.size(), static_cast<off_t>(offset_));
      if (got < 0) throw errno_error(errno, "reading a temporary file");
      offset_ += static_cast<std::uint64_t>(got);
      return static_cast<std::size_t>(got);
    }

   private:
    int file_;  // of the writer, which outlives it
    std::uint64_t offset_;
  };
  static std::unique_ptr<Source> range_of(int file, std::uint64_t offset) {
    return std::make_unique<Range>(file, offset);
  }

  RegistryClient& to_;
  std::filesystem::path path_;
  Fd file_;
  Hasher hasher_;
  std::uint64_t size_ = 0;
};

RegistryClient::RegistryClient(Registries& shared, std::string name,
                               std::unique_ptr<RegistryHttp> http)
    : shared_(shared), name_(std::move(name)), http_(std::move(http)) {}

RegistryClient::~RegistryClient() = default;

// ---- requests
// ------------------------------------------------------------------------------

// One request until it is answered with what will not change by asking again.
HttpResponse RegistryClient::ask(HttpRequest request, Sink& body,
                                 const std::string& doing) const {
  Patience patience = shared_.patience();
  while (true) {
    std::optional<Error> failure;
    std::chrono::seconds asked{0};
    try {
      HttpResponse answer = http_->send(request, body, shared_.settings().stop);
      if (const std::string* warning = answer.header("warning")) {
        shared_.tell(fmt::format("{} warns: {}", domain(), harmless(*warning)));
      }
      if (!may_pass(answer.status)) return answer;
      failure = refusal(answer, request.url, doing);
      asked = answer.retry_after;
    } catch (const Error& e) {
      if (e.code() != Errc::unavailable) throw;
      failure = e;
    }
    patience.lose(*failure, asked, shared_.settings().stop);
  }
}

HttpResponse RegistryClient::head(const std::string& url,
                                  const std::string& doing) const {
  HttpRequest request;
  request.method = "HEAD";
  request.url = url;
  request.headers = {{"Accept", std::string(k_accept)}};
  NullSink nothing;
  HttpResponse answer = ask(request, nothing, doing);
  if (answer.status == 200 || is_absent(answer.status)) return answer;
  // The answer to HEAD has no body to tell of: the same question with one has.
  request.method = "GET";
  request.max_bytes = k_max_json;
  answer = ask(request, nothing, doing);
  return answer;
}

Error RegistryClient::refusal(const HttpResponse& answer, const std::string& url,
                              const std::string& doing) const {
  Error error = server_error(answer, url, doing);
  if (error.code() == Errc::denied) {
    error.add_note("shown was " + http_->credential_used());
    error.add_hint(fmt::format(
        "log in with `lithify login {}`, or see `lithify doctor {}`", domain(), name_));
  }
  return error;
}

// Asks the mirrors, then the registry; only the registry's failure is told.
template <class Read>
auto RegistryClient::first_that_has(bool by_digest, Read read) const
    -> decltype(read(0)) {
  for (std::size_t i = 0; i + 1 < http_->count(); ++i) {
    const Endpoint& mirror = http_->endpoint(i);
    if (by_digest ? !mirror.digests : !mirror.tags) continue;
    try {
      if (auto found = read(i)) return found;
    } catch (const Error& e) {
      if (!is_passed_over(e.code())) throw;
      if (e.code() == Errc::mismatch) {
        shared_.tell(
            fmt::format("the mirror {} lies: {}", mirror.origin.str(), e.what()));
      }
    }
  }
  return read(http_->count() - 1);
}

// ---- blobs
// ---------------------------------------------------------------------------------

bool RegistryClient::has(const Digest& digest) const {
  {
    const std::lock_guard lock(mutex_);
    if (present_.count(digest) > 0) return true;
  }
  const std::string url = primary() + "/blobs/" + digest.str();
  const HttpResponse answer = head(url, "looking for blob " + digest.brief());
  if (answer.status == 200) return true;
  if (is_absent(answer.status)) return false;
  throw refusal(answer, url, "looking for blob " + digest.brief());
}

// Goes on where it broke, at the registry again: the address of a storage service that it
// led to may have ended.
void RegistryClient::stream(const BlobRef& blob, Sink& to, std::stop_token stop) const {
  struct Counting final : Sink {
    explicit Counting(Sink& next) : next_(next) {}
    void write(Bytes data) override {
      next_.write(data);
      count += data.size();
    }
    std::uint64_t count = 0;
    Sink& next_;
  } counting(to);
  const std::string path = "/blobs/" + blob.digest.str();
  const std::string doing =
      fmt::format("reading blob {} of {}", blob.digest.brief(), name_);
  Patience patience = shared_.patience();
  std::size_t server = 0;
  while (counting.count < blob.size) {
    const std::string url = http_->base(server) + path;
    const std::uint64_t before = counting.count;
    std::optional<Error> failure;
    std::chrono::seconds asked{0};
    try {
      const GetResponse answer =
          http_get(*http_, {url, before, blob.size - before}, counting, stop);
      if (answer.status != 200 && answer.status != 206) {
        HttpResponse told;
        told.status = answer.status;
        told.problem = answer.problem;
        failure = refusal(told, url, doing);
        asked = answer.retry_after;
      } else if (counting.count < blob.size) {
        failure = Error(Errc::unavailable, fmt::format("{} ends after {} of {} bytes",
                                                       url, counting.count, blob.size));
      }
    } catch (const Error& e) {
      failure = e;
    }
    if (!failure) return;
    const bool last = server + 1 == http_->count();
    if (!last && is_passed_over(failure->code())) {
      ++server;
      continue;
    }
    if (failure->code() != Errc::unavailable) throw Error(*failure);
    if (counting.count >= before + k_progress) patience.regain();
    patience.lose(*failure, asked, stop);
  }
}

std::unique_ptr<Source> RegistryClient::open(const BlobRef& blob) const {
  auto stream_it = [this, blob](Sink& to, std::stop_token stop) {
    stream(blob, to, std::move(stop));
  };
  return verified(std::make_unique<StreamingSource>(std::move(stream_it)), blob.digest,
                  blob.size, fmt::format("blob {} of {}", blob.digest.brief(), name_));
}

std::unique_ptr<Source> RegistryClient::open_range(const BlobRef& blob,
                                                   std::uint64_t offset,
                                                   std::uint64_t size) const {
  check_range(blob, offset, size);
  // From the start: there is nothing to compare a part with. What reads a part that does
  // not reach the end compares the whole itself.
  return std::make_unique<RangeSource>(open(blob), offset, size);
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
  const Endpoint& to = http_->endpoint(http_->count() - 1);
  UploadRequest request{
      primary(), to.origin,
      blob,      std::move(body),
      {},        fmt::format("blob {} to {}", blob.digest.brief(), name_)};
  for (const std::string& place : shared_.repositories_of(blob.digest)) {
    const std::size_t slash = place.find('/');
    if (place == name_ || place.substr(0, slash) != domain()) continue;
    request.mount_from.push_back(place.substr(slash + 1));
    http_->also("repository:" + place.substr(slash + 1) + ":pull");
  }
  try {
    Upload(shared_, *http_, std::move(request), activity, std::move(stop)).run();
  } catch (Error& error) {
    if (error.code() == Errc::denied) {
      error.add_note("shown was " + http_->credential_used());
      error.add_hint(fmt::format(
          "log in with `lithify login {}`, or see `lithify doctor {}`", domain(), name_));
    }
    throw;
  }
  shared_.seen(blob.digest, name_);
  const std::lock_guard lock(mutex_);
  present_.insert(blob.digest);
}

void RegistryClient::fetch(const BlobRef& blob, BlobStore& into,
                           const std::filesystem::path& partial_directory,
                           Activity& activity) const {
  std::vector<std::string> urls;
  for (std::size_t i = 0; i < http_->count(); ++i) {
    if (http_->endpoint(i).digests) {
      urls.push_back(http_->base(i) + "/blobs/" + blob.digest.str());
    }
  }
  const DownloadRequest request{std::move(urls), blob,
                                fmt::format("blob {} of {}", blob.digest.brief(), name_),
                                fmt::format("see `lithify doctor {}`", name_)};
  Downloader(*http_, into, partial_directory, shared_.settings().retry)
      .fetch(request, activity, shared_.settings().stop);
}

// ---- documents
// -----------------------------------------------------------------------------

std::optional<RegistryClient::Document> RegistryClient::get_document_at(
    std::size_t server, std::string_view reference) const {
  const std::string url = http_->base(server) + "/manifests/" + std::string(reference);
  const std::string doing = fmt::format("reading {}{}{}", name_,
                                        Digest::parse(reference) ? "@" : ":", reference);
  HttpRequest request;
  request.url = url;
  request.headers = {{"Accept", std::string(k_accept)}};
  request.max_bytes = k_max_json;
  StringSink text;
  Patience patience = shared_.patience();
  while (true) {
    text.text.clear();
    std::optional<Error> failure;
    std::chrono::seconds asked{0};
    try {
      const HttpResponse answer = http_->send(request, text, shared_.settings().stop);
      if (answer.status == 200) {
        return during([&] { return doing; },
                      [&] {
                        Descriptor which = described(answer, text.text, reference, url);
                        return Document{std::move(which), std::move(text.text)};
                      });
      }
      if (is_absent(answer.status)) return std::nullopt;
      failure = refusal(answer, url, doing);
      asked = answer.retry_after;
      if (!may_pass(answer.status)) throw Error(*failure);
    } catch (const Error& e) {
      if (e.code() != Errc::unavailable) throw;
      failure = e;
    }
    patience.lose(*failure, asked, shared_.settings().stop);
  }
}

std::optional<RegistryClient::Document> RegistryClient::get_document(
    std::string_view reference) const {
  return first_that_has(Digest::parse(reference).has_value(), [&](std::size_t server) {
    return get_document_at(server, reference);
  });
}

std::string RegistryClient::manifest(const Descriptor& which) const {
  auto found = get_document(which.digest.str());
  if (!found) {
    throw Error(Errc::not_found,
                fmt::format("{} has no manifest {}", name_, which.digest.str()));
  }
  if (found->content.size() != which.size) {
    throw Error(
        Errc::mismatch,
        fmt::format("manifest {} of {} has {} bytes, its descriptor says {}",
                    which.digest.brief(), name_, found->content.size(), which.size));
  }
  return std::move(found->content);
}

bool RegistryClient::has_manifest(const Digest& digest) const {
  {
    const std::lock_guard lock(mutex_);
    if (present_.count(digest) > 0) return true;
  }
  const std::string url = primary() + "/manifests/" + digest.str();
  const std::string doing = "looking for manifest " + digest.brief() + " in " + name_;
  const HttpResponse answer = head(url, doing);
  if (is_absent(answer.status)) return false;
  // Artifactory says 403 of what is not there yet.
  if (answer.status == 403) return false;
  if (answer.status != 200) throw refusal(answer, url, doing);
  return true;
}

HttpResponse RegistryClient::put_document(std::string_view reference,
                                          const Descriptor& which,
                                          std::string_view content, HttpHeaders headers) {
  HttpRequest request;
  request.method = "PUT";
  request.url = primary() + "/manifests/" + std::string(reference);
  request.headers = std::move(headers);
  request.headers.emplace_back("Content-Type", which.media_type);
  request.body = body_of(std::string(content));
  request.max_bytes = k_max_page;
  NullSink nothing;
  HttpResponse answer =
      ask(request, nothing, fmt::format("writing {} to {}", reference, name_));
  const std::string* named = answer.header("docker-content-digest");
  if (is_success(answer.status) && named != nullptr && named->rfind("sha256:", 0) == 0 &&
      *named != which.digest.str()) {
    throw Error(Errc::mismatch, fmt::format("{} stored manifest {} as {}", domain(),
                                            which.digest.str(), harmless(*named, 80)));
  }
  return answer;
}

void RegistryClient::put_manifest(const Descriptor& which, Bytes content) {
  const std::string text(reinterpret_cast<const char*>(content.data()), content.size());
  const HttpResponse answer = put_document(which.digest.str(), which, text, {});
  if (!is_success(answer.status)) {
    throw refusal(answer, primary(),
                  fmt::format("pushing manifest {} to {}", which.digest.brief(), name_));
  }
  const std::lock_guard lock(mutex_);
  documents_.emplace(which.digest, text);
  present_.insert(which.digest);
}

std::optional<Descriptor> RegistryClient::resolve(std::string_view tag) const {
  auto found = get_document(tag);
  if (!found) return std::nullopt;
  return std::move(found->which);
}

std::optional<std::string> RegistryClient::manifest_of(std::string_view tag) const {
  auto found = get_document(tag);
  if (!found) return std::nullopt;
  return std::move(found->content);
}

std::optional<Digest> RegistryClient::digest_of(std::string_view tag) const {
  const std::string url = primary() + "/manifests/" + std::string(tag);
  const std::string doing = fmt::format("asking for {}:{}", name_, tag);
  const HttpResponse answer = head(url, doing);
  if (is_absent(answer.status) || answer.status == 403) return std::nullopt;
  if (answer.status != 200) throw refusal(answer, url, doing);
  if (const std::string* named = answer.header("docker-content-digest")) {
    if (const auto digest = Digest::parse(*named)) return digest;
  }
  const auto found = get_document_at(http_->count() - 1, tag);
  return found ? std::optional(found->which.digest) : std::nullopt;
}

std::string RegistryClient::document_of(const Descriptor& which) const {
  {
    const std::lock_guard lock(mutex_);
    const auto found = documents_.find(which.digest);
    if (found != documents_.end()) return found->second;
  }
  return manifest(which);
}

void RegistryClient::set_tag(std::string_view tag, const Descriptor& manifest) {
  const HttpResponse answer = put_document(tag, manifest, document_of(manifest), {});
  if (is_success(answer.status)) return;
  throw refusal(answer, primary(), fmt::format("writing the tag {}:{}", name_, tag));
}

// There is no conditional PUT in the specification. Servers that know HTTP's own take it;
// those that keep tags say no in their own words; for the others, what stands there
// afterwards tells whether somebody else was there at the same time.
void RegistryClient::set_tag_if(std::string_view tag, const Descriptor& manifest,
                                const TagCondition& condition) {
  HttpHeaders headers;
  if (condition.absent) headers.emplace_back("If-None-Match", "*");
  if (condition.expected) {
    headers.emplace_back("If-Match", '"' + condition.expected->str() + '"');
  }
  const HttpResponse answer = put_document(tag, manifest, document_of(manifest), headers);
  const std::string doing = fmt::format("writing the tag {}:{}", name_, tag);
  if (!is_success(answer.status)) {
    if (!is_kept_tag(answer)) throw refusal(answer, primary(), doing);
    if (digest_of(tag) == manifest.digest) return;
    throw Error(Errc::refused, fmt::format("{} keeps the tag `{}` as it is", name_, tag))
        .add_note(refusal(answer, primary(), doing).what());
  }
  const auto now = digest_of(tag);
  if (now == manifest.digest) return;
  throw Error(
      Errc::refused,
      fmt::format("the tag `{}` of {} was written by somebody else at the same time", tag,
                  name_))
      .add_note(now ? "it points to " + now->str() : "it is gone");
}

void RegistryClient::delete_tag(std::string_view tag) {
  HttpRequest request;
  request.method = "DELETE";
  request.url = primary() + "/manifests/" + std::string(tag);
  request.max_bytes = k_max_page;
  NullSink nothing;
  const std::string doing = fmt::format("deleting the tag {}:{}", name_, tag);
  const HttpResponse answer = ask(request, nothing, doing);
  if (!is_success(answer.status)) throw refusal(answer, request.url, doing);
}

std::vector<std::string> RegistryClient::tags() const {
  std::vector<std::string> all;
  std::string url = primary() + "/tags/list?n=1000";
  for (std::size_t page = 0; page < k_max_pages; ++page) {
    HttpRequest request;
    request.url = url;
    request.max_bytes = k_max_page;
    StringSink text;
    const HttpResponse answer = ask(request, text, "listing the tags of " + name_);
    if (is_absent(answer.status)) return all;
    if (!is_success(answer.status)) {
      throw refusal(answer, url, "listing the tags of " + name_);
    }
    const auto names = tags_of(text.text, name_);
    all.insert(all.end(), names.begin(), names.end());
    const auto next = next_page(answer, url);
    if (!next || names.empty()) break;
    url = *next;
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

std::vector<std::string> RegistryClient::explain() const {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < http_->count(); ++i) {
    const Endpoint& at = http_->endpoint(i);
    lines.push_back(fmt::format("{} {}{}", at.mirror ? "mirror" : "server",
                                http_->base(i),
                                at.tls.verify ? "" : " (certificate not checked)"));
  }
  lines.push_back("shows " + http_->credential_used());
  return lines;
}

}  // namespace oci
