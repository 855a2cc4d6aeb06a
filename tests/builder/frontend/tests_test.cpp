// tests: what a built image is held to.
#include <fmt/format.h>

#include "tests/builder/frontend/reading.h"

using namespace lithify;

namespace {

std::string file_with(const std::string& tests) {
  return "lithify: 1\nimage:\n  from: scratch\n  tests:\n" + tests;
}

std::vector<TestRecipe> tests_of(const std::string& tests, FrontendOptions options = {}) {
  return recipe_of(file_with(tests), std::move(options))
      .images.at(0)
      .variants.at(0)
      .tests;
}

std::string errors_of(const std::string& test) {
  return errors_in(file_with("    - " + test + "\n"));
}

FrontendOptions with_file(const std::string& text) {
  FrontendOptions options;
  options.read_file = [text](const std::string& path) {
    return path == "cst.yaml" ? std::optional(text) : std::nullopt;
  };
  return options;
}

std::vector<TestRecipe> structure(const std::string& text) {
  return tests_of("    - structure-test: cst.yaml\n",
                  with_file("schemaVersion: 2.0.0\n" + text));
}

std::string structure_errors(const std::string& text) {
  return errors_in(file_with("    - structure-test: cst.yaml\n"), with_file(text));
}

}  // namespace

TEST_CASE("a test runs a command and looks at what comes of it") {
  const auto tests = tests_of(
      "    - name: version\n"
      "      run: [/hello, --version]\n"
      "      expect: {exit: 3, stdout: {contains: [a, b], matches: '^v[0-9]'}, stderr: "
      "''}\n"
      "      waiver: {reason: no such machine}\n"
      "    - {run: hello, cwd: /x, user: '1:1', env: {A: b}, timeout: 5s}\n");
  REQUIRE(tests.size() == 2);
  CHECK(tests[0].name == "version");
  REQUIRE(tests[0].run.has_value());
  CHECK(tests[0].run->argv == std::vector<std::string>{"/hello", "--version"});
  CHECK(tests[0].run->cwd.empty());
  CHECK(tests[0].run->user.empty());
  CHECK(tests[0].exit == 3);
  REQUIRE(tests[0].out.size() == 3);
  CHECK(tests[0].out[1].text == "b");
  CHECK(tests[0].out[2].kind == TextRule::Kind::matches);
  REQUIRE(tests[0].err.size() == 1);
  CHECK(tests[0].err[0].kind == TextRule::Kind::equals);
  CHECK(tests[0].waiver == "no such machine");
  CHECK(tests[1].name == "run hello");
  CHECK(tests[1].waiver.empty());
  CHECK(tests[1].run->argv.size() == 4);
  CHECK(tests[1].run->cwd == "/x");
  CHECK(tests[1].run->user == "1:1");
  CHECK(tests[1].run->env.at("A") == "b");
  CHECK(tests[1].run->limits.timeout == 5);
}

TEST_CASE("a test without a name is called after the first line of its script") {
  const auto name_of = [](const std::string& script) {
    return tests_of("    - run: \"" + script + "\"\n").front().name;
  };
  CHECK(name_of("\\n  hello --now\\nmore") == "run hello --now");
  CHECK(name_of(std::string(70, 'x')) == "run " + std::string(60, 'x'));
  // 59 bytes, and a character of two that would end behind the 60th.
  CHECK(name_of(std::string(59, 'x') + "\u00e9 more") == "run " + std::string(59, 'x'));
}

TEST_CASE("a test looks at files, at what is not there and at the size") {
  const auto tests = tests_of(
      "    - files: {/bin/x/: {type: file, mode: '4755', owner: '1:2', elf: static},"
      " /l: {type: symlink, text: x}, /d: {}}\n"
      "    - absent: ['/usr/include/**', '**/*.a']\n"
      "    - size: {max: 15MiB}\n");
  REQUIRE(tests.size() == 3);
  CHECK(tests[0].name == "files /bin/x /l /d");
  REQUIRE(tests[0].files.size() == 3);
  const FileExpectation& file = tests[0].files[0];
  CHECK(file.path == "/bin/x");
  CHECK(file.type == FileExpectation::Type::file);
  CHECK(file.mode == 04755u);
  CHECK(file.uid == 1u);
  CHECK(file.gid == 2u);
  CHECK(file.elf == FileExpectation::Elf::fixed);
  CHECK(tests[0].files[1].text.at(0).text == "x");
  CHECK(tests[0].files[2].type == FileExpectation::Type::any);
  CHECK(tests[1].absent.size() == 2);
  CHECK(tests[2].max_size == 15u << 20);
  CHECK(tests[2].name == "size at most 15MiB");
}

TEST_CASE("tests depend on conditions and know the platform") {
  const auto tests = tests_of(
      "    - {run: [x], when: {platform: linux/arm64}}\n"
      "    - {run: [x, $(platform.arch)], expect: {stdout: $(platform.arch)}}\n");
  REQUIRE(tests.size() == 1);
  CHECK(tests[0].run->argv[1] == "$(platform.arch)");
  CHECK(tests[0].out.at(0).text == "amd64");
}

TEST_CASE("tests that make no sense are refused") {
  CHECK(errors_of("{run: x, files: {/a: {}}}") ==
        "L0025 5:16+5 one test has both `run` and `files`\n");
  CHECK(errors_of("{name: x}") ==
        "L0025 5:8+7 a test needs one of `run`, `files`, "
        "`absent`, `size`, `structure-test`\n");
  CHECK(errors_of("{run: x, expect: {exit: 256}}") ==
        "L0024 5:31+3 `exit` cannot be `256`\n");
  CHECK(errors_of("{run: x, expect: {stdout: {matches: 'a('}}}") ==
        "L0115 5:43+4 `a(` is no pattern: a `(` is not closed\n");
  CHECK(errors_of("{run: x, expect: {stdout: {}}}") ==
        "L0115 5:33+2 expected `contains`, `equals` or `matches`\n");
  CHECK(errors_of("{run: x, network: pinned}") ==
        "L0021 5:16+7 unknown field `network` in a `run` test\n");
  CHECK(errors_of("files: {a: {}}") == "L0024 5:15+1 `a` cannot be a name here\n");
  CHECK(errors_of("files: {/a: {type: dir, elf: static}}") ==
        "L0115 5:31+3 a directory has no `elf`\n");
  CHECK(errors_of("files: {/a: {type: symlink, mode: 777}}") ==
        "L0115 5:35+4 a symlink has no `mode`\n");
  CHECK(errors_of("files: {/a: {owner: app}}") ==
        "L0104 5:27+3 no earlier step declares user `app`\n");
  CHECK(errors_of("absent: []") == "L0024 5:15+2 `absent` is empty\n");
  CHECK(errors_of("size: {max: 15 MiB}") == "L0024 5:19+6 `max` cannot be `15 MiB`\n");
  CHECK(errors_of("size: 15MiB") == "L0020 5:13+5 `size`: expected a map, found text\n");
  CHECK(errors_of("{run: x, waiver: {}}") == "L0022 5:24+2 `waiver` needs `reason`\n");
  CHECK(errors_of("structure-test: nothing.yaml") ==
        "L0115 5:23+12 nothing.yaml cannot be read\n");
}

TEST_CASE("container-structure-test's commands") {
  const auto tests = structure(
      "globalEnvVars: [{key: G, value: g}]\n"
      "containerRunOptions: {user: app}\n"
      "commandTests:\n"
      "  - name: go\n"
      "    setup: [[mkdir, /x], [touch, /x/y]]\n"
      "    teardown: [[rm, -r, /x]]\n"
      "    envVars: [{key: A, value: b}]\n"
      "    command: go\n"
      "    args: [version, '$(args.x)']\n"
      "    expectedOutput: ['go version go1\\.\\d+']\n"
      "    excludedOutput: [devel]\n"
      "    expectedError: []\n"
      "    exitCode: 2\n");
  REQUIRE(tests.size() == 1);
  const TestRecipe& test = tests[0];
  CHECK(test.name == "go");
  CHECK(test.place.file == "cst.yaml");
  CHECK(test.run->argv == std::vector<std::string>{"go", "version", "$(args.x)"});
  CHECK(test.run->env == std::map<std::string, std::string>{{"A", "b"}, {"G", "g"}});
  CHECK(test.run->user == "app");
  REQUIRE(test.before.size() == 2);
  CHECK(test.before[1].argv == std::vector<std::string>{"touch", "/x/y"});
  REQUIRE(test.after.size() == 1);
  CHECK(test.exit == 2);
  REQUIRE(test.out.size() == 2);
  CHECK_FALSE(test.out[0].refuted);
  CHECK(test.out[1].refuted);
  CHECK(test.err.empty());
}

TEST_CASE("container-structure-test's files") {
  const auto tests = structure(
      "fileExistenceTests:\n"
      "  - {path: /bin/, permissions: drwxr-x--x, uid: 0, gid: 5}\n"
      "  - {name: none, path: '/a/[b]*', shouldExist: false}\n"
      "  - {path: /x, isExecutableBy: any}\n"
      "fileContentTests:\n"
      "  - {path: /etc/x, expectedContents: ['^a', b$], excludedContents: [c]}\n");
  REQUIRE(tests.size() == 4);
  const FileExpectation& bin = tests[0].files.at(0);
  CHECK(tests[0].name == "file /bin");
  CHECK(bin.type == FileExpectation::Type::directory);
  CHECK(bin.mode == 0751u);
  CHECK(bin.uid == 0u);
  CHECK(bin.gid == 5u);
  CHECK(tests[1].name == "none");
  CHECK(tests[1].absent == std::vector<std::string>{"/a/[[]b][*]"});
  CHECK(tests[2].files.at(0).any_of_mode == 0111);
  CHECK_FALSE(tests[2].files.at(0).mode.has_value());
  CHECK(tests[3].files.at(0).text.size() == 3);
  CHECK(tests[3].files.at(0).text[2].refuted);
}

TEST_CASE("container-structure-test's permissions are Go's") {
  const auto of = [](const char* shown) {
    return structure(std::string("fileExistenceTests: [{path: /x, permissions: ") +
                     shown + "}]\n")
        .front()
        .files.front();
  };
  using Type = FileExpectation::Type;
  CHECK(of("urwxr-xr-x").mode == 04755u);
  CHECK(of("urwxr-xr-x").type == Type::file);
  CHECK(of("ug-w-r-x--x").mode == 06251u);
  CHECK(of("dtrwxrwxrwx").mode == 01777u);
  CHECK(of("dtrwxrwxrwx").type == Type::directory);
  CHECK(of("Lrwxrwxrwx").type == Type::symlink);
  CHECK_FALSE(of("Lrwxrwxrwx").mode.has_value());
}

TEST_CASE("container-structure-test's variables know those of the file") {
  const auto tests = structure(
      "globalEnvVars: [{key: PATH, value: '/env/bin:$PATH'}, {key: A, value: a}]\n"
      "commandTests:\n"
      "  - {command: x, envVars: [{key: PATH, value: '/x:${PATH}'}, {key: B, value: "
      "$HOME-$A}]}\n"
      "  - {command: y}\n");
  REQUIRE(tests.size() == 2);
  CHECK(tests[0].expands);
  CHECK(tests[0].run->env ==
        std::map<std::string, std::string>{
            {"PATH", "/x:/env/bin:$PATH"}, {"A", "a"}, {"B", "$HOME-a"}});
  CHECK(tests[1].run->env ==
        std::map<std::string, std::string>{{"PATH", "/env/bin:$PATH"}, {"A", "a"}});
}

TEST_CASE("container-structure-test's metadata") {
  const auto tests = structure(
      "metadataTest:\n"
      "  envVars: [{key: PATH, value: '.*bin', isRegex: true}]\n"
      "  labels: [{key: a, value: b}]\n"
      "  exposedPorts: ['80', 53/udp]\n"
      "  unmountedVolumes: [/x]\n"
      "  entrypoint: []\n"
      "  workdir: /w\n");
  REQUIRE(tests.size() == 1);
  const ConfigExpectation& config = tests[0].config.value();
  CHECK(config.env.at("PATH").kind == TextRule::Kind::matches);
  CHECK(config.labels.at("a").kind == TextRule::Kind::equals);
  CHECK(config.ports == std::vector<std::string>{"80/tcp", "53/udp"});
  CHECK(config.no_volumes == std::vector<std::string>{"/x"});
  CHECK(config.entrypoint == std::vector<std::string>{});
  CHECK_FALSE(config.cmd.has_value());
  CHECK(config.workdir == "/w");
}

TEST_CASE("what container-structure-test has and lithify has not is refused") {
  CHECK(structure_errors("") ==
        "L0020 1:1+1 a structure test: expected a map, found "
        "nothing\n");
  CHECK(structure_errors("schemaVersion: 1.0.0\n") ==
        "L0027 1:16+5 `schemaVersion: 1.0.0` is not known\n");
  const std::string head = "schemaVersion: 2.0.0\n";
  CHECK(structure_errors(head + "licenseTests: []\n") ==
        "L0026 2:1+12 `licenseTests` has no place here\n");
  CHECK(structure_errors(head + "containerRunOptions: {privileged: true}\n") ==
        "L0026 2:23+10 `privileged` has no place here\n");
  CHECK(structure_errors(head +
                         "commandTests: [{command: a, expectedOutput: ['(?i)x']}]\n") ==
        "L0115 2:46+7 `(?i)x` is no pattern: only plain groups and `(?:` are known\n");
  CHECK(structure_errors(head + "commandTests: [{args: [a]}]\n") ==
        "L0022 2:17+9 `commandTests` needs `command`\n");
  CHECK(structure_errors(head + "fileExistenceTests: [{path: /x, permissions: rw}]\n") ==
        "L0115 2:46+2 `permissions` cannot be `rw`\n");
  for (const char* shown : {"rwxrwxrwx", "xrwxrwxrwx", "--rwxrwxrwx", "-rwsr-xr-x", ""}) {
    INFO(shown);
    CHECK(structure_errors(head + "fileExistenceTests: [{path: /x, permissions: '" +
                           shown + "'}]\n")
              .starts_with("L0115 2:46+"));
  }
  CHECK(structure_errors(head + "x: &a b\n").starts_with("L0005"));
}
