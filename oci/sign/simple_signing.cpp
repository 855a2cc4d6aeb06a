// simple_signing: Go's spelling of JSON, and its strict reading.
#include "oci/sign/simple_signing.h"

#include <optional>

#include <nlohmann/json.hpp>

#include "oci/base/error.h"
#include "oci/base/json.h"
#include "oci/image/document_node.h"
#include "oci/sign/members.h"

namespace oci {

namespace {

// None of these can stand outside of a string.
std::string escape_as_go(const std::string& json) {
  struct Escape {
    std::string_view from, to;
  };
  constexpr Escape k_escapes[] = {{"<", "\\u003c"},
                                  {">", "\\u003e"},
                                  {"&", "\\u0026"},
                                  {"\xe2\x80\xa8", "\\u2028"},
                                  {"\xe2\x80\xa9", "\\u2029"}};
  std::string text;
  for (std::string_view rest = json; !rest.empty();) {
    std::string_view add = rest.substr(0, 1);
    std::size_t taken = 1;
    for (const auto& [from, to] : k_escapes) {
      if (!rest.starts_with(from)) continue;
      add = to;
      taken = from.size();
    }
    text += add;
    rest.remove_prefix(taken);
  }
  return text;
}

std::map<std::string, std::string> read_optional(const DocumentNode& top) {
  // Not find(): null stands for none here, absence is refused.
  if (!top.value().contains("optional")) top.refuse("`optional` is missing");
  std::map<std::string, std::string> annotations;
  const auto optional = top.find("optional");
  if (!optional) return annotations;
  for (const auto& [key, value] : optional->members()) {
    if (key == "timestamp") value.number();
    if (key == "creator") value.text();
    if (value.value().is_string()) annotations.emplace(key, value.text());
  }
  return annotations;
}

// "index.docker.io/library/x:1" without its alias, tag and digest apart; nullopt for what
// is no reference. Nothing is filled in: a name without a tag has none.
struct Named {
  std::string name, tag;
};

std::optional<Named> read_named(std::string_view text) {
  try {
    Reference reference = Reference::parse(text);
    const std::size_t colon = text.find(':', text.rfind('/') + 1);
    const bool tagged = colon != std::string_view::npos && colon < text.find('@');
    return Named{reference.name(), tagged ? reference.tag : std::string()};
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

SimpleSigning SimpleSigning::parse(std::string_view text, std::string_view what) {
  const nlohmann::json document = parse_json(text, what, k_max_size);
  const DocumentNode top(document, std::string(what));
  require_only(top, {"critical", "optional"});
  const DocumentNode critical = top.require("critical");
  require_only(critical, {"identity", "image", "type"});
  if (critical.require("type").text() != k_type) {
    critical.require("type").refuse("the type of cosign's signatures was expected");
  }
  const DocumentNode identity = critical.require("identity");
  require_only(identity, {"docker-reference"});
  const DocumentNode image = critical.require("image");
  require_only(image, {"docker-manifest-digest"});
  const DocumentNode digest = image.require("docker-manifest-digest");
  const auto manifest = Digest::parse(digest.text());
  if (!manifest) digest.refuse("sha256: and 64 lower-case hex digits were expected");
  return {identity.require("docker-reference").text(), *manifest, read_optional(top)};
}

std::string SimpleSigning::str() const {
  nlohmann::json optional;
  for (const auto& [key, value] : annotations)
    optional[key] = value;
  // Go's order of the members is the alphabet's.
  const nlohmann::json document = {
      {"critical",
       {{"identity", {{"docker-reference", reference}}},
        {"image", {{"docker-manifest-digest", manifest.str()}}},
        {"type", k_type}}},
      {"optional", optional},
  };
  return escape_as_go(canonical_json(document));
}

bool SimpleSigning::is_about(const Reference& wanted) const {
  const auto named = read_named(reference);
  return named && named->name == wanted.name() &&
         (named->tag.empty() || wanted.tag.empty() || named->tag == wanted.tag);
}

}  // namespace oci
