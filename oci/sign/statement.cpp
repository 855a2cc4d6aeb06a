// statement: strict reading, sorted writing.
#include "oci/sign/statement.h"

#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/error.h"
#include "oci/base/json.h"
#include "oci/image/document_node.h"
#include "oci/sign/canonical_text.h"
#include "oci/sign/members.h"

namespace oci {

namespace {

using nlohmann::json;

constexpr std::string_view k_type_before = "https://in-toto.io/Statement/v0.1";
constexpr double k_beyond_integers = 9007199254740992.0;  // 2^53

// The reader makes a double of a whole number that fits nothing else, and digits go.
void refuse_lost_digits(const json& value, const DocumentNode& where) {
  if (value.is_number_float() && std::fabs(value.get<double>()) >= k_beyond_integers) {
    where.refuse("a number in it is too large to be kept exactly");
  }
  if (!value.is_structured()) return;
  for (const json& child : value)
    refuse_lost_digits(child, where);
}

std::string dump(const json& value) {
  try {
    return value.dump(-1, ' ', false, json::error_handler_t::strict);
  } catch (const json::exception&) {
    throw Error(Errc::bad_input, "a text that is not UTF-8 cannot be written as JSON");
  }
}

std::map<std::string, std::string> read_digests(const DocumentNode& subject) {
  const DocumentNode node = subject.require("digest");
  auto digests = node.text_map();
  if (digests.empty()) node.refuse("a subject without a digest");
  for (const auto& [algorithm, value] : digests) {
    if (algorithm.empty() || value.empty()) node.refuse("an empty digest");
    if (algorithm == "sha256" && !Digest::parse_hex(value)) {
      node.refuse("64 lower-case hex digits were expected");
    }
  }
  return digests;
}

Subject read_subject(const DocumentNode& node) {
  require_only(node,
               {"name", "uri", "digest", "downloadLocation", "mediaType", "annotations"});
  Subject subject;
  subject.name = node.text_or_empty("name");
  subject.uri = node.text_or_empty("uri");
  subject.digests = read_digests(node);
  subject.download_location = node.text_or_empty("downloadLocation");
  subject.media_type = node.text_or_empty("mediaType");
  if (const auto annotations = node.find("annotations")) {
    subject.annotations = annotations->text_map();
  }
  return subject;
}

json write_subject(const Subject& subject) {
  json node = {{"digest", subject.digests}};
  const std::pair<const char*, const std::string&> texts[] = {
      {"name", subject.name},
      {"uri", subject.uri},
      {"downloadLocation", subject.download_location},
      {"mediaType", subject.media_type}};
  for (const auto& [name, text] : texts) {
    if (!text.empty()) node[name] = text;
  }
  if (!subject.annotations.empty()) node["annotations"] = subject.annotations;
  return node;
}

Statement read_statement(const json& document, std::string_view what) {
  const DocumentNode top(document, std::string(what));
  require_only(top, {"_type", "subject", "predicateType", "predicate"});
  const std::string type = top.require("_type").text();
  if (type != Statement::k_type && type != k_type_before) {
    top.require("_type").refuse("a statement of in-toto, version 1, was expected");
  }
  Statement statement;
  const DocumentNode subjects = top.require("subject");
  for (const DocumentNode& item : subjects.items()) {
    if (statement.subjects.size() == Statement::k_max_subjects) {
      subjects.refuse(fmt::format("more than {} subjects", Statement::k_max_subjects));
    }
    statement.subjects.push_back(read_subject(item));
  }
  if (statement.subjects.empty()) subjects.refuse("no subject");
  statement.predicate_type = top.require("predicateType").text();
  if (statement.predicate_type.empty()) top.refuse("`predicateType` is empty");
  // null is an empty one to protojson.
  const auto predicate = top.find("predicate");
  if (!predicate) return statement;
  if (!predicate->value().is_object()) predicate->refuse("an object was expected");
  refuse_lost_digits(predicate->value(), *predicate);
  statement.predicate = dump(predicate->value());
  return statement;
}

// A large one is mostly ours, and canonical: then it is taken as it is, because as a
// document it would need many times its size.
std::string canonical_predicate(const std::string& predicate) {
  if (predicate.size() <= Statement::k_max_size && predicate.starts_with('{') &&
      is_canonical_json(predicate)) {
    return predicate;
  }
  const json claim = parse_json(predicate, "the predicate", Statement::k_max_size);
  if (!claim.is_object()) {
    throw Error(Errc::bad_input, "the predicate is no JSON object, which it must be");
  }
  refuse_lost_digits(claim, DocumentNode(claim, "the predicate"));
  return dump(claim);
}

}  // namespace

Statement Statement::parse(std::string_view text, std::string_view what) {
  return read_statement(parse_json(text, what, k_max_size), what);
}

std::string Statement::str() const {
  json list = json::array();
  for (const Subject& subject : subjects)
    list.push_back(write_subject(subject));
  // What is around the predicate is checked with an empty one in its place.
  const json frame = {{"_type", k_type},
                      {"predicate", json::object()},
                      {"predicateType", predicate_type},
                      {"subject", list}};
  read_statement(frame, "the statement");
  std::string text =
      fmt::format(R"({{"_type":{},"predicate":{},"predicateType":{},"subject":{}}})",
                  dump(frame["_type"]), canonical_predicate(predicate),
                  dump(frame["predicateType"]), dump(frame["subject"]));
  if (text.size() > k_max_size) {
    throw Error(Errc::bad_input,
                fmt::format("the statement has {} bytes, more than the {} allowed",
                            text.size(), k_max_size));
  }
  return text;
}

const Subject* Statement::find_subject(const Digest& manifest) const {
  for (const Subject& subject : subjects) {
    const auto digest = subject.digests.find("sha256");
    if (digest != subject.digests.end() && digest->second == manifest.hex()) {
      return &subject;
    }
  }
  return nullptr;
}

}  // namespace oci
