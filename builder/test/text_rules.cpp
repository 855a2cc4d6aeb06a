#include "builder/test/text_rules.h"

#include <algorithm>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/plan/pattern.h"

namespace lithify {

namespace {

constexpr std::size_t k_longest_quoted = 160;
constexpr std::size_t k_longest_line = 400;
constexpr std::size_t k_last_lines = 12;

// How many bytes the code point at the beginning takes; 0 if it is no UTF-8.
std::size_t code_point(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned first = byte(0);
  const std::size_t length = first < 0x80                    ? 1
                             : first >= 0xc2 && first < 0xe0 ? 2
                             : first >= 0xe0 && first < 0xf0 ? 3
                             : first >= 0xf0 && first < 0xf5 ? 4
                                                             : 0;
  if (length == 0 || length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  if (length < 3) return length;
  const unsigned second = byte(1);
  const bool overlong =
      (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool beyond =
      (first == 0xed && second >= 0xa0) || (first == 0xf4 && second >= 0x90);
  return overlong || beyond ? 0 : length;
}

std::string escaped(std::string_view text, bool in_quotes) {
  std::string shown;
  while (!text.empty()) {
    const std::size_t length = code_point(text);
    const char c = text[0];
    const bool control =
        length == 1 && (static_cast<unsigned char>(c) < 0x20 || c == 0x7f);
    if (c == '\n') {
      shown += "\\n";
    } else if (c == '\t') {
      shown += "\\t";
    } else if (c == '\r') {
      shown += "\\r";
    } else if (in_quotes && (c == '"' || c == '\\')) {
      shown += fmt::format("\\{}", c);
    } else if (length == 0 || control) {
      shown += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      shown += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return shown;
}

// No code point is torn where the text is cut.
std::string_view head(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80)
    --most;
  return text.substr(0, most);
}

std::string_view tail(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  std::size_t begin = text.size() - most;
  while (begin < text.size() && (static_cast<unsigned char>(text[begin]) & 0xc0) == 0x80)
    ++begin;
  return text.substr(begin);
}

bool holds(const TextRule& rule, std::string_view text) {
  switch (rule.kind) {
    case TextRule::Kind::contains:
      return text.find(rule.text) != std::string_view::npos;
    case TextRule::Kind::equals:
      return text == rule.text;
    case TextRule::Kind::matches:
      break;
  }
  std::string why;
  const auto pattern = Pattern::compile(rule.text, why);
  if (!pattern)
    throw oci::Error(oci::Errc::internal, "a pattern was not checked: " + why);
  return pattern->occurs_in(text);
}

std::string wish(const TextRule& rule) {
  const std::string no = rule.refuted ? "nothing" : "something";
  switch (rule.kind) {
    case TextRule::Kind::contains:
      return fmt::format("{} with {}", no, quoted(rule.text));
    case TextRule::Kind::equals:
      return fmt::format("{}{}", rule.refuted ? "anything but " : "", quoted(rule.text));
    case TextRule::Kind::matches:
      return fmt::format("{} that matches `{}`", no, escaped(rule.text, false));
  }
  return {};
}

}  // namespace

std::string printable(std::string_view text) {
  return escaped(text, false);
}

std::string quoted(std::string_view text) {
  if (text.size() <= k_longest_quoted) return '"' + escaped(text, true) + '"';
  const std::size_t half = k_longest_quoted / 2;
  return fmt::format("\"{}\" … \"{}\" ({} bytes)", escaped(head(text, half), true),
                     escaped(tail(text, half), true), text.size());
}

std::string last_lines(std::string_view text, bool is_cut) {
  const bool ends_line = text.ends_with('\n');
  std::string_view rest = ends_line ? text.substr(0, text.size() - 1) : text;
  if (rest.empty()) return {};
  std::vector<std::string> lines;
  for (bool more = true; more && lines.size() < k_last_lines;) {
    const std::size_t end = rest.rfind('\n');
    more = end != std::string_view::npos;
    const std::string_view line = more ? rest.substr(end + 1) : rest;
    lines.push_back(escaped(head(line, k_longest_line), false) +
                    (line.size() > k_longest_line ? " …" : ""));
    rest = more ? rest.substr(0, end) : std::string_view();
  }
  std::string shown;
  if (!rest.empty()) shown = "… (earlier lines are left out)\n";
  for (auto line = lines.rbegin(); line != lines.rend(); ++line)
    shown += (line == lines.rbegin() ? "" : "\n") + *line;
  if (is_cut) shown += "\n… (what it wrote later is left out)";
  return shown;
}

void judge_text(const std::vector<TextRule>& rules, const JudgedText& text,
                const TestFinding& about, std::vector<TestFinding>& findings) {
  const bool is_cut = text.size > text.text.size();
  for (const TextRule& rule : rules) {
    const bool held = holds(rule, text.text);
    const bool speaks_of_all =
        rule.refuted || rule.kind == TextRule::Kind::equals ||
        (rule.kind == TextRule::Kind::matches && rule.text.ends_with('$'));
    // What stands in the beginning is there, whatever follows.
    const bool decided = !is_cut || !speaks_of_all || (rule.refuted && held);
    if (decided && held != rule.refuted) continue;
    TestFinding finding = about;
    finding.expected = wish(rule);
    finding.found = text.text.empty() ? "nothing" : quoted(text.text);
    if (is_cut)
      finding.found +=
          fmt::format(", the first {} of {} bytes, which alone are looked at",
                      text.text.size(), text.size);
    if (rule.kind == TextRule::Kind::equals && !rule.refuted && !is_cut &&
        text.text == rule.text + "\n")
      finding.found += ": only the newline at the end is not in what is expected";
    findings.push_back(std::move(finding));
  }
}

}  // namespace lithify
