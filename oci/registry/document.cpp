#include "oci/registry/document.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/error.h"
#include "oci/base/json.h"
#include "oci/image/manifest_graph.h"
#include "oci/registry/origin.h"
#include "oci/registry/server_error.h"

namespace oci {

namespace {

std::string lower(std::string_view text) {
  std::string copy(text);
  std::transform(copy.begin(), copy.end(), copy.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return copy;
}

// "application/json; charset=utf-8": "application/json".
std::string media_type_of(const HttpResponse& answer) {
  const std::string* header = answer.header("content-type");
  if (header == nullptr) return {};
  std::string type = lower(header->substr(0, header->find(';')));
  while (!type.empty() && type.back() == ' ')
    type.pop_back();
  return type;
}

std::string declared_type(std::string_view text, const std::string& what) {
  const auto document = parse_json(text, what);
  if (!document.is_object()) {
    throw Error(Errc::bad_input, what + " is no JSON object");
  }
  if (document.value("schemaVersion", nlohmann::json()) == 1) {
    throw Error(Errc::bad_input,
                what + " is in docker's schema 1, which is no longer read")
        .add_hint("push the image again with a current tool");
  }
  const auto type = document.find("mediaType");
  if (type != document.end() && type->is_string()) return type->get<std::string>();
  // OCI documents need not say it; their members do.
  return std::string(document.contains("manifests") ? media_type::k_index
                                                    : media_type::k_manifest);
}

}  // namespace

Descriptor described(const HttpResponse& answer, std::string_view text,
                     std::string_view reference, const std::string& url) {
  const std::string shown = url_for_people(url);
  const Digest digest = Digest::of(text);
  const auto asked = Digest::parse(reference);
  if (asked && *asked != digest) {
    throw Error(Errc::mismatch, fmt::format("{} has the digest {}", shown, digest.str()));
  }
  const std::string* named = answer.header("docker-content-digest");
  if (named != nullptr && named->rfind("sha256:", 0) == 0 && *named != digest.str()) {
    throw Error(Errc::mismatch, fmt::format("{} is named {} by its server, but is {}",
                                            shown, harmless(*named, 80), digest.str()));
  }
  const std::string declared = declared_type(text, shown);
  const std::string sent = media_type_of(answer);
  // Some send text/plain or nothing; one of the four names must be the right one.
  if (is_document(sent) && sent != declared) {
    throw Error(Errc::bad_input, fmt::format("{} is sent as {}, but says of itself {}",
                                             shown, sent, harmless(declared, 100)));
  }
  if (!is_document(declared)) {
    throw Error(Errc::bad_input, fmt::format("{} is a {}, neither manifest nor index",
                                             shown, harmless(declared, 100)));
  }
  return {declared, digest, text.size()};
}

std::vector<std::string> tags_of(std::string_view json, const std::string& name) {
  const std::string what = "the tag list of " + name;
  const auto document = parse_json(json, what);
  std::vector<std::string> names;
  const auto tags = document.is_object() ? document.find("tags") : document.end();
  if (!document.is_object() || tags == document.end() || tags->is_null()) return names;
  if (!tags->is_array()) throw Error(Errc::bad_input, what + " is no list");
  for (const auto& tag : *tags) {
    if (!tag.is_string()) throw Error(Errc::bad_input, what + " holds what is no name");
    names.push_back(harmless(tag.get<std::string>(), 128));
  }
  return names;
}

std::optional<std::string> next_page(const HttpResponse& answer, const std::string& url) {
  const std::string* link = answer.header("link");
  if (link == nullptr || lower(*link).find("rel=\"next\"") == std::string::npos) {
    return std::nullopt;
  }
  const std::size_t begin = link->find('<');
  const std::size_t end = link->find('>');
  if (begin == std::string::npos || end == std::string::npos || end < begin) {
    return std::nullopt;
  }
  const auto next = resolve_url(url, link->substr(begin + 1, end - begin - 1));
  if (!next || Origin::of(*next) != Origin::of(url)) return std::nullopt;
  return next;
}

bool is_kept_tag(const HttpResponse& answer) {
  return answer.status == 409 || answer.status == 412 || says_tag_is_kept(answer);
}

bool says_tag_is_kept(const HttpResponse& answer) {
  if (has_code(answer, "TAG_INVALID")) return true;
  constexpr int k_statuses[] = {400, 403, 405, 409, 412};
  if (std::find(std::begin(k_statuses), std::end(k_statuses), answer.status) ==
      std::end(k_statuses)) {
    return false;
  }
  const std::string said = lower(answer.problem);
  for (const char* word : {"immutab", "already exist", "overwrit", "cannot update tag"}) {
    if (said.find(word) != std::string::npos) return true;
  }
  return false;
}

}  // namespace oci
