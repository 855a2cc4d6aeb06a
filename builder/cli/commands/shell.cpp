// lithify shell: a person in the sandbox of a step, or of a finished image.
#include <csignal>
#include <map>
#include <string>
#include <unistd.h>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/base/json.h"
#include "oci/image/manifest.h"

#include "builder/cli/commands/build_for.h"
#include "builder/cli/commands/commands.h"
#include "builder/cli/prepare.h"
#include "builder/cli/root_tree.h"
#include "builder/cli/run_steps.h"
#include "builder/command/run_step.h"
#include "builder/command/variation.h"
#include "builder/run/scheduler.h"

namespace lithify {

namespace {

// What the person asked for: "IMAGE", "IMAGE:STEP", and words of a program behind it.
struct Asked {
  std::string image;
  std::string step;  // empty: the finished image
  std::vector<std::string> argv;
};

Asked asked_for(const Options& options) {
  if (options.operands.empty()) {
    throw oci::Error(oci::Errc::bad_input, "`lithify shell` needs an image")
        .add_hint("write `lithify shell IMAGE`, or `lithify shell IMAGE:STEP`");
  }
  const std::string& what = options.operands.front();
  const std::size_t colon = what.find(':');
  Asked asked{what.substr(0, colon),
              colon == std::string::npos ? "" : what.substr(colon + 1),
              {options.operands.begin() + 1, options.operands.end()}};
  if (options.after && asked.step.empty()) {
    throw oci::Error(oci::Errc::bad_input, "--after is about a step")
        .add_hint(fmt::format("write `lithify shell {}:STEP --after`", what));
  }
  return asked;
}

// What a command writes that runs before the person comes.
class Passing final : public oci::ProgressReporter {
 public:
  explicit Passing(Session& session) : session_(session) {}
  void started(oci::ActivityId, oci::ActivityId, std::string_view) noexcept override {}
  void advanced(oci::ActivityId, std::uint64_t, std::uint64_t) noexcept override {}
  void output(oci::ActivityId, std::string_view text) noexcept override {
    session_.tell(text);
  }
  void warned(oci::ActivityId, std::string_view text) noexcept override {
    session_.tell(std::string(text) + "\n");
  }
  void ended(oci::ActivityId, oci::Outcome) noexcept override {}

 private:
  Session& session_;
};

// Ctrl-C is for whoever is inside, and the terminal is ours again afterwards: a shell
// there cannot give it back to a process that it does not see.
class Aside {
 public:
  Aside() {
    struct sigaction ignore = {};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGINT, &ignore, &interrupt_);
    ::sigaction(SIGQUIT, &ignore, &quit_);
    ::sigaction(SIGTTOU, &ignore, &output_);
  }
  ~Aside() {
    if (::isatty(STDIN_FILENO) == 1) ::tcsetpgrp(STDIN_FILENO, ::getpgrp());
    ::sigaction(SIGINT, &interrupt_, nullptr);
    ::sigaction(SIGQUIT, &quit_, nullptr);
    ::sigaction(SIGTTOU, &output_, nullptr);
  }
  Aside(const Aside&) = delete;
  Aside& operator=(const Aside&) = delete;

 private:
  struct sigaction interrupt_ = {};
  struct sigaction quit_ = {};
  struct sigaction output_ = {};
};

std::string words_of(const Run& run) {
  const std::vector<std::string>& argv = run.what.argv;
  if (argv.size() > 2 && argv[argv.size() - 2] == "-c") return argv.back();
  return fmt::format("{}", fmt::join(argv, " "));
}

// Gives the inputs of one step out instead of performing it.
class InputsOf final : public Executor {
 public:
  InputsOf(std::unique_ptr<Executor> own, const Step& step)
      : own_(std::move(own)), step_(step) {}
  Tree execute(const Step& step, std::span<Tree> inputs, oci::Activity& activity,
               std::stop_token stop) override {
    if (&step != &step_) return own_->execute(step, inputs, activity, std::move(stop));
    inputs_.assign(inputs.begin(), inputs.end());
    return {};
  }
  const std::vector<Tree>& inputs() const { return inputs_; }

 private:
  const std::unique_ptr<Executor> own_;
  const Step& step_;
  std::vector<Tree> inputs_;
};

// Knows nothing of that step, and learns nothing.
class AllBut final : public StepCache {
 public:
  AllBut(std::unique_ptr<StepCache> own, const Step& step)
      : own_(std::move(own)), step_(step) {}
  std::optional<Tree> find(const oci::Digest& key, const Step& step) override {
    return &step == &step_ ? std::nullopt : own_->find(key, step);
  }
  void remember(const oci::Digest& key, const Step& step, const Tree& result) override {
    if (&step != &step_) own_->remember(key, step, result);
  }
  void note(const oci::Digest& key) override { own_->note(key); }
  bool knows(const oci::Digest& key) override { return own_->knows(key); }

 private:
  const std::unique_ptr<StepCache> own_;
  const Step& step_;
};

class Shell {
 public:
  Shell(Session& session, Asked asked) : session_(session), asked_(std::move(asked)) {}

  int run() { return asked_.step.empty() ? in_image() : at_step(); }

 private:
  int at_step() {
    const Prepared prepared = prepare(session_, {asked_.image});
    const BuildPlan& plan = prepared.plan;
    const StepIndex index = choose(
        plan.graph,
        find_run_steps(prepared.workspace.recipe, plan, asked_.step, asked_.image));
    Graph graph;  // of what the step needs, and the step
    std::map<StepIndex, StepIndex> moved;
    for (const StepIndex needed : needed_by(plan.graph, {index})) {
      Step step = plan.graph.step(needed);
      for (StepIndex& input : step.inputs)
        input = moved.at(input);
      moved[needed] = graph.add(std::move(step));
    }
    const Step& step = graph.step(moved.at(index));
    Workshop workshop = session_.workshop(prepared.workspace.recipe);
    InputsOf executor(std::move(workshop.executor), step);
    AllBut cache(std::move(workshop.steps), step);
    {
      oci::Activity activity(session_.progress(), "build");
      run_graph(graph, executor, cache, session_.jobs(), activity, session_.stop());
      activity.end(oci::Outcome::done);
    }
    const auto& command = std::get<Run>(step.operation);
    session_.tell(fmt::format(
        "at `{}` on {}, {} its command:\n  {}\n", step.label, step.platform.str(),
        session_.options().after ? "after" : "before", words_of(command)));
    return visit(step, command, executor.inputs());
  }

  int in_image() {
    int status = 0;
    build_for(session_, {asked_.image},
              [&](const BuildFacts& facts, const std::vector<PackedImage>& packed) {
                status =
                    in_variant(facts, facts.prepared.plan.images.front(), packed.front());
              });
    return status;
  }

  int in_variant(const BuildFacts& facts, const ImagePlan& plan,
                 const PackedImage& packed) {
    std::size_t chosen = 0;
    for (std::size_t i = 0; i < plan.variants.size(); ++i) {
      if (plan.variants[i].platform == oci::Platform::host()) chosen = i;
    }
    Step step;
    step.below = 1;
    step.platform = plan.variants[chosen].platform;
    step.label = plan.name;
    Run command;
    command.epoch = facts.prepared.epoch.seconds;
    command.what = as_configured(packed.variants[chosen].manifest);
    Tree root;
    {
      Workshop workshop = session_.workshop(facts.prepared.workspace.recipe);
      oci::Activity activity(session_.progress(), "read the files of " + plan.name);
      root =
          root_tree(session_, plan.variants[chosen], facts.results, workshop, activity);
      activity.end(oci::Outcome::done);
    }
    session_.tell(fmt::format("in `{}` on {}\n", plan.name, step.platform.str()));
    return visit(step, command, {root});
  }

  // As a container of the image would run it.
  RunStep as_configured(const oci::Descriptor& which) const {
    const oci::Repository& images = session_.images();
    const auto manifest =
        oci::Manifest::parse(images.manifest(which), which.digest.str());
    const auto text = images.open({manifest.config.digest, manifest.config.size});
    const auto config = oci::ImageConfig::parse(
        oci::read_all(*text, oci::k_max_json, "image configuration"),
        "image configuration");
    RunStep command;
    command.argv = {"/bin/sh", "-c", ""};
    command.env =
        std::map<std::string, std::string>(config.env.begin(), config.env.end());
    if (!config.user.empty()) command.user = config.user;
    if (!config.working_dir.empty()) command.cwd = config.working_dir;
    return command;
  }

  static StepIndex choose(const Graph& graph, const std::vector<StepIndex>& steps) {
    for (const StepIndex step : steps) {
      if (graph.step(step).platform == oci::Platform::host()) return step;
    }
    return steps.front();
  }

  int visit(const Step& step, const Run& command, std::vector<Tree> inputs) {
    session_.end_progress();
    Visit visit;
    visit.argv = asked_.argv;
    visit.after = session_.options().after;
    const auto terminal = session_.environment().find("TERM");
    if (terminal != session_.environment().end()) visit.terminal = terminal->second;
    visit.begin = [&](const std::string& ended) {
      if (!ended.empty()) session_.tell(fmt::format("its command {}\n", ended));
      if (asked_.argv.empty() && ::isatty(STDIN_FILENO) == 1)
        session_.tell(
            fmt::format("what you change here is thrown away{}; `exit` leaves\n",
                        has_cache(command.what) ? ", but in caches" : ""));
    };
    RunTools tools = session_.run_tools();
    tools.visit = &visit;
    tools.shared = nullptr;  // whoever looks around may need all of it to be his
    Passing reporter(session_);
    oci::Activity activity(reporter, step.label);
    const Aside aside;
    perform_run(step, command, inputs, session_.contents(), tools, activity,
                session_.stop());
    return visit.status;
  }

  Session& session_;
  const Asked asked_;
};

}  // namespace

int run_shell(Session& session) {
  return Shell(session, asked_for(session.options())).run();
}

}  // namespace lithify
