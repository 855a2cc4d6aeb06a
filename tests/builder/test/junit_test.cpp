// junit: what CI systems are given.
#include "builder/test/junit.h"

#include "tests/support/catch.h"
#include "tests/support/golden.h"

namespace lithify {
namespace {

TestResult result(std::string name, TestResult::Outcome outcome) {
  TestResult made;
  made.name = std::move(name);
  made.place = {"lithify.yaml", 12, 7, 3};
  made.outcome = outcome;
  made.took = std::chrono::milliseconds(1234);
  return made;
}

}  // namespace

TEST_CASE("results of each kind are told as JUnit has them") {
  TestResult failed = result("prints <its> \"version\"", TestResult::Outcome::failed);
  failed.findings = {
      {{"lithify.yaml", 12}, "the exit status", "0", "3"},
      {{"lithify.yaml", 12}, "standard output", "something with \"2.0\"", "\"1.0\\n\""}};
  failed.out = "1.0";
  failed.err = "a & b\nc";
  TestResult waived = result("late", TestResult::Outcome::waived);
  waived.findings = {{{"lithify.yaml", 14}, "/a", "to be there", "nothing"}};
  waived.waiver = "comes with 2.0";
  TestResult skipped = result("runs", TestResult::Outcome::skipped);
  skipped.reason = "no command can be run on this machine";
  const std::vector<TestSuite> suites = {
      {"web linux/amd64",
       {result("files /etc/motd", TestResult::Outcome::passed), failed, waived}},
      {"web linux/arm64", {skipped}}};
  check_golden("test/junit.xml", junit_xml(suites));
}

TEST_CASE("what XML forbids is spelled out") {
  TestResult hostile = result(
      "a\x01"
      "b\x1b[31m\xff]]>\xef\xbf\xbe\xef\xbf\xbf",
      TestResult::Outcome::skipped);
  hostile.place.file = "we<ird\n.yaml";
  hostile.reason = "late\r\n\"quoted\"";
  const std::vector<TestSuite> suites = {{"gr\u00fcn", {hostile}}};
  const std::string xml = junit_xml(suites);
  CHECK_THAT(xml,
             Catch::Matchers::Contains(R"(name="a\x01b\x1b[31m\xff]]&gt;\ufffe\uffff")"));
  CHECK_THAT(xml, Catch::Matchers::Contains(R"(file="we&lt;ird\n.yaml")"));
  CHECK_THAT(xml, Catch::Matchers::Contains(R"(message="late\r\n&quot;quoted&quot;")"));
  CHECK_THAT(xml, Catch::Matchers::Contains("name=\"gr\u00fcn\""));
}

TEST_CASE("no tests are a document too") {
  CHECK(junit_xml({}) ==
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<testsuites name=\"lithify\" tests=\"0\" failures=\"0\" errors=\"0\" "
        "skipped=\"0\" "
        "time=\"0.000\">\n</testsuites>\n");
}

}  // namespace lithify
