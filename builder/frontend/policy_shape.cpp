#include "builder/frontend/policy_shape.h"

namespace lithify {

namespace {

using Form = Shape::Form;

// Nothing is expanded in a policy: what it demands must not depend on arguments.
const Shape& word() {
  static const Shape k_word = {.type = Type::some_text, .literal = true};
  return k_word;
}

const Shape& words() {
  static const Shape k_words = {
      .form = Form::list, .item = &word(), .some = true, .one_is_list = true};
  return k_words;
}

const Shape& annotations() {
  static const Shape k_text = {.type = Type::text, .literal = true};
  static const Shape k_annotations = {
      .form = Form::map, .type = Type::some_text, .item = &k_text};
  return k_annotations;
}

const Shape& threshold() {
  static const Shape k_threshold = {
      .type = Type::integer, .min = 1, .max = 64, .literal = true};
  return k_threshold;
}

const Shape& demand() {
  static const Shape k_demand = {
      .form = Form::variants,
      .noun = "demand",
      .fields = {{"type", &word(),
                  "`signature`, or the type of an attestation: a URI, or one of spdx, "
                  "cyclonedx, openvex, provenance and test-result.",
                  "signature"},
                 {"annotations", &annotations(), "What must be signed with it."}},
      .variants = {
          {{"any-of", &words(), "Names of keys, one of which must have signed."}, {}},
          {{"all-of", &words(), "Names of keys, all of which must have signed."}, {}},
          {{"some-of", &words(), "Names of keys, `threshold` of which must have signed."},
           {{"threshold", &threshold(), "How many.", "", true}}},
      }};
  return k_demand;
}

const Shape& rule() {
  static const Shape k_patterns = {
      .form = Form::list, .item = &word(), .some = true, .one_is_list = true};
  static const Shape k_demands = {.form = Form::list, .item = &demand(), .some = true};
  static const Shape k_rule = {
      .form = Form::record,
      .fields = {
          {"repositories", &k_patterns,
           "Patterns over `host/path`; the first rule counts.", "", true},
          {"identity", &word(),
           "The name that signatures must bind: `same`, `any`, or a repository.", "same"},
          {"require", &k_demands, "What must be signed, and by whom; all of it.", "",
           true},
      }};
  return k_rule;
}

}  // namespace

const Shape& policy_shape() {
  static const Shape k_version = {
      .type = Type::integer, .min = 1, .max = 1, .literal = true};
  static const Shape k_keys = {
      .form = Form::map, .type = Type::identifier, .item = &word(), .some = true};
  static const Shape k_rules = {.form = Form::list, .item = &rule(), .some = true};
  static const Shape k_policy = {
      .form = Form::record,
      .fields = {
          {"lithify-policy", &k_version, "The version of the format: 1.", "", true},
          {"keys", &k_keys, "Public keys by name: a file, env://VARIABLE or the like.",
           "", true},
          {"rules", &k_rules, "What is demanded of which repositories.", "", true},
      }};
  return k_policy;
}

const Shape& verification_shape() {
  static const Shape k_text = {.type = Type::some_text};
  static const Shape k_keys = {
      .form = Form::list, .item = &k_text, .some = true, .one_is_list = true};
  static const Shape k_verification = {
      .form = Form::variants,
      .noun = "verification",
      .variants = {
          {{"key", &k_keys, "Public keys that may have signed the image."},
           {{"threshold", &threshold(), "How many of the keys must have signed.", "1"},
            {"annotations", &annotations(), "What must be signed with it."}}},
          {{"policy", &k_text, "A policy file, relative to the build file."}, {}},
      }};
  return k_verification;
}

}  // namespace lithify
