// lithify sign, attest and verify: names under images, claims about them, and whether to
// believe either.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/fd.h"
#include "oci/base/json.h"
#include "oci/base/reference.h"
#include "oci/sign/attach.h"
#include "oci/sign/key_reference.h"

#include "builder/cli/commands/commands.h"
#include "builder/cli/image_place.h"
#include "builder/cli/signing_key.h"
#include "builder/cli/text.h"

namespace lithify {

namespace {

oci::Reference reference_of(const Session& session) {
  const Options& options = session.options();
  if (options.operands.empty()) {
    throw oci::Error(oci::Errc::bad_input,
                     fmt::format("`{}` needs the reference of an image", options.command))
        .add_hint(fmt::format("as `lithify {} --key … ghcr.io/acme/hello:1.4.2`",
                              options.command));
  }
  return parse_reference(options.operands.front());
}

struct TypeName {
  std::string_view name;
  std::string_view type;
};
constexpr TypeName k_types[] = {{"spdx", oci::predicate::k_spdx},
                                {"cyclonedx", oci::predicate::k_cyclonedx},
                                {"openvex", oci::predicate::k_openvex},
                                {"provenance", oci::predicate::k_provenance},
                                {"test-result", oci::predicate::k_test_result}};

std::string predicate_type_of(const std::string& text) {
  for (const TypeName& known : k_types) {
    if (known.name == text) return std::string(known.type);
  }
  if (text.find(':') != std::string::npos) return text;
  throw oci::Error(oci::Errc::bad_input, fmt::format("`{}` is no predicate type", text))
      .add_hint(
          "it is a URI, or one of spdx, cyclonedx, openvex, provenance and "
          "test-result");
}

const std::string& the_key(const Session& session) {
  const Options& options = session.options();
  if (options.keys.size() == 1) return options.keys.front();
  throw oci::Error(oci::Errc::bad_input,
                   fmt::format("`{}` needs one key", options.command))
      .add_hint("give `--key FILE`; `lithify key generate` makes one");
}

std::map<std::string, std::string> annotations_of(const Options& options) {
  return {options.annotations.begin(), options.annotations.end()};
}

oci::KeyRule rule_of(const Session& session) {
  const Options& options = session.options();
  if (options.keys.empty()) {
    throw oci::Error(oci::Errc::bad_input, "`verify` needs a key")
        .add_hint("give the public key of whoever you trust: `--key FILE`");
  }
  oci::KeyRule rule;
  for (const std::string& key : options.keys) {
    rule.keys.push_back(
        {key, oci::read_public_key(key, session.environment(), session.stop())});
  }
  rule.needed = options.threshold;
  return rule;
}

std::string report_text(const oci::VerifyReport& report) {
  std::string text;
  for (const oci::ObjectReport& object : report.objects) {
    text += fmt::format("{}  {}\n", object.form, visible(object.name));
    for (const oci::VerifyCheck& check : object.checks) {
      text += fmt::format("  {} {}: {}\n", check.passed ? "✓" : "✗", check.name,
                          visible(check.evidence));
    }
  }
  for (const oci::VerifyCheck& check : report.rule) {
    text += fmt::format("{} {}: {}\n", check.passed ? "✓" : "✗", check.name,
                        visible(check.evidence));
  }
  return text;
}

}  // namespace

int run_sign(Session& session) {
  const oci::Reference reference = reference_of(session);
  const std::string& key = the_key(session);
  const auto client = session.registries().open(reference.name(), oci::Access::push);
  const oci::Descriptor root = root_at(*client, reference);
  const auto signer = open_signer(session, key);
  const std::string name =
      reference.name() + (reference.tag.empty() ? "" : ":" + reference.tag);
  std::string told;
  for (const oci::Descriptor& document : oci::signed_documents(*client, root)) {
    const oci::Attached attached = oci::attach_signature(
        *client, *signer, {document, name, annotations_of(session.options())});
    const bool fresh = attached.classic || attached.bundle;
    told += fmt::format("{}  {}\n", document.digest.str(),
                        fresh ? "signed" : "was signed already");
  }
  session.end_progress();
  session.tell(told);
  const std::string caution = signer->public_key().caution();
  if (!caution.empty()) session.tell("warning: " + caution + "\n");
  const std::string image = reference.name() + "@" + root.digest.str();
  session.tell("check it with: " + verify_line(key, image) + "\n");
  session.print(image + "\n");
  return exits::k_ok;
}

int run_attest(Session& session) {
  const oci::Reference reference = reference_of(session);
  const Options& options = session.options();
  if (options.predicate_type.empty() || options.predicate_file.empty()) {
    throw oci::Error(oci::Errc::bad_input, "`attest` needs a type and a predicate")
        .add_hint(
            "as `lithify attest --key release.key --type openvex --predicate "
            "vex.json REF`");
  }
  const std::string& key = the_key(session);
  oci::Statement statement;
  statement.predicate_type = predicate_type_of(options.predicate_type);
  statement.predicate =
      oci::read_file(options.predicate_file, oci::Statement::k_max_size);
  const auto client = session.registries().open(reference.name(), oci::Access::push);
  const oci::Descriptor root = root_at(*client, reference);
  statement.subjects = {oci::Subject::of(root.digest)};
  const auto signer = open_signer(session, key);
  const bool fresh = oci::during(
      [&] { return "attesting " + options.predicate_file; },
      [&] { return oci::attach_statement(*client, *signer, root, statement); });
  session.tell(fmt::format("{}  {}\n", root.digest.str(),
                           fresh ? "attested" : "was attested already"));
  session.print(reference.name() + "@" + root.digest.str() + "\n");
  return exits::k_ok;
}

int run_verify(Session& session) {
  const oci::Reference reference = reference_of(session);
  const Options& options = session.options();
  const oci::KeyRule rule = rule_of(session);
  const auto client = session.registries().open(reference.name(), oci::Access::pull);
  const oci::Descriptor root = root_at(*client, reference);
  oci::Expectation expected{root.digest};
  if (!options.predicate_type.empty()) {
    expected.predicate_type = predicate_type_of(options.predicate_type);
  }
  expected.reference = reference;
  expected.annotations = annotations_of(options);
  oci::Verifier verifier(rule, expected);
  std::vector<std::string> unread;
  oci::offer_attached(*client, root.digest, verifier, unread);
  const oci::VerifyReport report = std::move(verifier).finish();
  session.end_progress();
  if (options.json) {
    session.print(report.json() + "\n");
  } else {
    session.print(report_text(report));
  }
  for (const std::string& line : unread)
    session.tell("not read: " + visible(line) + "\n");
  if (report.accepted) return exits::k_ok;
  throw report.rejection();
}

}  // namespace lithify
