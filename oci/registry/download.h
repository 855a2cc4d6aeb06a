// download: files by digest from a list of mirrors, resumed where an earlier try stopped.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "oci/base/activity.h"
#include "oci/registry/http_client.h"
#include "oci/registry/patience.h"
#include "oci/store/blob_store.h"

namespace oci {

struct DownloadRequest {
  std::vector<std::string> urls;  // mirrors of one file, best first
  BlobRef blob;                   // what the file must be
  std::string what;               // for messages: "bash 5.2.15-2 (amd64)"
  std::string hint;               // what to type when no mirror has it, or it as it was
};

// Safe to share between threads and processes: two that want one file take turns.
class Downloader {
 public:
  // Unfinished files wait in `partial_directory`, named by digest, until a later call
  // finishes them. It is made when needed; it should be on the disk of the store.
  Downloader(HttpClient& http, BlobStore& into, std::filesystem::path partial_directory,
             RetryPolicy retry = {});
  // With a copy of `patience` for each file: its budget and whom it tells are shared.
  Downloader(HttpClient& http, BlobStore& into, std::filesystem::path partial_directory,
             Patience patience);

  // Puts the file into the store, unless it is there. Advances `activity`, does not end
  // it. Throws Errc::unavailable if no mirror has it, Errc::mismatch if two tries brought
  // other bytes, Errc::unavailable too if no mirror answers.
  BlobRef fetch(const DownloadRequest& request, Activity& activity, std::stop_token stop);

 private:
  class Partial;
  class Attempt;

  HttpClient& http_;
  BlobStore& into_;
  std::filesystem::path partial_directory_;
  Patience patience_;
};

struct SmallRequest {
  std::string url;
  std::uint64_t limit;  // more bytes are Errc::bad_input
  RetryPolicy retry = {};
};

// A small file whose digest is not known: an index. It must come within a minute.
// nullopt for 404 and 410.
std::optional<std::string> fetch_small(HttpClient& http, const SmallRequest& request,
                                       std::stop_token stop);

// The same into a store, for a file of any size whose digest is to be found out.
std::optional<BlobRef> fetch_unnamed(HttpClient& http, const SmallRequest& request,
                                     BlobStore& into, std::stop_token stop);

}  // namespace oci
