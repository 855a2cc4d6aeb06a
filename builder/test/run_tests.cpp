#include "builder/test/run_tests.h"

#include <future>
#include <mutex>
#include <optional>

#include "oci/base/error.h"
#include "oci/base/worker_pool.h"

#include "builder/plan/key.h"
#include "builder/test/judge.h"
#include "builder/test/text_rules.h"

namespace lithify {

namespace {

void add_command(KeyDocument& key, const std::string& name, const RunStep& command) {
  key.field(name, command.argv)
      .field("env", command.env)
      .field("cwd", command.cwd)
      .field("user", command.user)
      .field("memory", command.limits.memory)
      .field("cpus", command.limits.cpus)
      .field("pids", command.limits.pids)
      .field("time", command.limits.time)
      .field("timeout", command.limits.timeout);
}

void add_rule(KeyDocument& key, const std::string& name, const TextRule& rule) {
  const char* kind = rule.kind == TextRule::Kind::contains ? "contains"
                     : rule.kind == TextRule::Kind::equals ? "equals"
                                                           : "matches";
  key.field(name + " " + kind, rule.text).field("refuted", rule.refuted);
}

void add_file(KeyDocument& key, const FileExpectation& file) {
  key.field("file", file.path)
      .field("type", static_cast<std::uint64_t>(file.type))
      .field("mode", file.mode)
      .field("any-of-mode", file.any_of_mode)
      .field("uid", file.uid)
      .field("gid", file.gid)
      .field("elf", static_cast<std::uint64_t>(file.elf));
  for (const TextRule& rule : file.text)
    add_rule(key, "text", rule);
}

void add_config(KeyDocument& key, const ConfigExpectation& config) {
  for (const auto& [name, rule] : config.env)
    add_rule(key.field("env", name), "value", rule);
  for (const auto& [name, rule] : config.labels)
    add_rule(key.field("label", name), "value", rule);
  key.field("ports", config.ports)
      .field("no-ports", config.no_ports)
      .field("volumes", config.volumes)
      .field("no-volumes", config.no_volumes)
      .field("entrypoint", config.entrypoint)
      .field("cmd", config.cmd)
      .field("workdir", config.workdir)
      .field("user", config.user);
}

// Tests of one image: what they share, and one after another or side by side.
class TestRun {
 public:
  TestRun(const TestContext& context, oci::Activity& activity, std::stop_token stop)
      : context_(context), activity_(activity), stop_(std::move(stop)) {}

  TestResult run(const TestRecipe& test) {
    if (stop_.stop_requested()) throw oci::Cancelled();
    const std::chrono::milliseconds began = context_.clock();
    oci::Activity activity = start("test " + printable(test.name));
    TestResult result;
    result.name = test.name;
    result.place = test.place;
    result.waiver = test.waiver;
    const oci::Digest key = test_key(test, context_.config);
    if (passed_before(key)) {
      result.remembered = true;
      activity.end(oci::Outcome::cached);
      return result;
    }
    judge(test, result, activity);
    if (result.outcome == TestResult::Outcome::passed) remember(key);
    if (result.outcome != TestResult::Outcome::failed) activity.end(oci::Outcome::done);
    result.took = context_.clock() - began;
    return result;
  }

 private:
  void judge(const TestRecipe& test, TestResult& result, oci::Activity& activity) {
    const auto add = [&](std::vector<TestFinding> more) {
      for (TestFinding& finding : more)
        result.findings.push_back(std::move(finding));
    };
    add(judge_config(test, context_.config));
    if (!test.files.empty() || !test.absent.empty() || test.max_size)
      add(judge_tree(test, tree(), context_.store));
    if (test.run) {
      const SequenceResult ran =
          context_.perform(tree(), commands_in(test, context_.config), activity);
      if (ran.unable && result.findings.empty()) {
        result = skipped(test, ran.unable->why, ran.unable->cure);
        return;
      }
      add(judge_commands(test, ran));
      if (!result.findings.empty()) keep_output(ran, result);
    }
    if (result.findings.empty()) return;
    result.outcome =
        test.waiver.empty() ? TestResult::Outcome::failed : TestResult::Outcome::waived;
  }

  // Of the command that failed: that of the test if it came so far.
  static void keep_output(const SequenceResult& ran, TestResult& result) {
    const CommandResult* told = ran.run               ? &*ran.run
                                : !ran.before.empty() ? &ran.before.back()
                                                      : nullptr;
    if (told == nullptr) return;
    result.out = last_lines(told->out.text, told->out.is_cut());
    result.err = last_lines(told->err.text, told->err.is_cut());
  }

  const Tree& tree() {
    const std::lock_guard lock(tree_mutex_);
    if (!tree_) tree_ = context_.tree();
    return *tree_;
  }

  oci::Activity start(const std::string& label) {
    const std::lock_guard lock(mutex_);
    return activity_.start(label);
  }

  bool passed_before(const oci::Digest& key) {
    const std::lock_guard lock(mutex_);
    return context_.passed_before && context_.passed_before(key);
  }

  void remember(const oci::Digest& key) {
    const std::lock_guard lock(mutex_);
    if (context_.remember) context_.remember(key);
  }

  const TestContext& context_;
  oci::Activity& activity_;
  const std::stop_token stop_;
  std::mutex mutex_;
  std::mutex tree_mutex_;
  std::optional<Tree> tree_;
};

}  // namespace

oci::Digest test_key(const TestRecipe& test, const oci::ImageConfig& config) {
  oci::ImageConfig looked_at = config;
  looked_at.created.clear();
  looked_at.author.clear();
  looked_at.history.clear();
  KeyDocument key;
  key.field("lithify test", std::uint64_t{1}).field("image", looked_at.str());
  for (const RunStep& command : test.before)
    add_command(key, "before", command);
  if (test.run) add_command(key, "run", *test.run);
  for (const RunStep& command : test.after)
    add_command(key, "after", command);
  if (test.expands) key.field("expands", true);
  key.field("exit", static_cast<std::int64_t>(test.exit));
  for (const TextRule& rule : test.out)
    add_rule(key, "stdout", rule);
  for (const TextRule& rule : test.err)
    add_rule(key, "stderr", rule);
  for (const FileExpectation& file : test.files)
    add_file(key, file);
  key.field("absent", test.absent).field("max-size", test.max_size);
  if (test.config) add_config(key, *test.config);
  return key.digest();
}

std::vector<TestResult> run_tests(std::span<const TestRecipe> tests,
                                  const TestContext& context, oci::Activity& activity,
                                  std::stop_token stop) {
  TestRun run(context, activity, std::move(stop));
  std::vector<std::future<TestResult>> coming;
  oci::WorkerPool workers(std::max(
      1U, std::min<unsigned>(context.jobs, static_cast<unsigned>(tests.size()))));
  for (const TestRecipe& test : tests)
    coming.push_back(workers.submit([&run, &test] { return run.run(test); }));
  std::vector<TestResult> results;
  for (std::future<TestResult>& result : coming)
    results.push_back(result.get());
  return results;
}

}  // namespace lithify
