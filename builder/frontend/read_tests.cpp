#include "builder/frontend/read_tests.h"

#include <algorithm>

#include <fmt/format.h>

#include "oci/base/utf8.h"

#include "builder/frontend/codes.h"
#include "builder/frontend/fields.h"
#include "builder/frontend/read_run.h"
#include "builder/frontend/read_when.h"
#include "builder/frontend/values.h"
#include "builder/plan/pattern.h"

namespace lithify {

namespace {

constexpr std::size_t k_longest_name = 60;  // bytes of a script that name its test

// The first line that says something, as far as it goes into a name.
std::string first_line(std::string_view script) {
  script.remove_prefix(std::min(script.find_first_not_of(" \t\n"), script.size()));
  script = script.substr(0, script.find('\n'));
  return std::string(oci::whole_characters(script, k_longest_name));
}

constexpr std::size_t k_max_tests = 1000;  // of one image
constexpr std::size_t k_max_files = 64;    // with tests, of one image

FileExpectation::Type type_of(const YamlNode& node) {
  const std::string type = text_of(node, "type");
  return type == "file"      ? FileExpectation::Type::file
         : type == "dir"     ? FileExpectation::Type::directory
         : type == "symlink" ? FileExpectation::Type::symlink
                             : FileExpectation::Type::any;
}

FileExpectation::Elf elf_of(const YamlNode& node) {
  const std::string elf = text_of(node, "elf");
  return elf == "static"    ? FileExpectation::Elf::fixed
         : elf == "dynamic" ? FileExpectation::Elf::dynamic
                            : FileExpectation::Elf::any;
}

class TestReader {
 public:
  TestReader(const StepContext& context, const ReadFile& read_file)
      : context_(context), read_file_(read_file) {}

  std::vector<TestRecipe> read(const YamlNode& list) {
    for (const YamlNode& node : list.items) {
      if (!node.is_map() || !applies(node)) continue;
      const std::size_t before = tests_.size();
      if (node.find("structure-test")) {
        add_structure_test(node);
      } else {
        add(node);
      }
      for (std::size_t i = before; i < tests_.size(); ++i)
        tests_[i].waiver = waiver_of(node);
      if (tests_.size() > k_max_tests) {
        context_.problems.error(
            offence(code::k_too_large, node.place(),
                    fmt::format("more than {} tests of one image", k_max_tests)));
        break;
      }
    }
    return std::move(tests_);
  }

 private:
  bool applies(const YamlNode& test) {
    const YamlNode* when = test.find("when");
    if (!when) return true;
    const StepPlatforms& platforms = context_.platforms;
    const bool arguments =
        arguments_hold(*when, platforms.target_scope, context_.problems);
    return platform_holds(*when, platforms.target) && arguments;
  }

  static std::string waiver_of(const YamlNode& test) {
    const YamlNode* waiver = test.find("waiver");
    return waiver ? text_of(*waiver, "reason") : "";
  }

  void add(const YamlNode& node) {
    TestRecipe test;
    test.place = node.place();
    std::string what;
    if (const YamlNode::Entry* run = node.find_entry("run")) {
      what = read_command(node, *run, test);
    } else if (const YamlNode* files = node.find("files")) {
      what = read_files(*files, test);
    } else if (node.find("absent")) {
      test.absent = texts_of(node, "absent");
      what = fmt::format("absent {}", fmt::join(test.absent, " "));
    } else if (const YamlNode* size = node.find("size")) {
      test.max_size = parse_size(text_of(*size, "max"));
      what = "size at most " + text_of(*size, "max");
    } else {
      return;  // already reported
    }
    test.name = text_of(node, "name", what);
    tests_.push_back(std::move(test));
  }

  std::string read_command(const YamlNode& node, const YamlNode::Entry& run,
                           TestRecipe& test) {
    RunStep& made = test.run.emplace();
    made.argv = command_of(run.value, node.find("shell"), context_.problems);
    made.env = text_map_of(node, "env");
    made.cwd = image_path_of(node, "cwd");
    const YamlNode* user = node.find("user");
    made.user =
        user && user->is_scalar() ? context_.accounts.user(*user, context_.problems) : "";
    made.limits.timeout = seconds_of(node, "timeout", context_.problems);
    if (const YamlNode* expect = node.find("expect")) {
      test.exit = number_of(*expect, "exit", 0);
      test.out = rules(expect->find("stdout"));
      test.err = rules(expect->find("stderr"));
    }
    return "run " + (run.value.is_scalar()
                         ? first_line(run.value.text)
                         : fmt::format("{}", fmt::join(made.argv, " ")));
  }

  std::string read_files(const YamlNode& files, TestRecipe& test) {
    std::vector<std::string> paths;
    for (const YamlNode::Entry& entry : files.entries) {
      FileExpectation file;
      file.place = entry.key.place();
      file.path = parse_image_path(entry.key.text).value_or("");
      paths.push_back(file.path);
      const YamlNode& node = entry.value;
      file.type = type_of(node);
      file.mode = mode_of(node, "mode");
      const YamlNode* owner = node.find("owner");
      if (owner && owner->is_scalar()) {
        const Owner resolved = context_.accounts.resolve(*owner, context_.problems);
        file.uid = resolved.uid;
        file.gid = resolved.gid;
      }
      file.text = rules(node.find("text"));
      file.elf = elf_of(node);
      check_kind(node, file);
      test.files.push_back(std::move(file));
    }
    return fmt::format("files {}", fmt::join(paths, " "));
  }

  // A directory has no text, and only a file is a program.
  void check_kind(const YamlNode& node, const FileExpectation& file) {
    const bool is_directory = file.type == FileExpectation::Type::directory;
    const bool is_link = file.type == FileExpectation::Type::symlink;
    const YamlNode::Entry* wrong = is_directory ? node.find_entry("text") : nullptr;
    if (is_directory || is_link)
      wrong = node.find_entry("elf") ? node.find_entry("elf") : wrong;
    if (is_link && node.find("mode")) wrong = node.find_entry("mode");
    if (!wrong) return;
    context_.problems.error(
        offence(code::k_test, wrong->key.place(),
                fmt::format("a {} has no `{}`", is_link ? "symlink" : "directory",
                            wrong->key.text),
                fmt::format("`type: {}`", text_of(node, "type"))));
  }

  std::vector<TextRule> rules(const YamlNode* node) {
    std::vector<TextRule> made;
    if (!node) return made;
    if (node->is_scalar()) return {{TextRule::Kind::equals, node->text}};
    for (const std::string& text : texts_of(*node, "contains"))
      made.push_back({TextRule::Kind::contains, text});
    if (const YamlNode* all = node->find("equals"); all && all->is_scalar())
      made.push_back({TextRule::Kind::equals, all->text});
    for (const YamlNode* pattern : scalars_of(node->find("matches"))) {
      check_pattern(*pattern, context_.problems);
      made.push_back({TextRule::Kind::matches, pattern->text});
    }
    if (node->is_map() && node->entries.empty())
      context_.problems.error(offence(code::k_test, node->place(),
                                      "expected `contains`, `equals` or `matches`",
                                      "asks for nothing"));
    return made;
  }

  void add_structure_test(const YamlNode& node) {
    const YamlNode& path = *node.find("structure-test");
    if (!path.is_scalar()) return;  // already reported
    if (++files_ > k_max_files)
      return context_.problems.error(
          offence(code::k_too_large, path.place(),
                  fmt::format("more than {} files of tests for one image", k_max_files)));
    const auto text = read_file_ ? read_file_(path.text) : std::optional<std::string>();
    if (!text) {
      oci::Error error =
          offence(code::k_test, path.place(), fmt::format("{} cannot be read", path.text),
                  "no such file");
      error.add_hint("the path is relative to the build file");
      return context_.problems.error(std::move(error));
    }
    auto read = read_structure_test(path.text, *text, context_.problems);
    for (TestRecipe& test : read)
      tests_.push_back(std::move(test));
  }

  const StepContext& context_;
  const ReadFile& read_file_;
  std::vector<TestRecipe> tests_;
  std::size_t files_ = 0;
};

}  // namespace

void check_pattern(const YamlNode& pattern, Problems& problems) {
  std::string why;
  if (Pattern::compile(pattern.text, why)) return;
  problems.error(
      offence(code::k_test, pattern.place(),
              fmt::format("`{}` is no pattern: {}",
                          pattern.text.substr(0, pattern.text.find('\n')), why)));
}

std::vector<TestRecipe> read_tests(const YamlNode* tests, const StepContext& context,
                                   const ReadFile& read_file) {
  if (!tests) return {};
  return TestReader(context, read_file).read(*tests);
}

}  // namespace lithify
