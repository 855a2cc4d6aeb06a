#include "builder/cli/prepare.h"

#include <algorithm>
#include <thread>

#include <fmt/format.h>

#include "oci/base/fd.h"
#include "oci/layer/layer_writer.h"

#include "builder/cli/local_sources.h"
#include "builder/cli/outputs.h"
#include "builder/deliver/output.h"
#include "builder/plan/suggest.h"
#include "builder/resolve/base_image.h"
#include "builder/resolve/codes.h"
#include "builder/resolve/lower.h"
#include "builder/resolve/requests.h"
#include "builder/resolve/stale_lock.h"

namespace lithify {

namespace {

constexpr std::size_t k_most_told = 20;

// The recipe for all platforms of the build file and those asked for now, so that a build
// for one platform does not forget the others' part of the lock.
Recipe recipe_for_lock(Session& session, const Workspace& workspace) {
  std::vector<oci::Platform> platforms = wanted_platforms(session.options());
  if (platforms.empty()) return workspace.recipe;
  const Recipe whole = read_recipe(session, {});
  for (const ImageRecipe& image : whole.images) {
    for (const ImageVariant& variant : image.variants) {
      if (std::find(platforms.begin(), platforms.end(), variant.platform) ==
          platforms.end()) {
        platforms.push_back(variant.platform);
      }
    }
  }
  return read_recipe(session, platforms);
}

// With --locked the file stays as it is, and so the next build asks again.
void accept_repacked(Session& session, Prepared& prepared) {
  oci::Activity activity(session.progress(), "look for repacked archives");
  const Recipe& recipe = prepared.workspace.recipe;
  Lock lock = Resolver(session.world())
                  .accept_repacked(recipe, prepared.lock, activity, session.stop());
  activity.end(oci::Outcome::done);
  prepared.lock_is_new |= lock != prepared.lock && !session.options().locked;
  prepared.lock = std::move(lock);
}

// Where the build writes, absolute.
std::vector<std::filesystem::path> results_of(Session& session,
                                              const Workspace& workspace) {
  const Options& options = session.options();
  std::vector<std::filesystem::path> paths = {
      std::filesystem::absolute(workspace.lock_file), session.store_path()};
  for (const std::string& file :
       {options.metadata_file, options.digest_file, options.provenance}) {
    if (!file.empty()) paths.push_back(std::filesystem::absolute(file));
  }
  if (const Recorded* recorded = session.recorded())
    paths.insert(paths.end(), recorded->left_out.begin(), recorded->left_out.end());
  const auto add = [&](const Output& output) {
    const auto path = (workspace.recipe.directory / std::filesystem::path(output.path))
                          .lexically_normal();
    paths.push_back(path);
    if (output.kind == Output::Kind::rootfs) paths.push_back(rootfs_mark(path));
  };
  for (const ImageRecipe& image : workspace.recipe.images) {
    for (const ImageVariant& variant : image.variants)
      std::for_each(variant.outputs.begin(), variant.outputs.end(), add);
  }
  for (const std::string& output : options.outputs)
    add(parse_output(output));
  return paths;
}

void refuse_missing_sources(Session& session, const Recipe& recipe,
                            const std::vector<std::string>& images) {
  const auto missing = missing_sources(recipe, images);
  for (const oci::Error& error : missing)
    session.tell(error, Problem::Severity::error);
  if (!missing.empty()) throw Reported{exits::k_usage};
}

// A secret that is misspelt is missing when its step begins, perhaps much later.
void tell_unused_secrets(Session& session, const Graph& graph) {
  std::vector<std::string> used;
  for (const Step& step : graph.steps()) {
    const auto* run = std::get_if<Run>(&step.operation);
    if (run == nullptr) continue;
    for (const RunMount& mount : run->what.mounts) {
      if (mount.kind == RunMount::Kind::secret) used.push_back(mount.id);
    }
  }
  for (const SecretOption& given : session.options().secrets) {
    if (std::find(used.begin(), used.end(), given.id) != used.end()) continue;
    oci::Error warning(oci::Errc::bad_input,
                       fmt::format("no command uses the secret `{}`", given.id));
    const std::string meant = did_you_mean(given.id, used);
    if (!meant.empty()) warning.add_hint(meant);
    session.tell(warning, Problem::Severity::warning);
  }
}

oci::Error no_lock(const Workspace& workspace, const std::string& why) {
  const bool needs_build = !unpinned(workspace.recipe, Lock{}).empty();
  return oci::Error(oci::Errc::stale,
                    fmt::format("there is no {} ({})", workspace.lock_file.string(), why))
      .number(code::k_stale_lock)
      .add_hint(fmt::format("run `{}` and commit {}",
                            as_typed(needs_build ? "build" : "lock", workspace.recipe),
                            needs_build ? "the lock that it writes" : "the result"));
}

// What was meant by an operand that cannot be an image's name: a step, an image that is
// there, a directory with a build file.
std::string meant_by(const std::string& operand, const Options& options) {
  if (options.rebuild_check)
    return fmt::format("a step is named so: `--rebuild-check={}`", operand);
  constexpr std::string_view k_one_there = "an image that is there: `lithify ";
  if (options.command == "test")
    return fmt::format("{}test --structure FILE {}`", k_one_there, operand);
  if (options.command == "push")
    return fmt::format("{}copy {} REGISTRY/NAME`", k_one_there, operand);
  return fmt::format("`lithify -C {} {}` takes the build file that is there", operand,
                     options.command);
}

void check_name(const std::string& operand, const Options& options) {
  if (operand.find('/') == std::string::npos && operand != "." && operand != "..") return;
  throw oci::Error(oci::Errc::bad_input, fmt::format("`{}` is no image's name", operand))
      .add_hint(meant_by(operand, options));
}

}  // namespace

Lock resolve_lock(Session& session, const Workspace& workspace, const Update& update) {
  const Recipe recipe = recipe_for_lock(session, workspace);
  oci::Activity activity(session.progress(), "resolve");
  Resolver resolver(session.world());
  Lock lock = resolver.resolve(recipe, workspace.lock.value_or(Lock{}), update, activity,
                               session.stop());
  activity.end(oci::Outcome::done);
  return lock;
}

void refuse_stale(Session& session, const Workspace& workspace,
                  const std::vector<oci::Error>& unmet, const std::string& why) {
  if (!workspace.lock) throw no_lock(workspace, why);
  for (std::size_t i = 0; i < unmet.size() && i < k_most_told; ++i) {
    session.tell(unmet[i], Problem::Severity::error);
  }
  if (unmet.size() > 1) {
    session.tell(fmt::format("{} requests are not in the lock\n", unmet.size()));
  }
  throw Reported{exits::k_stale_lock};
}

void tell_unused(Session& session, const Workspace& workspace) {
  const auto left = unused(workspace.recipe, *workspace.lock);
  if (left.empty()) return;
  oci::Error warning(oci::Errc::stale,
                     fmt::format("nothing asks for {} of the entries of {}", left.size(),
                                 workspace.lock_file.string()));
  for (std::size_t i = 0; i < left.size() && i < k_most_told; ++i)
    warning.add_note(left[i]);
  warning.add_hint("`lithify lock --update` moves forward and drops them");
  session.tell(warning, Problem::Severity::warning);
}

void check_encoders(const Recipe& recipe, const Workspace& workspace, const Lock& lock) {
  for (const std::string& name : requests_of(recipe).encoders) {
    const auto locked = lock.encoders.find(name);
    const std::string ours = oci::encoder_identity(
        name == "gzip" ? oci::Compression::gzip : oci::Compression::zstd);
    if (locked == lock.encoders.end() || locked->second == ours) continue;
    throw oci::Error(oci::Errc::bad_input,
                     fmt::format("the encoder differs: {} says {}, this lithify has {}",
                                 workspace.lock_file.string(), locked->second, ours))
        .number(code::k_other_encoder)
        .add_note("diff ids would stay equal, digests of layers and images would not")
        .add_hint(
            "run the lithify that wrote the lock, or move on with `lithify lock "
            "--update encoder`");
  }
}

void write_lock(const Workspace& workspace, const Lock& lock) {
  oci::during([&] { return "writing " + workspace.lock_file.string(); },
              [&] { oci::write_file_atomically(workspace.lock_file, lock.str()); });
}

Prepared prepare(Session& session, const std::vector<std::string>& images) {
  for (const std::string& image : images)
    check_name(image, session.options());
  // Which encoder this is takes as long to find out as all the rest of this.
  const std::jthread early([] { (void)oci::encoder_identity(oci::Compression::zstd); });
  Prepared prepared;
  Workspace& workspace = prepared.workspace;
  workspace = open_workspace(session);
  if (const Recorded* recorded = session.recorded())
    put_in_place(workspace.recipe, recorded->places, recorded->confined_to);
  refuse_missing_sources(session, workspace.recipe, images);
  leave_out(workspace.recipe, results_of(session, workspace));
  const Lock locked = workspace.lock.value_or(Lock{});
  auto missing = unmet(workspace.recipe, locked);
  if (session.options().locked) {
    const auto unknown = unpinned(workspace.recipe, locked);
    missing.insert(missing.end(), unknown.begin(), unknown.end());
  }
  const bool stale = !missing.empty() || !workspace.lock;
  if (stale && session.options().locked) {
    refuse_stale(session, workspace, missing, "running with --locked");
  }
  if (stale) {
    prepared.lock = resolve_lock(session, workspace, {});
    prepared.lock_is_new = true;
  } else {
    prepared.lock = *workspace.lock;
    tell_unused(session, workspace);
  }
  if (session.options().allow_repacked) accept_repacked(session, prepared);
  prepared.epoch =
      epoch_of(workspace.recipe.epoch, workspace.recipe.directory, session.environment());
  prepared.plan = lower(workspace.recipe, prepared.lock,
                        base_manifests(workspace.recipe, prepared.lock, session.world()),
                        {images, prepared.epoch.seconds});
  tell_unused_secrets(session, prepared.plan.graph);
  const Recorded* recorded = session.recorded();
  if (recorded == nullptr || !recorded->any_encoder)
    check_encoders(workspace.recipe, workspace, prepared.lock);
  return prepared;
}

}  // namespace lithify
