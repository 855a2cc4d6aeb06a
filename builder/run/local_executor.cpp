#include "builder/run/local_executor.h"

#include "oci/base/error.h"

#include "builder/run/edit.h"
#include "builder/run/recheck.h"

namespace lithify {

Tree LocalExecutor::execute(const Step& step, std::span<Tree> inputs,
                            oci::Activity& activity, std::stop_token stop) {
  if (const auto* fetch = std::get_if<Fetch>(&step.operation)) {
    const FetchTools tools{tools_.store, tools_.downloader, tools_.mirrors,
                           tools_.bring_blob};
    return perform_fetch(*fetch, tools, activity, std::move(stop));
  }
  if (const auto* import = std::get_if<Import>(&step.operation)) {
    const ImportTools tools{{tools_.stats, tools_.workers, activity, std::move(stop)},
                            tools_.store,
                            tools_.git_index,
                            tools_.now_ns()};
    return perform_import(*import, tools);
  }
  if (const auto* edit = std::get_if<Edit>(&step.operation)) {
    Tree tree =
        perform_edit(step, *edit, inputs, tools_.store, activity, std::move(stop));
    check_sound(tree.nodes());
    return tree;
  }
  const auto& run = std::get<Run>(step.operation);
  Rechecks* const rechecks = tools_.run.rechecks;
  Tree tree = rechecks != nullptr && rechecks->demand(step) != Rechecks::Demand::none
                  ? perform_checked(step, run, inputs, tools_.store, tools_.run,
                                    *rechecks, activity, std::move(stop))
                  : perform_run(step, run, inputs, tools_.store, tools_.run, activity,
                                std::move(stop));
  check_sound(tree.nodes());
  if (run.what.network == Network::pinned)
    hold_to_pin(step, tree, tools_.store, tools_.pins);
  return tree;
}

}  // namespace lithify
