// lithify build and push: from the build file to images, outputs and registries.
#include <fcntl.h>
#include <set>

#include <fmt/format.h>

#include "oci/base/fd.h"

#include "builder/cli/base_layers.h"
#include "builder/cli/build_report.h"
#include "builder/cli/commands/build_for.h"
#include "builder/cli/commands/commands.h"
#include "builder/cli/image_sbom.h"
#include "builder/cli/outputs.h"
#include "builder/cli/prepare.h"
#include "builder/cli/process.h"
#include "builder/cli/provenance_facts.h"
#include "builder/cli/pushing.h"
#include "builder/cli/rechecking.h"
#include "builder/cli/root_tree.h"
#include "builder/cli/run_steps.h"
#include "builder/cli/sandbox_report.h"
#include "builder/cli/testing.h"
#include "builder/cli/twice.h"
#include "builder/command/foreign_platform.h"
#include "builder/deliver/output.h"
#include "builder/pack/assemble.h"
#include "builder/resolve/requests.h"
#include "builder/run/scheduler.h"
#include "builder/tell/text.h"

namespace lithify {

namespace {

// One build, phase by phase. Each phase takes what the one before it made.
class Build {
 public:
  // `push` leaves outputs alone; `build` pushes if it is asked to; other commands do
  // neither. All but `look` run tests.
  enum class Purpose { build, push, test, look };
  Build(Session& session, Purpose purpose, std::vector<std::string> images)
      : session_(session),
        images_(std::move(images)),
        pushes_only_(purpose == Purpose::push),
        writes_outputs_(purpose == Purpose::build),
        tests_only_(purpose == Purpose::test),
        tests_(purpose != Purpose::look),
        pushes_(pushes_only_ ||
                (writes_outputs_ &&
                 (session.options().push || session.options().dry_run ||
                  session.options().push_by_digest || !session.options().keys.empty()))) {
    for (const std::string& output : session.options().outputs)
      further_.push_back(parse_output(output));
  }

  int run() {
    make();
    if (tests_only_) return report_tests(session_, tested_);
    push();
    report();
    return exits::k_ok;
  }

  // All but outputs and pushes that nobody asked for.
  void make() {
    prepare_plan();
    make_everything();
    // Last, so that a build that fails leaves the lock that was there.
    if (prepared_.lock_is_new) write_lock(prepared_.workspace, prepared_.lock);
    // Before anybody else gets it.
    if (session_.options().twice) build_twice(facts(), packed_);
    save_caches();
  }

  BuildFacts facts() const { return {session_, prepared_, results_, memo_}; }
  const std::vector<PackedImage>& packed() const { return packed_; }

 private:
  void prepare_plan() {
    prepared_ = prepare(session_, images_);
    times_.resolve = lap();
    for (const ImagePlan& image : prepared_.plan.images) {
      if (pushes_) {
        push_targets(image, session_.options());
        sign_rule(image, session_.options(), prepared_.workspace.recipe.directory);
      }
      destinations_.push_back(
          writes_outputs_
              ? destinations(image, further_, prepared_.workspace.recipe.directory)
              : std::vector<Destination>());
    }
    if (pushes_ && session_.options().skip_tests) refuse_skipping(prepared_.plan);
    if (pushes_ && !session_.options().push_by_digest) refuse_partial_push();
    refuse_clashes(destinations_);
    refuse_inputs();
    refuse_foreign();
    if (destinations_.size() != 1) refuse_files_of_one();
  }

  void refuse_files_of_one() const {
    const Options& options = session_.options();
    const auto refuse = [&](const char* flag, const char* what) {
      return oci::Error(oci::Errc::bad_input,
                        fmt::format("{} holds one {}, {} images are built", flag, what,
                                    destinations_.size()));
    };
    if (!options.digest_file.empty())
      throw refuse("--digest-file", "digest")
          .add_hint("name one image, or use `--metadata-file`");
    if (!options.provenance.empty())
      throw refuse("--provenance", "image's provenance").add_hint("name one image");
  }

  // A tag with fewer platforms than the image has would take the others away from those
  // who pull it.
  void refuse_partial_push() const {
    if (session_.options().platforms.empty()) return;
    const Recipe whole = read_recipe(session_, {});
    for (const ImagePlan& image : prepared_.plan.images) {
      for (const ImageRecipe& declared : whole.images) {
        if (declared.name != image.name) continue;
        if (declared.variants.size() <= image.variants.size()) continue;
        throw oci::Error(
            oci::Errc::bad_input,
            fmt::format("a tag of `{}` would name {} of its {} platforms", image.name,
                        image.variants.size(), declared.variants.size()))
            .add_hint(
                "push without `--platform`; or with `--push-by-digest` on each "
                "machine, and then `lithify join`");
      }
    }
  }

  // The build file and the lock are not for writing over.
  void refuse_inputs() const {
    const std::filesystem::path inputs[] = {prepared_.workspace.recipe.file,
                                            prepared_.workspace.lock_file};
    for (const auto& of_image : destinations_) {
      for (const Destination& destination : of_image) {
        for (const auto& input : inputs) {
          if (destination.path != std::filesystem::absolute(input).lexically_normal())
            continue;
          oci::Error error(oci::Errc::bad_input,
                           "an output would replace " + input.string());
          if (!destination.place.file.empty()) error.at(destination.place);
          throw error.add_hint("name another file");
        }
      }
    }
  }

  // Before the work, not after it.
  void refuse_foreign() const {
    for (const auto& of_image : destinations_) {
      for (const Destination& destination : of_image) {
        if (destination.kind == Output::Kind::rootfs) {
          refuse_foreign_rootfs(destination.path);
        }
      }
    }
  }

  // A damaged blob of the store is found when it is read. Where one is, there may be
  // more, so all are read then and the liars put away; doing the work once more makes
  // them again from what the lock names.
  void make_everything() {
    const std::size_t before = session_.store().blobs().found_lying();
    try {
      make_once();
    } catch (const oci::Error& error) {
      tell_of_caches();
      if (!gave_up_cache(error) && !put_away_liars(error, before)) throw;
      packed_.clear();
      make_once();
    }
  }

  void make_once() {
    run_steps();
    pack_images();
    run_tests();
    write_outputs();
    tell_of_caches();
  }

  bool put_away_liars(const oci::Error& error, std::size_t before) {
    if (error.code() != oci::Errc::mismatch) return false;
    if (session_.store().blobs().found_lying() == before) return false;
    oci::Error healing(oci::Errc::mismatch,
                       "the store held a damaged blob, making it anew");
    healing.add_note(error.what());
    session_.tell(healing, Problem::Severity::warning);
    session_.store().put_away_liars();
    return true;
  }

  // A cache in a registry had a tree, and then not the blobs that the tree needs.
  bool gave_up_cache(const oci::Error& error) {
    if (session_.caches() == nullptr || !session_.caches()->gave_up()) return false;
    oci::Error warning(oci::Errc::unavailable,
                       "a cache does not have what it promised, building without it");
    warning.add_note(error.what());
    warning.add_hint("if it lasts, delete the repository of the cache: it fills again");
    session_.tell(warning, Problem::Severity::warning);
    return true;
  }

  // Where no activity is open: what is told ends the progress.
  void tell_of_caches() {
    if (session_.caches() == nullptr) return;
    for (const oci::Error& warning : session_.caches()->take_warnings())
      session_.tell(warning, Problem::Severity::warning);
  }

  // Before the push, which may fail, and which can mount the layers from there.
  void save_caches() {
    const Options& options = session_.options();
    if (options.offline && !options.cache_to.empty()) {
      session_.tell(
          oci::Error(oci::Errc::unavailable,
                     "--offline forbids writing to the cache " + options.cache_to),
          Problem::Severity::warning);
    }
    if (session_.caches() == nullptr) return;
    if (!options.cache_to.empty() && !options.dry_run) {
      oci::Activity activity(session_.progress(), "keep results in " + options.cache_to);
      session_.caches()->save(activity, session_.stop());
      activity.end(oci::Outcome::done);
    }
    tell_of_caches();
    times_.cache = lap();
    if (pushes_) session_.caches()->tell_layers(session_.registries().registries());
  }

  void run_steps() {
    Tally tally(session_.progress());
    oci::Activity activity(tally, "build");
    rechecks_ = rechecks_of(prepared_, session_.options(), pushes_);
    Workshop workshop = session_.workshop(prepared_.workspace.recipe, rechecks_.get());
    if (session_.caches() != nullptr) session_.caches()->expect(prepared_.plan.graph);
    try {
      results_ = run_graph(prepared_.plan.graph, *workshop.executor, *workshop.steps,
                           session_.jobs(), activity, session_.stop());
    } catch (oci::Error& error) {
      add_way_to_look(error);
      throw;
    }
    activity.end(oci::Outcome::done);
    for (LockedOutput& output : session_.take_pins()) {
      output.asked = asked_of(prepared_.workspace.recipe, output.key);
      prepared_.lock.set_output(std::move(output));
      prepared_.lock_is_new = true;
    }
    steps_ = tally.counts();
    give_back_memory();
    times_.steps = lap();
  }

  // How to see what a command that failed has left, if nothing better is to be typed.
  void add_way_to_look(oci::Error& error) const {
    if (error.code() != oci::Errc::failed) return;
    const std::string name =
        shell_name(prepared_.workspace.recipe, prepared_.plan, error.place());
    if (!name.empty())
      error.add_hint("look around at what it left: `lithify shell " + name + " --after`");
  }

  void pack_images() {
    oci::Activity activity(session_.progress(), "pack");
    oci::WorkerPool workers(session_.jobs());
    const PackContext context{
        session_.contents(), workers, session_.layer_cache(),
        [this](const std::string& place) { return open_base(session_, place); },
        prepared_.epoch.seconds};
    for (const ImagePlan& image : prepared_.plan.images) {
      packed_.push_back(pack(image, results_, context, activity, session_.stop()));
      know_base_layers(session_, packed_.back());
      session_.images().set_tag(image.name, packed_.back().root);
    }
    activity.end(oci::Outcome::done);
    times_.pack = lap();
  }

  // Before anybody gets what fails them. `test` reports by itself.
  void run_tests() {
    if (!tests_) return;
    tested_ = test_images(facts(), packed_);
    times_.tests = lap();
    tell_tests(session_, tested_);
    if (tests_only_ || count_tests(tested_).failed == 0) return;
    session_.end_progress();
    if (session_.wants_summary()) session_.tell(tests_line(tested_));
    throw Reported{exits::k_refused};
  }

  void write_outputs() {
    for (std::size_t i = 0; i < packed_.size(); ++i) {
      if (destinations_[i].empty()) continue;
      fetch_base_layers(session_, packed_[i].variants);
      oci::Activity activity(session_.progress(), "write outputs of " + packed_[i].name);
      for (const Destination& destination : destinations_[i]) {
        if (session_.stop().stop_requested()) throw oci::Cancelled();
        try {
          deliver(prepared_.plan.images[i], packed_[i], destination, activity);
        } catch (oci::Error& error) {
          if (!destination.place.file.empty()) error.at(destination.place);
          throw;
        }
      }
      activity.end(oci::Outcome::done);
    }
    times_.outputs = lap();
  }

  void deliver(const ImagePlan& plan, const PackedImage& image,
               const Destination& destination, oci::Activity& activity) {
    const PackedVariant& variant = image.variants[destination.variant];
    const bool whole = destination.whole && image.variants.size() > 1;
    const Delivery what{session_.images_with_bases(),
                        whole ? image.root : variant.manifest, image.name,
                        session_.stop()};
    switch (destination.kind) {
      case Output::Kind::oci:
        return deliver_layout(what, destination.path, session_.store(), activity);
      case Output::Kind::oci_archive:
        return deliver_oci_archive(what, destination.path);
      case Output::Kind::docker_archive:
        return deliver_docker_archive(what, destination.path);
      case Output::Kind::rootfs:
        return deliver_rootfs(
            root_of(plan.variants[destination.variant], activity), destination.path,
            {session_.contents(), session_.is_root(), session_.stop()}, activity);
      case Output::Kind::tar: {
        const Tree root = root_of(plan.variants[destination.variant], activity);
        return deliver_blob(session_.store(), flat_tar(session_, root, activity),
                            destination.path, session_.stop());
      }
      case Output::Kind::sbom: {
        return deliver_file(destination.path, [&](oci::Sink& to) {
          write_sbom(facts(), {plan, image, variant.manifest, destination.variant},
                     sbom_form_of_file(destination.path.string()), to);
        });
      }
    }
  }

  void push() {
    if (!pushes_) return;
    refuse_untested(tested_);
    pushed_ = push_all(facts(), packed_);
    times_.push = lap();
  }

  Tree root_of(const VariantPlan& variant, oci::Activity& activity) {
    Workshop workshop = session_.workshop(prepared_.workspace.recipe);
    return root_tree(session_, variant, results_, workshop, activity);
  }

  void report() {
    times_.all = session_.elapsed();
    const std::string document =
        pushes_only_ ? push_document(pushed_) : build_document(packed_);
    const Options& options = session_.options();
    if (!options.metadata_file.empty()) write_report(options.metadata_file, document);
    if (!options.provenance.empty()) write_report(options.provenance, provenance());
    if (!options.digest_file.empty()) {
      write_report(options.digest_file, packed_.front().root.digest.str());
    }
    session_.end_progress();
    if (options.json) {
      session_.print(document);
    } else {
      session_.print(pushes_only_ ? push_lines(pushed_) : image_lines());
    }
    const auto page = value_of(session_.environment(), "GITHUB_STEP_SUMMARY");
    if (!session_.wants_summary() && !page) return;
    const std::string summary =
        build_summary(packed_, times_, steps_) + sandbox_line() + tests_line(tested_) +
        (rechecks_ != nullptr ? recheck_summary(*rechecks_) : "") +
        (session_.caches() != nullptr ? session_.caches()->summary() : "") +
        push_summary(pushed_);
    if (session_.wants_summary()) {
      session_.tell(summary + (options.json ? "" : push_check_line(pushed_)));
    }
    if (page) add_to_page(*page, summary);
  }

  std::string provenance() {
    const auto subjects = claim_subjects(prepared_.plan.images.front(), packed_.front());
    return provenance_of(facts(), subjects.front());
  }

  // Which sandbox commands ran in, where there were any; finding out costs more than a
  // build in which nothing changed.
  std::string sandbox_line() const {
    if (!runs_commands(prepared_.plan.graph)) return {};
    std::set<std::string> caches;
    std::set<std::string> emulated;
    for (const Step& step : prepared_.plan.graph.steps()) {
      caches.merge(caches_of(step));
      if (session_.commands_performed() > 0 && is_emulated(step))
        emulated.insert(step.platform.str());
    }
    std::string line = "run    nothing: all was remembered";
    if (session_.commands_performed() > 0)
      line = "run    in sandbox " + sandbox_used(session_.options().sandbox);
    if (!emulated.empty())
      line += fmt::format(" · emulated: {}", fmt::join(emulated, ", "));
    if (!caches.empty())
      line += visible(fmt::format(" · cache-dependent: {}", fmt::join(caches, ", ")));
    return line + "\n";
  }

  std::string image_lines() const {
    std::string lines;
    for (const PackedImage& image : packed_)
      lines += image.name + " " + image.root.digest.str() + "\n";
    return lines;
  }

  // GitHub shows what its jobs append to this file. The build is done by now: that it
  // cannot be shown is no failure.
  void add_to_page(const std::string& file, const std::string& summary) {
    try {
      const oci::Fd page = oci::open_file(file, O_WRONLY | O_APPEND | O_CREAT);
      oci::write_all(page.get(), oci::as_bytes("```\n" + summary + "```\n"), file);
    } catch (const oci::Error& error) {
      session_.tell(error, Problem::Severity::warning);
    }
  }

  static void write_report(const std::string& file, const std::string& content) {
    oci::during([&] { return "writing " + file; },
                [&] { oci::write_file_atomically(file, content); });
  }

  // Time since the last lap.
  std::chrono::milliseconds lap() {
    const auto now = session_.elapsed();
    const auto took = now - last_lap_;
    last_lap_ = now;
    return took;
  }

  Session& session_;
  std::vector<std::string> images_;  // none: all of the build file
  bool pushes_only_;
  bool writes_outputs_;
  bool tests_only_;
  bool tests_;
  bool pushes_;
  std::vector<Output> further_;
  Prepared prepared_;
  std::vector<std::vector<Destination>> destinations_;
  std::vector<Tree> results_;
  std::shared_ptr<InventoryMemo> memo_ = std::make_shared<InventoryMemo>();
  std::vector<PackedImage> packed_;
  std::vector<TestedImage> tested_;
  std::vector<Pushed> pushed_;
  std::unique_ptr<Rechecks> rechecks_;
  Tally::Counts steps_;
  BuildTimes times_;
  std::chrono::milliseconds last_lap_{0};
};

}  // namespace

int run_build(Session& session) {
  return Build(session, Build::Purpose::build, session.options().operands).run();
}

int run_push(Session& session) {
  return Build(session, Build::Purpose::push, session.options().operands).run();
}

int test_what_is_built(Session& session) {
  return Build(session, Build::Purpose::test, session.options().operands).run();
}

void build_for(
    Session& session, const std::vector<std::string>& images,
    const std::function<void(const BuildFacts&, const std::vector<PackedImage>&)>& look) {
  Build build(session, Build::Purpose::look, images);
  build.make();
  look(build.facts(), build.packed());
}

}  // namespace lithify
