// judge: programs that verify what we make, and repositories in which they find it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/registry/child_process.h"
#include "oci/sign/bundle.h"
#include "oci/sign/simple_signing.h"

#include "tests/support/catch.h"
#include "tests/support/registry_server.h"
#include "tests/support/temporary_directory.h"

// Cosign or skopeo, where it is installed. Its files are gone when it is.
class Judge {
 public:
  // `variable` may name the program; else `program` is looked for along PATH.
  Judge(const char* variable, const char* program) {
    const char* named = std::getenv(variable);
    program_ = named != nullptr ? named : program;
    ::setenv("COSIGN_PASSWORD", "hello", 1);
    try {
      present_ = run({"--help"});
    } catch (const oci::Error&) {
    }
    if (!present_) WARN("no " << program << " here: set " << variable);
  }

  bool present() const { return present_; }
  bool run(std::vector<std::string> words) {
    words.insert(words.begin(), program_);
    const oci::ChildResult result =
        oci::run_child(words, oci::Secret(), 1 << 20, std::chrono::seconds(60), {});
    output_ = result.output.reveal();
    complaint_ = result.complaint;
    return result.status == 0;
  }
  // Of the last run.
  const std::string& output() const { return output_; }
  const std::string& complaint() const { return complaint_; }

  std::string path(const std::string& name) const {
    return (directory_.path() / name).string();
  }
  std::string file(const std::string& name, const std::string& content) {
    oci::write_file_atomically(path(name), content);
    return path(name);
  }

 private:
  TemporaryDirectory directory_;
  std::string program_;
  bool present_ = false;
  std::string output_, complaint_;
};

// A repository with one image in it, for a signature to be put beside.
class JudgedRepository {
 public:
  JudgedRepository(RegistryServer& server, std::string name)
      : server_(server), name_(std::move(name)) {
    const nlohmann::json config = {
        {"architecture", "amd64"},
        {"os", "linux"},
        {"rootfs", {{"type", "layers"}, {"diff_ids", nlohmann::json::array()}}}};
    manifest_ = nlohmann::json{{"schemaVersion", 2},
                               {"mediaType", k_type},
                               {"config", blob(config.dump(),
                                               "application/vnd.oci.image.config.v1"
                                               "+json")},
                               {"layers", nlohmann::json::array()}}
                    .dump();
    digest_ = oci::Digest::of(manifest_);
    put("1.0", manifest_);
  }

  const oci::Digest& digest() const { return digest_; }
  std::string reference() const { return server_.domain() + "/" + name_; }
  std::string by_digest() const { return reference() + "@" + digest_.str(); }

  void attach_bundle(const std::string& text) {
    const nlohmann::json artifact = {
        {"schemaVersion", 2},
        {"mediaType", k_type},
        {"artifactType", oci::Bundle::k_media_type},
        {"config", blob("{}", "application/vnd.oci.empty.v1+json")},
        {"layers", {blob(text, std::string(oci::Bundle::k_media_type))}},
        {"subject",
         {{"mediaType", k_type}, {"digest", digest_.str()}, {"size", manifest_.size()}}}};
    put(oci::Digest::of(artifact.dump()).str(), artifact.dump());
  }

  void attach_classic(const std::string& payload, const std::string& signature) {
    nlohmann::json layer = blob(payload, std::string(oci::SimpleSigning::k_media_type));
    layer["annotations"] = {{"dev.cosignproject.cosign/signature", signature}};
    const nlohmann::json manifest = {
        {"schemaVersion", 2},
        {"mediaType", k_type},
        {"config", blob(R"({"architecture":"","os":"","rootfs":{"type":"layers",)"
                        R"("diff_ids":[]}})",
                        "application/vnd.oci.image.config.v1+json")},
        {"layers", {layer}}};
    put("sha256-" + digest_.hex() + ".sig", manifest.dump());
  }

 private:
  static constexpr const char* k_type = "application/vnd.oci.image.manifest.v1+json";

  nlohmann::json blob(const std::string& bytes, const std::string& type) {
    return {{"mediaType", type},
            {"digest", server_.content().put_blob(name_, bytes)},
            {"size", bytes.size()}};
  }
  void put(const std::string& reference, const std::string& bytes) {
    server_.content().put_manifest(name_, reference, bytes, k_type);
  }

  RegistryServer& server_;
  std::string name_;
  std::string manifest_;
  oci::Digest digest_ = oci::Digest::of("");
};
