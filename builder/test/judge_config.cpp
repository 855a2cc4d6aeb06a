#include <fmt/format.h>

#include "builder/test/judge.h"
#include "builder/test/text_rules.h"

namespace lithify {

namespace {

// As the build file writes it.
std::string list_text(const std::optional<std::vector<std::string>>& words) {
  if (!words) return "nothing";
  std::string text;
  for (const std::string& word : *words)
    text += (text.empty() ? "" : ", ") + quoted(word);
  return "[" + text + "]";
}

class ConfigJudge {
 public:
  ConfigJudge(const TestRecipe& test, std::vector<TestFinding>& findings)
      : test_(test), findings_(findings) {}

  void judge(const ConfigExpectation& expected, const oci::ImageConfig& config) {
    judge_values("the variable", expected.env, {config.env.begin(), config.env.end()});
    judge_values("the label", expected.labels, config.labels);
    judge_names("the port", expected.ports, config.exposed_ports, true);
    judge_names("the port", expected.no_ports, config.exposed_ports, false);
    judge_names("the volume", expected.volumes, config.volumes, true);
    judge_names("the volume", expected.no_volumes, config.volumes, false);
    judge_list("the entrypoint", expected.entrypoint, config.entrypoint);
    judge_list("the command", expected.cmd, config.cmd);
    judge_value("the working directory", expected.workdir, config.working_dir);
    judge_value("the user", expected.user, config.user);
  }

 private:
  void judge_values(const std::string& what, const std::map<std::string, TextRule>& rules,
                    const std::map<std::string, std::string>& values) {
    for (const auto& [name, rule] : rules) {
      const auto value = values.find(name);
      const std::string subject = what + " " + printable(name);
      if (value == values.end()) {
        add(subject, "to be there", "nothing");
        continue;
      }
      judge_text({rule}, {value->second, value->second.size()},
                 {test_.place, subject, "", ""}, findings_);
    }
  }

  void judge_names(const std::string& what, const std::vector<std::string>& names,
                   const std::set<std::string>& there, bool wanted) {
    for (const std::string& name : names) {
      if (there.contains(name) == wanted) continue;
      std::string all;
      for (const std::string& other : there)
        all += (all.empty() ? "" : ", ") + printable(other);
      add(what + " " + printable(name), wanted ? "to be declared" : "not to be declared",
          all.empty() ? "none" : all);
    }
  }

  // There an empty list and none are the same.
  void judge_list(const std::string& what,
                  const std::optional<std::vector<std::string>>& expected,
                  const std::optional<std::vector<std::string>>& found) {
    if (!expected || *expected == found.value_or(std::vector<std::string>())) return;
    add(what, list_text(expected), list_text(found));
  }

  void judge_value(const std::string& what, const std::optional<std::string>& expected,
                   const std::string& found) {
    if (!expected || *expected == found) return;
    add(what, quoted(*expected), found.empty() ? "none" : quoted(found));
  }

  void add(std::string subject, std::string expected, std::string found) {
    findings_.push_back(
        {test_.place, std::move(subject), std::move(expected), std::move(found)});
  }

  const TestRecipe& test_;
  std::vector<TestFinding>& findings_;
};

}  // namespace

std::vector<TestFinding> judge_config(const TestRecipe& test,
                                      const oci::ImageConfig& config) {
  std::vector<TestFinding> findings;
  if (test.config) ConfigJudge(test, findings).judge(*test.config, config);
  return findings;
}

}  // namespace lithify
