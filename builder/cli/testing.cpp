#include "builder/cli/testing.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/fd.h"
#include "oci/base/json.h"

#include "builder/cli/root_tree.h"
#include "builder/command/run_commands.h"
#include "builder/tell/text.h"
#include "builder/test/junit.h"
#include "builder/test/run_tests.h"

namespace lithify {

namespace {

using Outcome = TestResult::Outcome;

// One image on one platform.
class VariantTests {
 public:
  VariantTests(const BuildFacts& facts, const VariantPlan& plan,
               const oci::Descriptor& manifest)
      : session_(facts.session),
        facts_(facts),
        plan_(plan),
        config_(config_of(session_.images(), manifest)),
        workshop_(session_.workshop(facts.prepared.workspace.recipe)),
        tools_(session_.run_tools()) {}

  std::vector<TestResult> run(oci::Activity& activity) {
    TestContext context{config_, session_.contents(), [this] { return tree(); }};
    context.perform = [this](const Tree& root, const CommandSequence& commands,
                             oci::Activity& test) {
      const CommandRoot where{root, plan_.platform, session_.contents(), tools_};
      return perform_commands(commands, where, test, session_.stop());
    };
    context.passed_before = [this](const oci::Digest& key) {
      return workshop_.steps->knows(key);
    };
    context.remember = [this](const oci::Digest& key) { workshop_.steps->note(key); };
    context.clock = [this] { return session_.elapsed(); };
    context.jobs = session_.jobs();
    return run_tests(plan_.tests, context, activity, session_.stop());
  }

 private:
  Tree tree() {
    oci::Activity activity(session_.progress(), "read the files to test");
    Tree tree = root_tree(session_, plan_, facts_.results, workshop_, activity);
    activity.end(oci::Outcome::done);
    return tree;
  }

  Session& session_;
  const BuildFacts& facts_;
  const VariantPlan& plan_;
  const oci::ImageConfig config_;
  Workshop workshop_;
  const RunTools tools_;
};

constexpr const char* k_skip_tests = "--skip-tests leaves it out";

oci::Error not_run(const std::string& title, const TestResult& result) {
  oci::Error error(oci::Errc::refused,
                   fmt::format("`{}` is not pushed, because its test `{}` was not run",
                               title, result.name));
  if (!result.place.file.empty()) error.at(result.place);
  error.add_note(result.reason);
  if (!result.cure.empty()) error.add_hint(result.cure);
  return error.add_hint(
      "push without `--skip-tests`, or give the test a `waiver` with the reason why it "
      "is no obstacle");
}

std::vector<TestResult> all_skipped(const std::vector<TestRecipe>& tests) {
  std::vector<TestResult> results;
  for (const TestRecipe& test : tests)
    results.push_back(skipped(test, k_skip_tests));
  return results;
}

void add_findings(const TestResult& result, oci::Error& error) {
  for (const TestFinding& finding : result.findings) {
    const bool elsewhere =
        !finding.place.file.empty() && (finding.place.file != result.place.file ||
                                        finding.place.line != result.place.line);
    error.add_note(elsewhere
                       ? fmt::format("{} (line {})", str(finding), finding.place.line)
                       : str(finding));
  }
  if (!result.err.empty()) {
    error.add_note("the last that it wrote as errors:\n" + result.err);
  } else if (!result.out.empty()) {
    error.add_note("the last that it wrote:\n" + result.out);
  }
}

oci::Error failure_of(const TestedImage& image, const TestResult& result) {
  oci::Error error(oci::Errc::refused, fmt::format("the test `{}` of `{}` failed",
                                                   result.name, image.title()));
  if (!result.place.file.empty()) error.at(result.place);
  add_findings(result, error);
  if (result.outcome == Outcome::waived) error.add_note("waived: " + result.waiver);
  return error;
}

// One for each reason, since it is mostly one for all tests.
void tell_skipped(Session& session, const TestedImage& image) {
  std::set<std::string> told;
  for (const TestResult& result : image.results) {
    if (result.outcome != Outcome::skipped || !told.insert(result.reason).second)
      continue;
    std::size_t count = 0;
    for (const TestResult& other : image.results)
      count += other.outcome == Outcome::skipped && other.reason == result.reason ? 1 : 0;
    oci::Error warning(
        oci::Errc::machine,
        fmt::format("{} {} of `{}` {} not run", count, count == 1 ? "test" : "tests",
                    image.title(), count == 1 ? "was" : "were"));
    warning.add_note(result.reason);
    if (!result.cure.empty()) warning.add_hint(result.cure);
    session.tell(warning, Problem::Severity::warning);
  }
}

std::string_view word_for(Outcome outcome) {
  switch (outcome) {
    case Outcome::passed:
      return "passed";
    case Outcome::failed:
      return "failed";
    case Outcome::waived:
      return "waived";
    case Outcome::skipped:
      return "skipped";
  }
  return "";
}

nlohmann::json described(const oci::Place& place) {
  return {{"file", visible(place.file)}, {"line", place.line}, {"column", place.column}};
}

nlohmann::json described(const TestResult& result) {
  nlohmann::json document = {
      {"name", visible(result.name)},       {"place", described(result.place)},
      {"result", word_for(result.outcome)}, {"remembered", result.remembered},
      {"ms", result.took.count()},          {"findings", nlohmann::json::array()}};
  for (const TestFinding& finding : result.findings)
    document["findings"].push_back({{"place", described(finding.place)},
                                    {"subject", finding.subject},
                                    {"expected", finding.expected},
                                    {"found", finding.found}});
  const std::pair<const char*, std::string> texts[] = {
      {"stdout", result.out},
      {"stderr", result.err},
      {"reason", visible(result.reason)},
      {"cure", visible(result.cure)},
      {"waiver", visible(result.waiver)}};
  for (const auto& [name, text] : texts) {
    if (!text.empty()) document[name] = text;
  }
  return document;
}

std::string test_lines(const std::vector<TestedImage>& images) {
  std::string lines;
  for (const TestedImage& image : images) {
    for (const TestResult& result : image.results)
      lines += fmt::format("{:<7}  {}  {}\n", word_for(result.outcome), image.title(),
                           visible(result.name));
  }
  return lines;
}

std::string test_document(const std::vector<TestedImage>& images) {
  const TestCounts counts = count_tests(images);
  nlohmann::json document = {
      {"schema", "lithify.test/1"}, {"passed", counts.passed},
      {"failed", counts.failed},    {"waived", counts.waived},
      {"skipped", counts.skipped},  {"images", nlohmann::json::array()}};
  for (const TestedImage& image : images) {
    nlohmann::json entry = {{"name", image.name},
                            {"platform", image.platform.str()},
                            {"digest", image.manifest.digest.str()},
                            {"tests", nlohmann::json::array()}};
    for (const TestResult& result : image.results)
      entry["tests"].push_back(described(result));
    document["images"].push_back(std::move(entry));
  }
  return oci::canonical_json(document) + "\n";
}

void write_junit(const std::string& file, const std::vector<TestedImage>& images) {
  std::vector<TestSuite> suites;
  for (const TestedImage& image : images)
    suites.push_back({image.title(), image.results});
  oci::during([&] { return "writing " + file; },
              [&] { oci::write_file_atomically(file, junit_xml(suites)); });
}

}  // namespace

oci::ImageConfig config_of(const oci::Repository& images, const oci::Descriptor& which) {
  const auto manifest = oci::Manifest::parse(images.manifest(which), which.digest.str());
  const auto text = images.open({manifest.config.digest, manifest.config.size});
  return oci::ImageConfig::parse(
      oci::read_all(*text, oci::k_max_json, "image configuration"),
      "image configuration");
}

std::string TestedImage::title() const {
  return of_several ? name + " " + platform.str() : name;
}

void test_image(const BuildFacts& facts, const VariantPlan& plan, TestedImage& image) {
  oci::Activity activity(facts.session.progress(), "test " + image.title());
  image.results = VariantTests(facts, plan, image.manifest).run(activity);
  const bool failed =
      std::any_of(image.results.begin(), image.results.end(),
                  [](const TestResult& one) { return one.outcome == Outcome::failed; });
  activity.end(failed ? oci::Outcome::failed : oci::Outcome::done);
}

std::vector<TestedImage> test_images(const BuildFacts& facts,
                                     const std::vector<PackedImage>& images) {
  Session& session = facts.session;
  std::vector<TestedImage> tested;
  for (std::size_t i = 0; i < images.size(); ++i) {
    const ImagePlan& plan = facts.prepared.plan.images[i];
    for (std::size_t j = 0; j < plan.variants.size(); ++j) {
      const VariantPlan& variant = plan.variants[j];
      const PackedVariant& packed = images[i].variants[j];
      if (variant.tests.empty()) continue;
      TestedImage image{
          images[i].name, packed.manifest, packed.platform, plan.variants.size() > 1, {}};
      if (session.options().skip_tests) {
        image.results = all_skipped(variant.tests);
      } else {
        test_image(facts, variant, image);
      }
      tested.push_back(std::move(image));
    }
  }
  return tested;
}

void tell_tests(Session& session, const std::vector<TestedImage>& images) {
  if (!session.options().junit.empty()) write_junit(session.options().junit, images);
  for (const TestedImage& image : images) {
    for (const TestResult& result : image.results) {
      if (result.outcome == Outcome::failed)
        session.tell(failure_of(image, result), Problem::Severity::error);
      if (result.outcome == Outcome::waived)
        session.tell(failure_of(image, result), Problem::Severity::warning);
    }
    if (!session.options().skip_tests) tell_skipped(session, image);
  }
}

TestCounts count_tests(const std::vector<TestedImage>& images) {
  TestCounts counts;
  for (const TestedImage& image : images) {
    for (const TestResult& result : image.results) {
      counts.passed += result.outcome == Outcome::passed ? 1 : 0;
      counts.failed += result.outcome == Outcome::failed ? 1 : 0;
      counts.waived += result.outcome == Outcome::waived ? 1 : 0;
      counts.skipped += result.outcome == Outcome::skipped ? 1 : 0;
      counts.unwaived +=
          result.outcome == Outcome::skipped && result.waiver.empty() ? 1 : 0;
      counts.remembered += result.remembered ? 1 : 0;
    }
  }
  return counts;
}

std::string tests_line(const std::vector<TestedImage>& images) {
  if (images.empty()) return {};
  const TestCounts counts = count_tests(images);
  const std::pair<std::size_t, const char*> parts[] = {{counts.passed, "passed"},
                                                       {counts.failed, "failed"},
                                                       {counts.waived, "waived"},
                                                       {counts.skipped, "not run"}};
  std::string line;
  for (const auto& [count, word] : parts) {
    if (count > 0) line += fmt::format("{}{} {}", line.empty() ? "" : ", ", count, word);
  }
  if (counts.remembered > 0)
    line += fmt::format(" · {} known from before", counts.remembered);
  return "tests  " + line + "\n";
}

void refuse_skipping(const BuildPlan& plan) {
  for (const ImagePlan& image : plan.images) {
    for (const VariantPlan& variant : image.variants) {
      for (const TestRecipe& test : variant.tests) {
        const TestResult result = skipped(test, k_skip_tests);
        if (stops_push(result)) throw not_run(image.name, result);
      }
    }
  }
}

void refuse_untested(const std::vector<TestedImage>& images) {
  for (const TestedImage& image : images) {
    for (const TestResult& result : image.results) {
      if (stops_push(result)) throw not_run(image.title(), result);
    }
  }
}

int report_tests(Session& session, const std::vector<TestedImage>& images) {
  session.end_progress();
  session.print(session.options().json ? test_document(images) : test_lines(images));
  if (session.wants_summary())
    session.tell(images.empty() ? "no image has tests, or none whose `when` holds\n"
                                : tests_line(images));
  const TestCounts counts = count_tests(images);
  if (counts.failed > 0) return exits::k_refused;
  return counts.unwaived > 0 ? exits::k_machine : exits::k_ok;
}

}  // namespace lithify
