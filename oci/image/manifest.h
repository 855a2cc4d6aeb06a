// Manifest, Index and ImageConfig: the three documents of an image, as values.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "oci/base/descriptor.h"

namespace oci {

// OCI image-spec, manifest.md. parse() also takes docker's schema 2 and refuses documents
// that could be two things at once (layers and manifests both; a mediaType that does not
// fit): Errc::bad_input. str() writes canonical JSON.
struct Manifest {
  std::string media_type;  // as read; what str() writes, the OCI one if empty
  std::string artifact_type = {};
  Descriptor config;
  std::vector<Descriptor> layers = {};
  std::optional<Descriptor> subject = {};
  std::map<std::string, std::string> annotations = {};
  bool operator==(const Manifest&) const = default;

  static Manifest parse(std::string_view json, std::string_view what);
  std::string str() const;
};

// OCI image-spec, image-index.md; docker's manifest list is read too.
struct Index {
  std::string media_type;
  std::vector<Descriptor> manifests = {};
  std::map<std::string, std::string> annotations = {};
  bool operator==(const Index&) const = default;

  static Index parse(std::string_view json, std::string_view what);
  std::string str() const;
};

struct Healthcheck {
  std::vector<std::string> test;  // docker's form: ["CMD", …], ["CMD-SHELL", …], ["NONE"]
  std::int64_t interval = 0;      // nanoseconds, 0: default
  std::int64_t timeout = 0;
  std::int64_t start_period = 0;
  int retries = 0;
  std::int64_t start_interval = 0;
  bool operator==(const Healthcheck&) const = default;
};

struct History {
  std::string created;  // RFC 3339, seconds, Z
  std::string created_by;
  std::string comment = {};
  bool empty_layer = false;
  std::string author = {};
  bool operator==(const History&) const = default;
};

// OCI image-spec, config.md. What is not known here is kept in `other` (JSON text of the
// unknown members of "config" and of the document), so that a base's fields survive.
struct ImageConfig {
  Platform platform;
  std::string created;  // RFC 3339
  std::string author = {};
  std::string os_version = {};

  std::optional<std::vector<std::string>> entrypoint = {};
  std::optional<std::vector<std::string>> cmd = {};
  std::vector<std::pair<std::string, std::string>> env = {};  // in order, names unique
  std::string user = {};
  std::string working_dir = {};
  std::set<std::string> exposed_ports = {};  // "80/tcp"
  std::set<std::string> volumes = {};
  std::map<std::string, std::string> labels = {};
  std::string stop_signal = {};
  std::optional<Healthcheck> healthcheck = {};

  std::vector<Digest> diff_ids = {};
  std::vector<History> history = {};
  std::string other_config = "{}";    // unknown members of "config"
  std::string other_document = "{}";  // unknown members of the document
  bool operator==(const ImageConfig&) const = default;

  static ImageConfig parse(std::string_view json, std::string_view what);
  std::string str() const;
};

// A descriptor of canonical JSON text.
Descriptor describe(std::string_view document, std::string_view media_type);

// "1980-01-01T00:00:00Z" from seconds since 1970, and back (nullopt if not of that form).
std::string rfc3339(std::int64_t seconds);
std::optional<std::int64_t> parse_rfc3339(std::string_view text);

}  // namespace oci
