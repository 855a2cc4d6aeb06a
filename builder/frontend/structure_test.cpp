#include <algorithm>

#include <fmt/format.h>

#include "builder/frontend/check_shape.h"
#include "builder/frontend/codes.h"
#include "builder/frontend/fields.h"
#include "builder/frontend/read_tests.h"
#include "builder/frontend/schema_parts.h"
#include "builder/frontend/values.h"
#include "builder/plan/expand.h"

namespace lithify {

namespace {

constexpr const char* k_elsewhere =
    "lithify's tests have no such thing; say it in `tests`, or leave it out";

const Shape k_text = literal(scalar(Type::text));
const Shape k_some_text = literal(scalar(Type::some_text));
const Shape k_boolean = literal(scalar(Type::boolean));
const Shape k_id = literal(scalar(Type::id));
const Shape k_path = literal(scalar(Type::image_path));
const Shape k_exit = literal(integer(0, 255));
const Shape k_who = literal(choice({"any", "owner", "group", "other"}));
const Shape k_texts = list_of(k_text);
const Shape k_command = some(list_of(k_text));
const Shape k_commands = list_of(k_command);
const Shape k_pair = record({
    {"key", &k_some_text, "Its name.", "", true},
    {"value", &k_text, "Its value.", "", true},
    {"isRegex", &k_boolean, "Whether the value is an expression.", "false"},
});
const Shape k_pairs = list_of(k_pair);
const Shape k_command_test = record({
    {"name", &k_text, "Its name."},
    {"setup", &k_commands, "What runs before."},
    {"teardown", &k_commands, "What runs after."},
    {"envVars", &k_pairs, "Environment."},
    {"command", &k_some_text, "The program.", "", true},
    {"args", &k_texts, "Its arguments."},
    {"expectedOutput", &k_texts, "Expressions."},
    {"excludedOutput", &k_texts, "Expressions."},
    {"expectedError", &k_texts, "Expressions."},
    {"excludedError", &k_texts, "Expressions."},
    {"exitCode", &k_exit, "Its exit status."},
});
const Shape k_existence_test = record({
    {"name", &k_text, "Its name."},
    {"path", &k_path, "Which file.", "", true},
    {"shouldExist", &k_boolean, "Whether it is there.", "true"},
    {"permissions", &k_text, "As `ls -l` shows them."},
    {"uid", &k_id, "Its owner."},
    {"gid", &k_id, "Its group."},
    {"isExecutableBy", &k_who, "Who may execute it."},
});
const Shape k_content_test = record({
    {"name", &k_text, "Its name."},
    {"path", &k_path, "Which file.", "", true},
    {"expectedContents", &k_texts, "Expressions."},
    {"excludedContents", &k_texts, "Expressions."},
});
const Shape k_metadata = record({
    {"name", &k_text, "Its name."},
    {"env", &k_pairs, "Environment."},
    {"envVars", &k_pairs, "Environment."},
    {"labels", &k_pairs, "Labels."},
    {"exposedPorts", &k_texts, "Ports."},
    {"unexposedPorts", &k_texts, "Other ports."},
    {"volumes", &k_texts, "Volumes."},
    {"unmountedVolumes", &k_texts, "Other volumes."},
    {"entrypoint", &k_texts, "The program."},
    {"cmd", &k_texts, "Its arguments."},
    {"workdir", &k_text, "Where it starts."},
    {"user", &k_text, "Who runs it."},
});
const Shape k_options = record({
    {"user", &k_text, "Who runs commands."},
    {"privileged", nullptr, k_elsewhere},
    {"allocateTty", nullptr, k_elsewhere},
    {"envFile", nullptr, k_elsewhere},
    {"envVars", nullptr, k_elsewhere},
    {"capabilities", nullptr, k_elsewhere},
    {"bindMounts", nullptr, k_elsewhere},
});
const Shape k_command_tests = list_of(k_command_test);
const Shape k_existence_tests = list_of(k_existence_test);
const Shape k_content_tests = list_of(k_content_test);
const Shape k_file = record({
    {"schemaVersion", &k_text, "2.0.0.", "", true},
    {"globalEnvVars", &k_pairs, "Environment of all commands."},
    {"commandTests", &k_command_tests, "Commands."},
    {"fileExistenceTests", &k_existence_tests, "Files."},
    {"fileContentTests", &k_content_tests, "What is in files."},
    {"metadataTest", &k_metadata, "The configuration."},
    {"containerRunOptions", &k_options, "How commands run."},
    {"licenseTests", nullptr, k_elsewhere},
});

struct Permissions {
  FileExpectation::Type type = FileExpectation::Type::file;
  std::uint32_t mode = 0;
};

// As Go's FileMode writes them: "-rwxr-xr-x", "drwxr-xr-x", "Lrwxrwxrwx", and in front of
// the nine letters "u" for setuid, "g" for setgid, "t" for sticky: "urwxr-xr-x",
// "dtrwxrwxrwx". nullopt for what is none of these.
std::optional<Permissions> permissions(std::string_view text) {
  static constexpr std::string_view k_letters = "rwxrwxrwx";
  if (text.size() <= k_letters.size()) return std::nullopt;
  Permissions made;
  const std::size_t begin = text.size() - k_letters.size();
  for (std::size_t i = 0; i < k_letters.size(); ++i) {
    made.mode <<= 1;
    if (text[begin + i] == k_letters[i]) {
      made.mode |= 1;
    } else if (text[begin + i] != '-') {
      return std::nullopt;
    }
  }
  const std::string_view marks = text.substr(0, begin);
  for (const char mark : marks) {
    if (mark == 'd') {
      made.type = FileExpectation::Type::directory;
    } else if (mark == 'l' || mark == 'L') {
      made.type = FileExpectation::Type::symlink;
    } else if (mark == 'u') {
      made.mode |= 04000;
    } else if (mark == 'g') {
      made.mode |= 02000;
    } else if (mark == 't') {
      made.mode |= 01000;
    } else if (marks != "-") {
      return std::nullopt;
    }
  }
  return made;
}

// A pattern that matches this path alone.
std::string literal_glob(std::string_view path) {
  std::string glob;
  for (const char c : path) {
    const bool special = c == '*' || c == '?' || c == '[';
    glob += special ? fmt::format("[{}]", c) : std::string(1, c);
  }
  return glob;
}

class StructureTest {
 public:
  StructureTest(const YamlNode& file, Problems& problems)
      : file_(file), problems_(problems) {}

  std::vector<TestRecipe> read() {
    check_version();
    if (const YamlNode* options = file_.find("containerRunOptions"))
      user_ = text_of(*options, "user");
    for (const YamlNode& node : items_of(file_, "commandTests"))
      command_test(node);
    for (const YamlNode& node : items_of(file_, "fileExistenceTests"))
      existence_test(node);
    for (const YamlNode& node : items_of(file_, "fileContentTests"))
      content_test(node);
    if (const YamlNode* metadata = file_.find("metadataTest")) metadata_test(*metadata);
    return std::move(tests_);
  }

 private:
  void check_version() {
    const YamlNode* version = file_.find("schemaVersion");
    if (!version || version->text == "2.0.0") return;
    problems_.error(
        offence(code::k_version, version->place(),
                fmt::format("`schemaVersion: {}` is not known", version->text),
                "this version knows 2.0.0"));
  }

  TestRecipe& add(const YamlNode& node, const std::string& otherwise) {
    TestRecipe& test = tests_.emplace_back();
    test.place = node.place();
    test.name = text_of(node, "name");
    if (test.name.empty()) test.name = otherwise;
    return test;
  }

  void add_rules(std::vector<TextRule>& rules, const YamlNode& node, std::string_view key,
                 bool refuted) {
    for (const YamlNode* pattern : scalars_of(node.find(key))) {
      check_pattern(*pattern, problems_);
      rules.push_back({TextRule::Kind::matches, pattern->text, refuted});
    }
  }

  std::map<std::string, std::string> environment(const YamlNode& node,
                                                 std::string_view key) {
    std::map<std::string, std::string> all;
    for (const YamlNode& pair : items_of(node, key))
      all[text_of(pair, "key")] = text_of(pair, "value");
    return all;
  }

  // What a test's own variables say of the file's is known here; the rest is the image's.
  std::map<std::string, std::string> environment_of(const YamlNode& test) {
    const auto of_file = environment(file_, "globalEnvVars");
    auto all = environment(test, "envVars");
    for (auto& [variable, text] : all) {
      text = expand_variables(text, [&](const std::string& name) {
        const auto found = of_file.find(name);
        return found == of_file.end() ? std::nullopt : std::optional(found->second);
      });
    }
    all.insert(of_file.begin(), of_file.end());
    return all;
  }

  RunStep command(const YamlNode& node, std::vector<std::string> argv) {
    RunStep run;
    run.argv = std::move(argv);
    run.cwd = "";
    run.user = user_;
    run.env = environment_of(node);
    return run;
  }

  void command_test(const YamlNode& node) {
    std::vector<std::string> argv = texts_of(node, "args");
    argv.insert(argv.begin(), text_of(node, "command"));
    TestRecipe& test = add(node, fmt::format("run {}", fmt::join(argv, " ")));
    test.expands = true;
    test.run = command(node, std::move(argv));
    for (const YamlNode& words : items_of(node, "setup"))
      test.before.push_back(command(node, texts(&words)));
    for (const YamlNode& words : items_of(node, "teardown"))
      test.after.push_back(command(node, texts(&words)));
    test.exit = number_of(node, "exitCode", 0);
    add_rules(test.out, node, "expectedOutput", false);
    add_rules(test.out, node, "excludedOutput", true);
    add_rules(test.err, node, "expectedError", false);
    add_rules(test.err, node, "excludedError", true);
  }

  void existence_test(const YamlNode& node) {
    const std::string path = image_path_of(node, "path");
    const bool there = flag_of(node, "shouldExist", true);
    TestRecipe& test = add(node, (there ? "file " : "no file ") + path);
    if (!there) {
      test.absent = {literal_glob(path)};
      return;
    }
    FileExpectation& file = test.files.emplace_back();
    file.path = path;
    file.place = node.place();
    if (node.find("uid")) file.uid = id_of(node, "uid");
    if (node.find("gid")) file.gid = id_of(node, "gid");
    const std::string who = text_of(node, "isExecutableBy");
    if (!who.empty())
      file.any_of_mode = who == "owner"   ? 0100
                         : who == "group" ? 010
                         : who == "other" ? 01
                                          : 0111;
    const YamlNode* shown = node.find("permissions");
    if (!shown || !shown->is_scalar()) return;
    const auto wanted = permissions(shown->text);
    if (!wanted)
      return problems_.error(offence(
          code::k_test, shown->place(),
          fmt::format("`permissions` cannot be `{}`", shown->text),
          "expected permissions such as `-rw-r--r--`, `urwxr-xr-x`, `dtrwxrwxrwx`"));
    file.type = wanted->type;
    if (file.type != FileExpectation::Type::symlink) file.mode = wanted->mode;
  }

  void content_test(const YamlNode& node) {
    const std::string path = image_path_of(node, "path");
    TestRecipe& test = add(node, "content of " + path);
    FileExpectation& file = test.files.emplace_back();
    file.path = path;
    file.place = node.place();
    add_rules(file.text, node, "expectedContents", false);
    add_rules(file.text, node, "excludedContents", true);
  }

  std::map<std::string, TextRule> pairs(const YamlNode& node, std::string_view key) {
    std::map<std::string, TextRule> rules;
    for (const YamlNode& pair : items_of(node, key)) {
      const bool is_pattern = flag_of(pair, "isRegex", false);
      const YamlNode* value = pair.find("value");
      if (is_pattern && value) check_pattern(*value, problems_);
      rules[text_of(pair, "key")] = {
          is_pattern ? TextRule::Kind::matches : TextRule::Kind::equals,
          text_of(pair, "value")};
    }
    return rules;
  }

  std::vector<std::string> ports(const YamlNode& node, std::string_view key) {
    std::vector<std::string> all;
    for (const YamlNode* port : scalars_of(node.find(key))) {
      const auto parsed = parse_port(port->text);
      if (!parsed)
        problems_.error(offence(code::k_bad_value, port->place(),
                                fmt::format("`{}` cannot be `{}`", key, port->text),
                                "expected a port such as `80` or `53/udp`"));
      all.push_back(parsed.value_or(""));
    }
    return all;
  }

  static std::optional<std::vector<std::string>> program(const YamlNode& node,
                                                         std::string_view key) {
    const YamlNode* list = node.find(key);
    return list ? std::optional(texts(list)) : std::nullopt;
  }

  static std::optional<std::string> optional_text(const YamlNode& node,
                                                  std::string_view key) {
    return node.find(key) ? std::optional(text_of(node, key)) : std::nullopt;
  }

  void metadata_test(const YamlNode& node) {
    TestRecipe& test = add(node, "configuration");
    ConfigExpectation& config = test.config.emplace();
    config.env = pairs(node, "env");
    config.env.merge(pairs(node, "envVars"));
    config.labels = pairs(node, "labels");
    config.ports = ports(node, "exposedPorts");
    config.no_ports = ports(node, "unexposedPorts");
    config.volumes = texts_of(node, "volumes");
    config.no_volumes = texts_of(node, "unmountedVolumes");
    config.entrypoint = program(node, "entrypoint");
    config.cmd = program(node, "cmd");
    config.workdir = optional_text(node, "workdir");
    config.user = optional_text(node, "user");
  }

  const YamlNode& file_;
  Problems& problems_;
  std::string user_;
  std::vector<TestRecipe> tests_;
};

}  // namespace

std::vector<TestRecipe> read_structure_test(const std::string& file,
                                            std::string_view text, Problems& problems) {
  try {
    const YamlNode root = parse_yaml(file, text);
    check_shape(root, k_file, "a structure test", problems);
    return StructureTest(root, problems).read();
  } catch (const oci::Error& error) {
    problems.error(error);
    return {};
  }
}

}  // namespace lithify
