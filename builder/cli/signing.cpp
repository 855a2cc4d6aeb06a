#include "builder/cli/signing.h"

#include <filesystem>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/sign/attach.h"
#include "oci/sign/index_attestation.h"
#include "oci/sign/key_reference.h"

#include "builder/cli/signing_key.h"

namespace lithify {

namespace {

using Form = SignRule::Form;

// Only a file has a directory that it is relative to.
std::string key_in(const std::string& directory, const std::string& key) {
  if (!oci::has_key_text(key) || key.starts_with("env://")) return key;
  return (std::filesystem::path(directory) / key).lexically_normal().string();
}

oci::AttachedForm attached_form(Form form) {
  switch (form) {
    case Form::classic:
      return oci::AttachedForm::classic;
    case Form::bundle:
      return oci::AttachedForm::bundle;
    case Form::both:
      break;
  }
  return oci::AttachedForm::both;
}

// Each tag is a name that the classic signature binds.
std::vector<std::string> names_of(const Push& push) {
  std::vector<std::string> names;
  for (const PushTag& tag : push.tags)
    names.push_back(push.to.name() + ":" + tag.name);
  if (names.empty()) names.push_back(push.to.name());
  return names;
}

oci::Statement statement_of(const ClaimSubject& subject, Claim claim) {
  return {{oci::Subject::of(subject.manifest.digest)},
          std::move(claim.predicate_type),
          std::move(claim.predicate)};
}

std::size_t attach(oci::RegistryClient& to, oci::Signer& signer, const SignRule& rule,
                   const oci::Statement& statement, const oci::Descriptor& manifest) {
  std::size_t added = 0;
  if (rule.form != Form::classic)
    added += oci::attach_statement(to, signer, manifest, statement);
  if (rule.form == Form::classic || rule.mirror_att)
    added += oci::attach_classic_statement(to, signer, manifest, statement);
  return added;
}

}  // namespace

std::optional<SignRule> sign_rule(const ImagePlan& image, const Options& options,
                                  const std::string& directory) {
  if (options.no_sign && !options.keys.empty()) {
    throw oci::Error(oci::Errc::bad_input, "--no-sign and --key exclude each other");
  }
  if (options.no_sign) return std::nullopt;
  SignRule rule = image.sign.value_or(SignRule{});
  for (std::string& key : rule.keys) {
    try {
      oci::refuse_code(key);
    } catch (oci::Error& error) {
      error.at(rule.place);
      throw;
    }
    key = key_in(directory, key);
  }
  if (!options.keys.empty()) {
    rule.keys.clear();
    const std::string here = std::filesystem::current_path().string();
    for (const std::string& key : options.keys)
      rule.keys.push_back(key_in(here, key));
  }
  if (rule.keys.empty()) return std::nullopt;
  refuse_unmade_claims(rule);
  return rule;
}

std::vector<std::string> shown_keys(const SignRule& rule) {
  std::vector<std::string> shown;
  for (const std::string& key : rule.keys)
    shown.push_back(oci::without_pin(key));
  return shown;
}

PackedImage PushSigning::attested(const SignRule& rule, const ImagePlan& plan,
                                  const PackedImage& image) const {
  if (!rule.index_att || rule.attest.empty()) return image;
  std::vector<oci::IndexAttestation> all;
  for (std::size_t i = 0; i < image.variants.size(); ++i) {
    const ClaimSubject subject{plan, image, image.variants[i].manifest, i};
    oci::IndexAttestation one{subject.manifest, {}};
    one.manifest.platform = image.variants[i].platform;
    for (const SignRule::Claim kind : rule.attest) {
      for (Claim& claim : claims_about(facts_, subject, kind)) {
        if (facts_.session.stop().stop_requested()) throw oci::Cancelled();
        one.statements.push_back(statement_of(subject, std::move(claim)));
      }
    }
    all.push_back(std::move(one));
  }
  PackedImage with = image;
  with.root = oci::put_attested_index(facts_.session.contents(), image.root, all);
  return with;
}

void PushSigning::open(const SignRule& rule) {
  for (const std::string& key : rule.keys) {
    if (signers_.count(key) > 0) continue;
    try {
      signers_.emplace(key, open_signer(facts_.session, key));
    } catch (oci::Error& error) {
      if (!rule.place.file.empty()) error.at(rule.place);
      throw;
    }
  }
}

std::size_t PushSigning::attest(const SignRule& rule, const SentImage& sent) {
  std::size_t added = 0;
  for (const ClaimSubject& subject : claim_subjects(sent.plan, sent.image)) {
    for (const SignRule::Claim kind : rule.attest) {
      for (Claim& claim : claims_about(facts_, subject, kind)) {
        if (facts_.session.stop().stop_requested()) throw oci::Cancelled();
        const oci::Statement statement = statement_of(subject, std::move(claim));
        for (const std::string& key : rule.keys) {
          added +=
              attach(sent.push.to, *signers_.at(key), rule, statement, subject.manifest);
        }
      }
    }
  }
  return added;
}

SignedPush PushSigning::sign(const SignRule& rule, const SentImage& sent) {
  const Push& push = sent.push;
  oci::Activity activity(facts_.session.progress(), "sign in " + push.to.name());
  SignedPush done;
  done.keys = shown_keys(rule);
  for (const SignRule::Claim kind : rule.attest)
    done.claims.emplace_back(name_of(kind));
  done.added = attest(rule, sent);
  const std::vector<std::string> names = names_of(push);
  for (const oci::Descriptor& document : oci::signed_documents(push.from, push.root)) {
    ++done.documents;
    for (const std::string& key : rule.keys) {
      for (const std::string& name : names) {
        const oci::Attached attached = oci::attach_signature(
            push.to, *signers_.at(key), {document, name}, attached_form(rule.form));
        done.added += attached.classic + attached.bundle;
      }
    }
  }
  activity.end(oci::Outcome::done);
  return done;
}

}  // namespace lithify
