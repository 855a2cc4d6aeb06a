#include "builder/test/junit.h"

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>

#include "builder/test/text_rules.h"

namespace lithify {

namespace {

using Outcome = TestResult::Outcome;

// Lines of printable UTF-8 as text of XML. U+FFFE and U+FFFF are no characters of it.
std::string text_of_line(std::string_view line) {
  std::string xml;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const std::string_view rest = line.substr(i);
    if (rest.starts_with("\xef\xbf\xbe") || rest.starts_with("\xef\xbf\xbf")) {
      xml += rest[2] == '\xbe' ? "\\ufffe" : "\\uffff";
      i += 2;
      continue;
    }
    switch (line[i]) {
      case '&':
        xml += "&amp;";
        break;
      case '<':
        xml += "&lt;";
        break;
      case '>':
        xml += "&gt;";
        break;
      case '"':
        xml += "&quot;";
        break;
      default:
        xml += line[i];
    }
  }
  return xml;
}

std::string text(std::string_view lines) {
  std::string xml;
  for (;;) {
    const std::size_t end = lines.find('\n');
    xml += text_of_line(printable(lines.substr(0, end)));
    if (end == std::string_view::npos) return xml;
    xml += '\n';
    lines.remove_prefix(end + 1);
  }
}

std::string attribute(std::string_view name, std::string_view value) {
  return fmt::format(" {}=\"{}\"", name, text_of_line(printable(value)));
}

std::string seconds(std::chrono::milliseconds time) {
  const auto all = std::max<std::int64_t>(time.count(), 0);
  return fmt::format("{}.{:03}", all / 1000, all % 1000);
}

struct Counts {
  std::size_t tests = 0;
  std::size_t failures = 0;
  std::size_t skipped = 0;
  std::chrono::milliseconds took{0};

  void add(const TestResult& result) {
    ++tests;
    failures += result.outcome == Outcome::failed ? 1 : 0;
    skipped += result.outcome == Outcome::skipped || result.outcome == Outcome::waived;
    took += result.took;
  }
  std::string attributes() const {
    return attribute("tests", std::to_string(tests)) +
           attribute("failures", std::to_string(failures)) + attribute("errors", "0") +
           attribute("skipped", std::to_string(skipped)) +
           attribute("time", seconds(took));
  }
};

std::string findings_of(const TestResult& result) {
  std::string lines;
  for (const TestFinding& finding : result.findings) {
    lines += lines.empty() ? "" : "\n";
    if (!finding.place.file.empty())
      lines += fmt::format("{}:{}: ", finding.place.file, finding.place.line);
    lines += str(finding);
  }
  return lines;
}

std::string outcome_xml(const TestResult& result) {
  switch (result.outcome) {
    case Outcome::passed:
      return {};
    case Outcome::failed: {
      const std::string message =
          result.findings.empty() ? "" : str(result.findings.front());
      return fmt::format("      <failure{}{}>{}</failure>\n",
                         attribute("message", message), attribute("type", "finding"),
                         text(findings_of(result)));
    }
    case Outcome::waived:
      return fmt::format("      <skipped{}>{}</skipped>\n",
                         attribute("message", "waived: " + result.waiver),
                         text(findings_of(result)));
    case Outcome::skipped:
      return fmt::format("      <skipped{}/>\n", attribute("message", result.reason));
  }
  return {};
}

std::string case_xml(const TestResult& result, const std::string& suite) {
  std::string xml =
      "    <testcase" + attribute("name", result.name) + attribute("classname", suite);
  if (!result.place.file.empty())
    xml += attribute("file", result.place.file) +
           attribute("line", std::to_string(result.place.line));
  xml += attribute("time", seconds(result.took));
  std::string inside = outcome_xml(result);
  if (!result.out.empty())
    inside += fmt::format("      <system-out>{}</system-out>\n", text(result.out));
  if (!result.err.empty())
    inside += fmt::format("      <system-err>{}</system-err>\n", text(result.err));
  return inside.empty() ? xml + "/>\n" : xml + ">\n" + inside + "    </testcase>\n";
}

}  // namespace

std::string junit_xml(std::span<const TestSuite> suites) {
  Counts all;
  std::string inside;
  for (const TestSuite& suite : suites) {
    Counts counts;
    std::string cases;
    for (const TestResult& result : suite.results) {
      counts.add(result);
      all.add(result);
      cases += case_xml(result, suite.name);
    }
    inside += "  <testsuite" + attribute("name", suite.name) + counts.attributes() +
              ">\n" + cases + "  </testsuite>\n";
  }
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites" +
         attribute("name", "lithify") + all.attributes() + ">\n" + inside +
         "</testsuites>\n";
}

}  // namespace lithify
