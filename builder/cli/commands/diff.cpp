// lithify diff: what two images do not have in common, and why.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/error.h"

#include "builder/cli/commands/commands.h"
#include "builder/cli/image_place.h"
#include "builder/cli/judged.h"
#include "builder/tell/text.h"

namespace lithify {

namespace {

void print(Session& session, const Judged& judged) {
  if (session.options().json) {
    nlohmann::json document = judged_json(judged);
    document["schema"] = "lithify.diff/1";
    return session.print(
        document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  const auto& operands = session.options().operands;
  const oci::ImageComparison& comparison = judged.comparison;
  if (comparison.equal()) {
    return session.print(fmt::format("equal  {}\n", comparison.first.str()));
  }
  session.print(fmt::format("first   {}  {}\nsecond  {}  {}\n{}", visible(operands[0]),
                            comparison.first.str(), visible(operands[1]),
                            comparison.second.str(), judged_text(judged)));
}

Judged compared(Session& session, const FoundImage& first, const FoundImage& second) {
  oci::Activity activity(session.progress(), "compare");
  Judged judged = judge({*first.images, first.root}, {*second.images, second.root}, {},
                        session.stop());
  activity.end(oci::Outcome::done);
  return judged;
}

}  // namespace

int run_diff(Session& session) {
  const auto& operands = session.options().operands;
  if (operands.size() != 2) {
    throw oci::Error(oci::Errc::bad_input, "`lithify diff` takes two images")
        .add_hint(
            "write `lithify diff A B`; each is a layout, an archive, a name in the "
            "store or a reference");
  }
  const FoundImage first = find_image(session, parse_place(session, operands[0]));
  const FoundImage second = find_image(session, parse_place(session, operands[1]));
  const Judged judged = compared(session, first, second);
  session.end_progress();
  print(session, judged);
  return judged.comparison.equal() ? exits::k_ok : exits::k_mismatch;
}

}  // namespace lithify
