// RegistryClient: one remote repository, spoken to by the distribution spec.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "oci/image/referring_repository.h"
#include "oci/registry/http_get.h"
#include "oci/registry/registries.h"

namespace oci {

// What must hold of a tag for it to be written.
struct TagCondition {
  // nullopt: whatever is there. Else it must name this, or nothing at all if `absent`.
  bool absent = false;
  std::optional<Digest> expected = {};
};

// Reads ask the mirrors first and the registry last; writes go to the registry. Every
// byte is checked against its digest; a mirror that lies is told of and passed over.
// Failures that may pass are tried again. Errors name the operation, the host, the answer
// of the server and the credential that was shown. Safe to share between threads.
class RegistryClient final : public ReferringRepository {
 public:
  // Made by Registries::open().
  RegistryClient(Registries& shared, std::string name,
                 std::unique_ptr<RegistryHttp> http);
  ~RegistryClient() override;

  const std::string& name() const { return name_; }  // "docker.io/library/debian"
  std::string domain() const { return name_.substr(0, name_.find('/')); }

  // ---- Repository --------------------------------------------------------------------

  bool has(const Digest& digest) const override;
  // Streams, and goes on where a connection broke. Nothing is asked before the first
  // read, so that is where Errc::not_found comes from.
  std::unique_ptr<Source> open(const BlobRef& blob) const override;
  // The whole blob comes first, into an unnamed file, and is compared.
  std::unique_ptr<Source> open_range(const BlobRef& blob, std::uint64_t offset,
                                     std::uint64_t size) const override;
  // Keeps the bytes in an unnamed file until their digest is known.
  std::unique_ptr<BlobWriter> create() override;
  // HEAD; a mount from where the blob is known to be; else an upload whose method is
  // found out (distribution-spec, "Pushing blobs"). Takes up broken uploads where the
  // server allows it.
  bool take(const BlobStore& from, const BlobRef& blob, Activity& activity,
            std::stop_token stop) override;
  std::string manifest(const Descriptor& which) const override;
  bool has_manifest(const Digest& digest) const override;
  void put_manifest(const Descriptor& which, Bytes content) override;
  // A tag, or a digest as text.
  std::optional<Descriptor> resolve(std::string_view tag) const override;
  void set_tag(std::string_view tag, const Descriptor& manifest) override;
  std::vector<std::string> tags() const override;

  // ---- ReferringRepository -----------------------------------------------------------

  // One request.
  std::optional<std::string> manifest_of(std::string_view tag) const override;
  // By the referrers API, else by the fallback tag.
  std::vector<Descriptor> referrers(const Digest& subject,
                                    std::string_view artifact_type) const override;
  void put_referrer(const Descriptor& which, Bytes content,
                    const Descriptor& subject) override;
  void change_tag(std::string_view tag, std::string_view media_type,
                  const TagChanger& change) override;

  // ---- what only a registry has ------------------------------------------------------

  // What a tag names, by one HEAD where the server tells it there.
  std::optional<Digest> digest_of(std::string_view tag) const;
  // Writes a tag if the condition holds, with what HTTP offers to have the server check
  // it too, and reads it back: Errc::refused if somebody else was there first or the
  // registry keeps its tags. A tag that already names the manifest is fine.
  void set_tag_if(std::string_view tag, const Descriptor& manifest,
                  const TagCondition& condition);
  void delete_tag(std::string_view tag);

  // The blob into `into`, by parallel-safe, resumable download from the best server.
  void fetch(const BlobRef& blob, BlobStore& into,
             const std::filesystem::path& partial_directory, Activity& activity) const;

  // For doctor: who is asked, with what.
  std::vector<std::string> explain() const;

 private:
  class SpooledWriter;
  struct Document {
    Descriptor which;
    std::string content;
  };
  struct Answer {
    HttpResponse http;
    std::string text;  // the body of a 2xx
  };
  // Why a blob did not come, or not all of it.
  struct Setback {
    Error error;
    int status = 0;  // 0: no answer
    std::chrono::seconds asked{0};
  };

  // ---- requests: registry_client.cpp
  static HttpRequest request_for(std::string method, std::string url);
  static HttpRequest document_request(std::string method, std::string url);
  // Tries again where there is nobody else to ask.
  Answer ask(const HttpRequest& request, const std::string& doing,
             bool is_last = true) const;
  HttpResponse head(HttpRequest request, const std::string& doing) const;
  Error refusal(const HttpResponse& answer, const std::string& url,
                const std::string& doing) const;
  void explain_denial(Error& error) const;
  std::string primary() const { return http_->base(http_->count() - 1); }

  // ---- registry_blobs.cpp
  void upload(const BlobRef& blob, HttpBody body, Activity& activity,
              std::stop_token stop);
  void stream(const BlobRef& blob, Sink& to, std::stop_token stop) const;
  std::optional<Setback> read_once(const GetRequest& request, Sink& to,
                                   const std::stop_token& stop) const;
  std::vector<std::string> urls_of(const BlobRef& blob) const;

  // ---- registry_documents.cpp, referrers.cpp
  std::optional<Document> get_document(std::string_view reference) const;
  std::optional<Document> find_document(std::string_view reference) const;
  std::optional<Document> get_document_at(std::size_t server,
                                          std::string_view reference) const;
  HttpResponse put_document(std::string_view reference, const Descriptor& which,
                            std::string_view content, HttpHeaders headers);
  std::string document_of(const Descriptor& which) const;
  std::optional<std::vector<Descriptor>> listed_referrers(
      const Digest& subject, std::string_view artifact_type) const;
  bool lists_referrers(const Digest& subject) const;
  bool put_if_still(std::string_view tag, const Descriptor& which,
                    const std::string& content, const std::optional<Digest>& before);
  void keep_present(std::vector<Descriptor>& list) const;
  void add_to_fallback(const Descriptor& which, const Descriptor& subject);

  Registries& shared_;
  std::string name_;
  std::unique_ptr<RegistryHttp> http_;
  mutable std::mutex mutex_;
  std::map<Digest, std::string> documents_;  // put here: what a tag may be set to
  std::set<Digest> blobs_;                   // put here
  mutable std::optional<bool> lists_;        // whether it has the API for referrers
};

}  // namespace oci
