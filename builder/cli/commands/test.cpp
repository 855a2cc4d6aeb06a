// lithify test: what the build file says of its images, or a file of tests of any image.
#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/image/manifest.h"

#include "builder/cli/commands/build_for.h"
#include "builder/cli/commands/commands.h"
#include "builder/cli/one_platform.h"
#include "builder/cli/testing.h"
#include "builder/cli/workspace.h"
#include "builder/frontend/problems.h"
#include "builder/frontend/read_tests.h"
#include "builder/tell/text.h"

namespace lithify {

namespace {

constexpr std::uint64_t k_max_tests = 1 << 20;  // a file of tests

std::vector<TestRecipe> read_files(Session& session) {
  std::vector<TestRecipe> tests;
  Problems problems;
  for (const std::string& file : session.options().structure) {
    const std::string text =
        oci::during([&] { return "reading the tests"; },
                    [&] { return oci::read_file(file, k_max_tests); });
    session.texts().add(file, text);
    for (TestRecipe& test : read_structure_test(file, text, problems))
      tests.push_back(std::move(test));
  }
  const bool wrong = problems.any_error();
  tell_problems(session, std::move(problems).take());
  if (wrong) throw Reported{exits::k_usage};
  return tests;
}

// Puts one image into the store, its layers included: a manifest that the store has may
// be that of a base whose layers nobody needed yet.
void bring(Session& session, const FoundImage& found, const oci::Descriptor& which) {
  oci::Activity activity(session.progress(), "read " + which.digest.brief());
  const std::string text = found.images->manifest(which);
  const auto manifest = oci::Manifest::parse(text, which.digest.str());
  std::vector<oci::Descriptor> blobs = manifest.layers;
  blobs.push_back(manifest.config);
  for (const oci::Descriptor& blob : blobs) {
    if (session.stop().stop_requested()) throw oci::Cancelled();
    if (session.store().has(blob.digest)) continue;
    const auto from = oci::verified(found.images->open({blob.digest, blob.size}),
                                    blob.digest, blob.size, blob.digest.str());
    oci::put(session.store(), *from);
  }
  session.images().put_manifest(which, oci::as_bytes(text));
  activity.end(oci::Outcome::done);
}

int test_what_is_there(Session& session) {
  const auto& operands = session.options().operands;
  if (operands.size() != 1)
    throw oci::Error(oci::Errc::bad_input, "--structure tests one image")
        .add_hint("name a reference, a layout or an archive");
  VariantPlan plan;
  plan.tests = read_files(session);
  const ImagePlace place = parse_place(session, operands.front());
  const FoundImage found = find_image(session, place);
  const oci::Descriptor manifest = manifest_for(found, one_platform(session, "a test"));
  bring(session, found, manifest);
  plan.platform = config_of(session.images(), manifest).platform;
  TestedImage image{visible(operands.front()), manifest, plan.platform, false, {}};
  plan.base = BaseImage{"image:" + image.name, manifest};
  const Prepared prepared;
  test_image({session, prepared, {}}, plan, image);
  const std::vector<TestedImage> images = {std::move(image)};
  tell_tests(session, images);
  return report_tests(session, images);
}

}  // namespace

int run_test(Session& session) {
  return session.options().structure.empty() ? test_what_is_built(session)
                                             : test_what_is_there(session);
}

}  // namespace lithify
