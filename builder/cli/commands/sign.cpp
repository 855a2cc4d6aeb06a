// lithify sign and attest: names under images, and claims about them.
#include <filesystem>

#include <fmt/format.h>

#include "oci/base/fd.h"
#include "oci/base/reference.h"
#include "oci/sign/attach.h"
#include "oci/sign/key_reference.h"
#include "oci/sign/predicate_names.h"

#include "builder/cli/attached_place.h"
#include "builder/cli/commands/commands.h"
#include "builder/cli/signing_key.h"
#include "builder/tell/text.h"

namespace lithify {

namespace {

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

// What others type to see the same. The public key stands where `key` would have put it.
std::string verify_line(const std::string& key, const AttachedPlace& place) {
  std::filesystem::path file = std::filesystem::path(key).replace_extension(".pub");
  std::error_code problem;
  if (!oci::is_key_file(key) || !std::filesystem::exists(file, problem)) file = "KEY.pub";
  if (place.is_layout) {
    const std::string image = place.image.substr(0, place.image.rfind(' '));
    return fmt::format("lithify verify --key {} {}", visible(file.string()),
                       visible(image));
  }
  return fmt::format("cosign verify --key {} --insecure-ignore-tlog=true {}",
                     visible(file.string()), place.image);
}

// The repository, and the tag if the image is signed by one.
std::string signed_name(const oci::Reference& reference) {
  return reference.name() + (reference.tag.empty() ? "" : ":" + reference.tag);
}

}  // namespace

int run_sign(Session& session) {
  const std::string& key = the_key(session);
  AttachedPlace place = open_attached(session, oci::Access::push);
  const auto signer = open_signer(session, key);
  const std::string name = place.reference ? signed_name(*place.reference) : "";
  std::string told;
  for (const oci::Descriptor& document :
       oci::signed_documents(*place.images, place.root)) {
    const oci::Attached attached = oci::attach_signature(
        *place.images, *signer, {document, name, annotations_of(session.options())});
    const bool fresh = attached.classic || attached.bundle;
    told += fmt::format("{}  {}\n", document.digest.str(),
                        fresh ? "signed" : "was signed already");
  }
  session.end_progress();
  session.tell(told);
  const std::string caution = signer->public_key().caution();
  if (!caution.empty()) session.tell("warning: " + caution + "\n");
  if (name.empty()) {
    session.tell(
        "cosign 2, podman and skopeo will not find it: their form binds a name; give it "
        "with `--as HOST/PATH:TAG`\n");
  }
  session.tell("check it with: " + verify_line(key, place) + "\n");
  session.print(place.image + "\n");
  return exits::k_ok;
}

int run_attest(Session& session) {
  const Options& options = session.options();
  if (options.predicate_type.empty() || options.predicate_file.empty()) {
    throw oci::Error(oci::Errc::bad_input, "`attest` needs a type and a predicate")
        .add_hint(
            "as `lithify attest --key release.key --type openvex --predicate "
            "vex.json REF`");
  }
  const std::string& key = the_key(session);
  oci::Statement statement;
  statement.predicate_type = oci::predicate_type_named(options.predicate_type);
  statement.predicate =
      oci::read_file(options.predicate_file, oci::Statement::k_max_size);
  AttachedPlace place = open_attached(session, oci::Access::push);
  statement.subjects = {oci::Subject::of(place.root.digest)};
  const auto signer = open_signer(session, key);
  const bool fresh = oci::during([&] { return "attesting " + options.predicate_file; },
                                 [&] {
                                   return oci::attach_statement(*place.images, *signer,
                                                                place.root, statement);
                                 });
  session.tell(fmt::format("{}  {}\n", place.root.digest.str(),
                           fresh ? "attested" : "was attested already"));
  session.print(place.image + "\n");
  return exits::k_ok;
}

}  // namespace lithify
