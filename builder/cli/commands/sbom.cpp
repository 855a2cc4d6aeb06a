// lithify sbom: what is in an image: as attached to it, or as a build makes it.
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/image/manifest.h"
#include "oci/sign/attach.h"

#include "builder/cli/commands/build_for.h"
#include "builder/cli/commands/commands.h"
#include "builder/cli/image_place.h"
#include "builder/cli/image_sbom.h"
#include "builder/cli/one_platform.h"
#include "builder/cli/workspace.h"
#include "builder/tell/text.h"

namespace lithify {

namespace {

// Standard output as a sink.
class Printing final : public oci::Sink {
 public:
  explicit Printing(Session& session) : session_(session) {}
  void write(oci::Bytes data) override {
    session_.print({reinterpret_cast<const char*>(data.data()), data.size()});
  }

 private:
  Session& session_;
};

SbomForm wanted_form(const Session& session) {
  const std::string& format = session.options().format;
  return format.empty() ? SbomForm::spdx : parse_sbom_form(format);
}

std::string_view predicate_type(SbomForm form) {
  return form == SbomForm::spdx ? oci::predicate::k_spdx : oci::predicate::k_cyclonedx;
}

// The variant that --platform asks for, the only one, or the one for this machine.
std::size_t variant_in(const Session& session, const PackedImage& image) {
  if (image.variants.size() == 1) return 0;
  const oci::Platform wanted = one_platform(session, "an SBOM");
  std::vector<std::string> offered;
  for (std::size_t i = 0; i < image.variants.size(); ++i) {
    if (image.variants[i].platform == wanted) return i;
    offered.push_back(image.variants[i].platform.str());
  }
  throw no_platform(wanted, offered);
}

void print_made(const BuildFacts& facts, std::size_t image, const PackedImage& packed) {
  const std::size_t variant = variant_in(facts.session, packed);
  Printing out(facts.session);
  write_sbom(facts,
             {facts.prepared.plan.images.at(image), packed,
              packed.variants[variant].manifest, variant},
             wanted_form(facts.session), out);
  facts.session.end_progress();
  facts.session.print("\n");
}

void print_of_build(Session& session) {
  build_for(session, session.options().operands,
            [&](const BuildFacts& facts, const std::vector<PackedImage>& images) {
              if (images.size() == 1) return print_made(facts, 0, images.front());
              std::vector<std::string> names;
              for (const PackedImage& image : images)
                names.push_back(image.name);
              throw oci::Error(oci::Errc::bad_input,
                               "the build file makes several images, and an SBOM is "
                               "about one")
                  .add_hint(fmt::format("name one of {}", fmt::join(names, ", ")));
            });
}

// What somebody has attached; false if nobody has.
bool print_attached(Session& session, const FoundImage& found, const ImagePlace& place,
                    const oci::Digest& manifest) {
  if (found.referring == nullptr) return false;
  const SbomForm form = wanted_form(session);
  const auto statement =
      oci::find_statement(*found.referring, manifest, predicate_type(form));
  if (!statement) return false;
  session.end_progress();
  if (session.wants_summary()) {
    const std::string image = place.kind == ImagePlace::Kind::registry
                                  ? place.reference->name() + "@" + manifest.str()
                                  : place.str();
    session.tell(fmt::format(
        "nobody's signature was checked: `lithify verify --key KEY --type {} {}`\n",
        form == SbomForm::spdx ? "spdx" : "cyclonedx", visible(image)));
  }
  session.print(statement->predicate + "\n");
  return true;
}

// Of an image that was built here before: the build file makes it again, mostly from the
// store, and says what is in it; false if it makes another.
bool print_made_again(Session& session, const oci::Digest& manifest) {
  std::error_code problem;
  if (!std::filesystem::exists(session.options().file, problem)) return false;
  bool done = false;
  const auto look = [&](const BuildFacts& facts, const std::vector<PackedImage>& images) {
    for (std::size_t i = 0; i < images.size(); ++i) {
      for (const ClaimSubject& subject :
           claim_subjects(facts.prepared.plan.images.at(i), images[i])) {
        if (done || subject.is_index() || subject.manifest.digest != manifest) continue;
        Printing out(session);
        write_sbom(facts, subject, wanted_form(session), out);
        done = true;
      }
    }
  };
  build_for(session, {}, look);
  session.end_progress();
  if (done) session.print("\n");
  return done;
}

void print_of_place(Session& session, const ImagePlace& place) {
  const FoundImage found = find_image(session, place);
  const oci::Digest manifest =
      manifest_for(found, one_platform(session, "an SBOM")).digest;
  if (print_attached(session, found, place, manifest)) return;
  const bool remote = place.kind == ImagePlace::Kind::registry;
  if (!remote && print_made_again(session, manifest)) return;
  session.end_progress();
  oci::Error error(
      oci::Errc::not_found,
      fmt::format("no SBOM of this form is attached to {}", visible(place.str())));
  error.add_note("looked for a statement of the type " +
                 std::string(predicate_type(wanted_form(session))) + " about " +
                 manifest.str());
  if (!remote) error.add_note("and no build file here makes that image");
  throw error.add_hint(
      "push the image with `sign: {key: …, attest: [sbom-spdx]}`, or run `lithify sbom` "
      "where its build file is");
}

}  // namespace

int run_sbom(Session& session) {
  wanted_form(session);
  const auto& operands = session.options().operands;
  std::error_code problem;
  const bool named = !operands.empty() &&
                     operands.front().find_first_of("/:") == std::string::npos &&
                     !std::filesystem::exists(operands.front(), problem);
  if (operands.empty() || named) {
    print_of_build(session);
    return exits::k_ok;
  }
  print_of_place(session, parse_place(session, operands.front()));
  return exits::k_ok;
}

}  // namespace lithify
