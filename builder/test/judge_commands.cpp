#include <cstring>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "oci/base/utf8.h"

#include "builder/plan/expand.h"
#include "builder/test/judge.h"
#include "builder/test/text_rules.h"

namespace lithify {

namespace {

constexpr std::int64_t k_timeout = 600;  // seconds: a test that hangs is one that failed

std::string words_of(const RunStep& command) {
  std::string words;
  for (const std::string& word : command.argv)
    words += (words.empty() ? "" : " ") + printable(word);
  constexpr std::size_t k_most = 80;
  return words.size() <= k_most ? words
                                : std::string(oci::whole_characters(words, k_most)) + "…";
}

std::string how_it_ended(const CommandResult& result) {
  switch (result.end) {
    case CommandResult::End::exited:
      return std::to_string(result.number);
    case CommandResult::End::signalled:
      return fmt::format("none: signal {} ({}) ended it", result.number,
                         ::strsignal(result.number));
    case CommandResult::End::timed_out:
      return fmt::format("none: it was stopped after {} s", result.number);
    case CommandResult::End::out_of_memory:
      return "none: it needed more memory than it may have";
    case CommandResult::End::not_started:
      return "none: it could not be started: " + printable(result.why);
  }
  return {};
}

bool exited_with(const CommandResult& result, int status) {
  return result.end == CommandResult::End::exited && result.number == status;
}

void judge_beside(const TestRecipe& test, const char* what, const RunStep& command,
                  const CommandResult& result, std::vector<TestFinding>& findings) {
  if (exited_with(result, 0)) return;
  findings.push_back(
      {test.place, fmt::format("the exit status of the {} `{}`", what, words_of(command)),
       "0", how_it_ended(result)});
}

// A variable that the image does not have is empty.
void expand_environment(RunStep& command, const oci::ImageConfig& config) {
  const std::map<std::string, std::string> variables(config.env.begin(),
                                                     config.env.end());
  for (auto& [variable, text] : command.env) {
    text = expand_variables(text, [&](const std::string& name) {
      const auto found = variables.find(name);
      return std::optional(found == variables.end() ? "" : found->second);
    });
  }
}

RunStep command_in(const RunStep& written, bool expands, const oci::ImageConfig& config) {
  RunStep command = written;
  if (expands) expand_environment(command, config);
  for (const auto& [name, value] : config.env)
    command.env.emplace(name, value);
  if (command.limits.timeout == 0) command.limits.timeout = k_timeout;
  if (command.cwd.empty()) command.cwd = config.working_dir;
  if (!command.cwd.starts_with('/')) command.cwd.insert(0, "/");
  if (command.user.empty()) command.user = config.user.empty() ? "0" : config.user;
  return command;
}

}  // namespace

std::vector<TestFinding> judge_commands(const TestRecipe& test,
                                        const SequenceResult& result) {
  std::vector<TestFinding> findings;
  for (std::size_t i = 0; i < result.before.size(); ++i)
    judge_beside(test, "set-up", test.before[i], result.before[i], findings);
  if (result.run) {
    if (!exited_with(*result.run, test.exit))
      findings.push_back({test.place, "the exit status", std::to_string(test.exit),
                          how_it_ended(*result.run)});
    const auto judge_stream = [&](const std::vector<TextRule>& rules,
                                  const CapturedText& text, const char* subject) {
      judge_text(rules, {text.text, text.size}, {test.place, subject, "", ""}, findings);
    };
    if (result.run->end != CommandResult::End::not_started) {
      judge_stream(test.out, result.run->out, "standard output");
      judge_stream(test.err, result.run->err, "standard error");
    }
  }
  for (std::size_t i = 0; i < result.after.size(); ++i)
    judge_beside(test, "tear-down", test.after[i], result.after[i], findings);
  return findings;
}

CommandSequence commands_in(const TestRecipe& test, const oci::ImageConfig& config) {
  CommandSequence sequence;
  for (const RunStep& command : test.before)
    sequence.before.push_back(command_in(command, test.expands, config));
  sequence.run = command_in(*test.run, test.expands, config);
  for (const RunStep& command : test.after)
    sequence.after.push_back(command_in(command, test.expands, config));
  return sequence;
}

}  // namespace lithify
