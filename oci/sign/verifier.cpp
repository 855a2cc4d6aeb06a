// verifier: the checks of each form, in an order that never trusts before it verifies.
#include "oci/sign/verifier.h"

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/registry/server_error.h"
#include "oci/sign/key_rule.h"
#include "oci/sign/simple_signing.h"
#include "oci/sign/strict_base64.h"

namespace oci {

namespace {

void pass(ObjectReport& report, std::string name, std::string evidence) {
  report.checks.push_back({std::move(name), true, std::move(evidence)});
}

void fail(ObjectReport& report, std::string name, std::string_view evidence) {
  report.checks.push_back({std::move(name), false, harmless(evidence)});
}

bool check(ObjectReport& report, std::string name, bool passed, std::string evidence) {
  report.checks.push_back({std::move(name), passed, harmless(evidence)});
  return passed;
}

// Runs `read`; a text that cannot be read fails the check "form".
template <class Read>
auto read_form(ObjectReport& report, std::string_view what, Read read)
    -> std::optional<decltype(read())> {
  try {
    auto value = read();
    pass(report, "form", fmt::format("a well-formed {}", what));
    return value;
  } catch (const Error& e) {
    if (e.code() != Errc::bad_input) throw;
    fail(report, "form", e.what());
    return std::nullopt;
  }
}

bool is_key_signed(ObjectReport& report, const Bundle& bundle) {
  const auto* hint = std::get_if<KeyHint>(&bundle.key);
  return check(report, "key material", hint != nullptr,
               hint != nullptr ? fmt::format("the hint {}", hint->hint)
                               : "a certificate, of which no authority is trusted");
}

}  // namespace

Verifier::Verifier(KeyRule rule, Expectation expected)
    : rule_(std::move(rule)), expected_(std::move(expected)) {
  require_sound(rule_);
}

void Verifier::offer_classic(std::string name, std::string_view payload,
                             std::string_view signature) {
  ObjectReport report{harmless(name), "classic", {}, {}};
  check_classic(report, payload, signature);
  objects_.push_back(std::move(report));
}

void Verifier::offer_envelope(std::string name, std::string_view text) {
  ObjectReport report{harmless(name), "envelope", {}, {}};
  const auto envelope = read_form(report, "DSSE envelope",
                                  [&] { return Envelope::parse(text, "envelope"); });
  if (envelope) check_envelope(report, *envelope);
  objects_.push_back(std::move(report));
}

void Verifier::offer_bundle(std::string name, std::string_view text) {
  ObjectReport report{harmless(name), "bundle", {}, {}};
  const auto bundle =
      read_form(report, "Sigstore bundle", [&] { return Bundle::parse(text, "bundle"); });
  if (bundle && check_key_material(report, *bundle)) {
    check_envelope(report, *bundle->envelope());
  }
  objects_.push_back(std::move(report));
}

VerifyReport Verifier::finish() && {
  return judge(rule_, std::move(objects_));
}

void Verifier::check_classic(ObjectReport& report, std::string_view payload,
                             std::string_view signature) const {
  if (!check_predicate(report, predicate::k_image_signature)) return;
  const auto bytes = strict_base64_decode(signature);
  if (!bytes) return fail(report, "signature", "it is not base64");
  if (!check_signature(report, rule_, payload, *bytes)) return;
  const auto signing = read_form(report, "classic payload", [&] {
    return SimpleSigning::parse(payload, "payload");
  });
  if (!signing) return;
  if (!check(report, "subject", signing->manifest == expected_.manifest,
             "it is about " + signing->manifest.str())) {
    return;
  }
  if (!check_annotations(report, signing->annotations)) return;
  if (!expected_.reference) {
    return pass(report, "reference",
                "it says " + harmless(signing->reference) + ", no name was asked for");
  }
  check(report, "reference", signing->is_about(*expected_.reference),
        "it says " + signing->reference);
}

bool Verifier::check_predicate(ObjectReport& report, std::string_view found) const {
  const bool passed = found == expected_.predicate_type;
  return check(report, "predicate type", passed,
               passed ? std::string(found)
                      : fmt::format("{}, not {}", found, expected_.predicate_type));
}

bool Verifier::check_key_material(ObjectReport& report, const Bundle& bundle) const {
  return check(report, "version", bundle.version == BundleVersion::v0_3,
               bundle.version == BundleVersion::v0_3
                   ? "v0.3"
                   : "older than v0.3: no verifier of images reads it") &&
         is_key_signed(report, bundle) &&
         check(report, "content", bundle.envelope() != nullptr,
               bundle.envelope() != nullptr ? "a DSSE envelope"
                                            : "the signature of a file, not of an image");
}

void Verifier::check_envelope(ObjectReport& report, const Envelope& envelope) const {
  if (!check(report, "payload type", envelope.payload_type == k_in_toto_type,
             envelope.payload_type)) {
    return;
  }
  // Each is tried with each key: `keyid` is a stranger's word.
  const std::string signed_bytes = envelope.signed_bytes();
  bool found = false;
  for (const EnvelopeSignature& signature : envelope.signatures) {
    ObjectReport one;
    if (!check_signature(one, rule_, signed_bytes, signature.bytes)) continue;
    report.keys.insert(report.keys.end(), one.keys.begin(), one.keys.end());
    report.checks.push_back(one.checks.front());
    found = true;
  }
  if (!found) return fail(report, "signature", "none of the trusted keys made it");
  check_statement(report, envelope);
}

void Verifier::check_statement(ObjectReport& report, const Envelope& envelope) const {
  const auto statement = read_form(report, "in-toto statement", [&] {
    return Statement::parse(envelope.payload, "statement");
  });
  if (!statement) return;
  const Subject* subject = statement->find_subject(expected_.manifest);
  if (!check(report, "subject", subject != nullptr,
             subject != nullptr ? "it is about " + expected_.manifest.str()
                                : "it is not about " + expected_.manifest.str())) {
    return;
  }
  if (!check_predicate(report, statement->predicate_type)) return;
  if (!check_annotations(report, subject->annotations)) return;
  if (expected_.must_name) {
    fail(report, "reference", "this form binds no name, and one is demanded");
  }
}

bool Verifier::check_annotations(ObjectReport& report,
                                 const std::map<std::string, std::string>& found) const {
  if (expected_.annotations.empty()) return true;
  std::string evidence;
  for (const auto& [key, value] : expected_.annotations) {
    const auto annotation = found.find(key);
    if (annotation == found.end()) {
      fail(report, "annotations", fmt::format("{} is not there", key));
      return false;
    }
    if (annotation->second != value) {
      fail(report, "annotations",
           fmt::format("{} is {}, {} is wanted", key, annotation->second, value));
      return false;
    }
    evidence += fmt::format("{}{}={}", evidence.empty() ? "" : ", ", key, value);
  }
  pass(report, "annotations", harmless(evidence));
  return true;
}

VerifyReport verify_message(const KeyRule& rule, Bytes message, std::string_view text) {
  require_sound(rule);
  ObjectReport report{"bundle", "bundle", {}, {}};
  const auto bundle =
      read_form(report, "Sigstore bundle", [&] { return Bundle::parse(text, "bundle"); });
  const auto* content =
      bundle ? std::get_if<MessageSignature>(&bundle->content) : nullptr;
  if (bundle && is_key_signed(report, *bundle) &&
      check(report, "content", content != nullptr,
            content != nullptr ? "the signature of a file" : "no signature of a file")) {
    const Digest digest = Digest::of(message);
    const std::string_view raw(reinterpret_cast<const char*>(digest.raw().data()),
                               digest.raw().size());
    if (content->algorithm != "SHA2_256" ||
        check(report, "digest", content->digest == raw, digest.str())) {
      check_signature(report, rule,
                      {reinterpret_cast<const char*>(message.data()), message.size()},
                      content->signature);
    }
  }
  std::vector<ObjectReport> objects;
  objects.push_back(std::move(report));
  return judge(rule, std::move(objects));
}

}  // namespace oci
