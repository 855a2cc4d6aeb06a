#include "builder/cli/rebuild.h"

#include "oci/base/error.h"
#include "oci/image/manifest.h"
#include "oci/image/manifest_graph.h"

#include "builder/cli/base_layers.h"
#include "builder/cli/root_tree.h"
#include "builder/run/scheduler.h"

namespace lithify {

namespace {

Options with_store(Options options, const ScratchDirectory& scratch) {
  options.cache_dir = (scratch.path() / "store").string();
  options.cache_from.clear();
  options.cache_to.clear();
  options.locked = true;
  options.no_cache = false;
  options.allow_repacked = false;
  return options;
}

}  // namespace

std::filesystem::path scratch_parent(const Session& session) {
  if (const auto given = value_of(session.environment(), "TMPDIR"))
    return std::filesystem::absolute(*given);
  return session.store_path().parent_path();
}

Rebuild::Rebuild(Session& user, const ScratchDirectory& scratch, Options options,
                 Environment environment, Recorded recorded)
    : user_(user),
      session_(with_store(std::move(options), scratch), std::move(environment)) {
  recorded.left_out.push_back(user.store_path());
  session_.build_again(std::move(recorded));
  session_.stop_with(user.stop());
}

const std::vector<PackedImage>& Rebuild::run(const std::vector<std::string>& images) {
  take_base_documents(
      Lock::parse(session_.recorded()->lock_text.value(), "lithify.lock"));
  prepared_ = prepare(session_, images);
  take_downloads();
  make();
  session_.end_progress();
  return packed_;
}

// False if the user's store does not have it, or something else under its name.
bool Rebuild::take(const oci::Digest& digest) {
  const auto size = user_.store().size_of(digest);
  if (!size || session_.store().has(digest)) return size.has_value();
  try {
    const auto bytes = oci::verified(user_.store().open({digest, *size}), digest, *size);
    oci::put(session_.store(), *bytes);
    return true;
  } catch (const oci::Error& error) {
    if (error.code() != oci::Errc::mismatch) throw;
    return false;
  }
}

void Rebuild::take_base_documents(const Lock& lock) {
  for (const LockedImage& image : lock.images) {
    // A layout has its documents itself; here without layers they would pass for whole.
    if (image.ref.rfind("layout:", 0) == 0) continue;
    if (image.index) take(*image.index);
    if (!take(image.manifest)) continue;
    const oci::Descriptor which{std::string(oci::media_type::k_manifest), image.manifest,
                                image.size};
    take(oci::Manifest::parse(oci::read_manifest(session_.store(), which), image.ref)
             .config.digest);
  }
}

void Rebuild::take_downloads() {
  for (const Step& step : prepared_.plan.graph.steps()) {
    if (session_.stop().stop_requested()) throw oci::Cancelled();
    if (const auto* fetch = std::get_if<Fetch>(&step.operation)) take(fetch->expected);
  }
}

void Rebuild::make() {
  Workshop workshop = session_.workshop(prepared_.workspace.recipe);
  {
    oci::Activity activity(session_.progress(), "build again");
    results_ = run_graph(prepared_.plan.graph, *workshop.executor, *workshop.steps,
                         session_.jobs(), activity, session_.stop());
    activity.end(oci::Outcome::done);
  }
  oci::Activity activity(session_.progress(), "pack");
  oci::WorkerPool workers(session_.jobs());
  const PackContext context{
      session_.contents(), workers, session_.layer_cache(),
      [this](const std::string& place) { return open_base(session_, place); },
      prepared_.epoch.seconds};
  for (const ImagePlan& image : prepared_.plan.images) {
    packed_.push_back(pack(image, results_, context, activity, session_.stop()));
    know_base_layers(session_, packed_.back());
  }
  activity.end(oci::Outcome::done);
}

}  // namespace lithify
