// run: commands of a build file, and what they see.
#include "tests/builder/frontend/reading.h"

using namespace lithify;

namespace {

const std::string k_head =
    "lithify: 1\n"
    "sources:\n"
    "  src: {local: .}\n"
    "  deb: {apt: {suites: [s]}}\n";

// A file whose one image has these steps, from line 8 on.
std::string with_steps(const std::string& steps) {
  return k_head + "image:\n  from: scratch\n  steps:\n" + steps;
}

RunStep run_of(const std::string& step) {
  return step_of<RunStep>(step);
}

std::string errors_of(const std::string& step) {
  return errors_in(with_steps("    - " + step + "\n"));
}

}  // namespace

TEST_CASE("a script is run by a shell, a list of words as it is") {
  using Words = std::vector<std::string>;
  CHECK(run_of("run: make all").argv == Words{"/bin/sh", "-eu", "-c", "make all"});
  CHECK(run_of("run: [make, '', all]").argv == Words{"make", "", "all"});
  CHECK(run_of("{run: x, shell: [/bin/bash, -c]}").argv == Words{"/bin/bash", "-c", "x"});
  CHECK(run_of("run: |\n        a\n        b").argv.back() == "a\nb\n");
  CHECK(run_of("run: 'echo $$(date) $(date) ${A}'").argv.back() ==
        "echo $$(date) $(date) ${A}");
  CHECK(errors_of("run: ''") == "L0024 8:12+2 `run` is empty\n");
  CHECK(errors_of("run: []") == "L0024 8:12+2 `run` is empty\n");
  CHECK(errors_of("run: ['', x]") ==
        "L0114 8:13+2 the first word of a command is empty\n");
  CHECK(errors_of("{run: [x], shell: [sh]}") ==
        "L0026 8:18+5 `shell` runs a script, and this is a list of words\n");
  CHECK(errors_of("{run: x, shell: sh}") ==
        "L0020 8:23+2 `shell`: expected a list, found text\n");
  CHECK(errors_of("run: {a: b}") ==
        "L0020 8:13+4 `run`: expected text or a list, found a map\n");
  CHECK(errors_of("run: " + std::string(140000, 'x')) ==
        "L0003 8:12+140000 no program takes an argument of more than 131071 bytes\n");
}

TEST_CASE("a command has the sandbox's defaults") {
  const RunStep run = run_of("run: x");
  CHECK(run.env.empty());
  CHECK(run.cwd == "/");
  CHECK(run.user == "0:0");
  CHECK(run.mounts.empty());
  CHECK(run.outputs.empty());
  CHECK(run.network == Network::none);
  CHECK(run.clock == StepClock::real);
  CHECK(run.limits.timeout == 0);
  CHECK(run.limits.memory == 0);
  CHECK(run.unnormalised.empty());
}

TEST_CASE("everything that may be said of a command") {
  const RunStep run = run_of(
      "{run: x, env: {A: $(platform.arch), B: null}, cwd: /w/, user: '7:8',"
      " outputs: [/out/, /opt/x], network: pinned, timeout: 1m30s, clock: epoch,"
      " limits: {memory: 2GiB, cpus: 2, pids: 64, time: 1500ms},"
      " normalise: {pycache: false, logs: false, backups: true}}");
  CHECK(run.env == std::map<std::string, std::string>{{"A", "amd64"}});
  CHECK(run.unset == std::vector<std::string>{"B"});
  CHECK(run.cwd == "/w");
  CHECK(run.user == "7:8");
  CHECK(run.outputs == std::vector<std::string>{"/out", "/opt/x"});
  CHECK(run.network == Network::pinned);
  CHECK(run.clock == StepClock::epoch);
  CHECK(run.limits.timeout == 90);
  CHECK(run.limits.memory == std::uint64_t{2} << 30);
  CHECK(run.limits.cpus == 2);
  CHECK(run.limits.pids == 64);
  CHECK(run.limits.time == 2);
  CHECK(run.unnormalised == std::vector<std::string>{"logs", "pycache"});
}

TEST_CASE("mounts") {
  const RunStep run = run_of(
      "{run: x, mounts: [{from: src, path: /a/b, at: /src/, write: true},"
      " {cache: go, at: /c, share: private}, {cache: go, at: /d},"
      " {secret: token, env: TOKEN}, {secret: key, at: /run/key}, {tmp: /t, size: "
      "64MB}]}");
  REQUIRE(run.mounts.size() == 6);
  CHECK(run.mounts[0].from == "src");
  CHECK_FALSE(run.mounts[0].of_stage);
  CHECK(run.mounts[0].path == "a/b");
  CHECK(run.mounts[0].at == "/src");
  CHECK(run.mounts[0].write);
  CHECK(run.mounts[0].place.line == 8);
  CHECK(run.mounts[1].kind == RunMount::Kind::cache);
  CHECK(run.mounts[1].id == "go");
  CHECK(run.mounts[1].share == RunMount::Share::apart);
  CHECK(run.mounts[2].share == RunMount::Share::shared);
  CHECK(run.mounts[3].kind == RunMount::Kind::secret);
  CHECK(run.mounts[3].env == "TOKEN");
  CHECK(run.mounts[3].at.empty());
  CHECK(run.mounts[4].at == "/run/key");
  CHECK(run.mounts[5].kind == RunMount::Kind::temporary);
  CHECK(run.mounts[5].size == 64'000'000);
}

TEST_CASE("mounts stand where they can") {
  const auto mounts = [](const std::string& list) {
    return errors_of("{run: x, mounts: [" + list + "]}");
  };
  for (const std::string at : {"/proc", "/proc/1", "/sys/fs", "/dev/shm"})
    CHECK(mounts("{cache: c, at: " + at + "}")
              .ends_with(" nothing is mounted at " + at + "\n"));
  CHECK(mounts("{tmp: /dev}") == "L0112 8:26+9 nothing is mounted at /dev\n");
  CHECK(mounts("{tmp: /development}").empty());
  CHECK(mounts("{tmp: /}") == "L0024 8:31+1 `tmp` cannot be `/`\n");
  CHECK(mounts("{cache: c, at: a/b}") == "L0024 8:40+3 `at` cannot be `a/b`\n");
  CHECK(mounts("{tmp: /a}, {cache: c, at: /a}") == "L0112 8:37+16 two mounts at /a\n");
  CHECK(mounts("{tmp: /a/b}, {tmp: /a}") ==
        "L0112 8:39+7 this hides what is mounted at /a/b\n");
  CHECK(mounts("{tmp: /a}, {tmp: /a/b}").empty());
  CHECK(mounts("{tmp: /a}, {tmp: /ab}").empty());
  CHECK(mounts("{secret: s}") == "L0112 8:26+9 a secret has either `at` or `env`\n");
  CHECK(mounts("{secret: s, at: /a, env: A}") ==
        "L0112 8:45+3 a secret has either `at` or `env`, not both\n");
  CHECK(mounts("{secret: s, env: A}, {secret: t, env: A}") ==
        "L0112 8:47+17 the variable `A` is given twice\n");
  CHECK(mounts("{from: src, path: 'a/*', at: /a}") ==
        "L0112 8:43+5 a mount is one directory or file, not a pattern\n");
  CHECK(mounts("{from: srd, at: /a}") == "L0101 8:32+3 there is no source `srd`\n");
  CHECK(mounts("{from: deb, at: /a}") ==
        "L0105 8:32+3 `deb` is an apt source; its packages are installed, not copied\n");
  CHECK(mounts("{from: src}") == "L0022 8:26+9 a `from` mount needs `at`\n");
  CHECK(mounts("{at: /a}") ==
        "L0025 8:26+6 a mount needs one of `from`, `cache`, `secret`, `tmp`\n");
  CHECK(errors_of("{run: x, env: {A: b}, mounts: [{secret: s, env: A}]}") ==
        "L0112 8:39+17 the variable `A` is given twice\n");
}

TEST_CASE("outputs are parts of the tree that nothing is mounted on") {
  const auto outputs = [](const std::string& rest) {
    return errors_of("{run: x, outputs: " + rest + "}");
  };
  CHECK(outputs("[/out, /opt/x]").empty());
  CHECK(outputs("[/]") == "L0113 8:26+1 `/` is everything\n");
  CHECK(outputs("[out]") == "L0024 8:26+3 `outputs` cannot be `out`\n");
  CHECK(outputs("/out") == "L0020 8:25+4 `outputs`: expected a list, found text\n");
  CHECK(outputs("[/proc/x]") == "L0113 8:26+7 /proc/x is no output\n");
  CHECK(outputs("[/a, /a]") == "L0113 8:30+2 output /a stands twice\n");
  CHECK(outputs("[/a/b, /a]") ==
        "L0113 8:32+2 outputs /a/b and /a are within each other\n");
  CHECK(outputs("[/a/b], mounts: [{tmp: /a}]") ==
        "L0113 8:26+4 /a/b is within a mount\n");
  CHECK(outputs("[/a], mounts: [{tmp: /a/b}]").empty());
  CHECK(errors_of("{run: x, network: pinned}") ==
        "L0113 8:25+6 `network: pinned` needs `outputs`\n");
  CHECK(errors_of("{run: x, network: pinned, outputs: []}") ==
        "L0113 8:25+6 `network: pinned` needs `outputs`\n");
  CHECK(errors_of("{run: x, network: on, outputs: [/a]}") ==
        "L0024 8:25+2 `network` cannot be `on`\n");
}

TEST_CASE("times and sizes have units") {
  CHECK(errors_of("{run: x, timeout: 10}") == "L0024 8:25+2 `timeout` cannot be `10`\n");
  CHECK(errors_of("{run: x, timeout: 10 s}") ==
        "L0024 8:25+4 `timeout` cannot be `10 s`\n");
  CHECK(errors_of("{run: x, timeout: 5ms}") ==
        "L0024 8:25+3 `timeout` cannot be `5ms`\n");
  CHECK(errors_of("{run: x, limits: {memory: 2G}}") ==
        "L0024 8:33+2 `memory` cannot be `2G`\n");
  CHECK(errors_of("{run: x, limits: {memory: 2000}}") ==
        "L0024 8:33+4 `memory` cannot be `2000`\n");
  CHECK(errors_of("{run: x, limits: {cpus: 0}}") ==
        "L0024 8:31+1 `cpus` cannot be `0`\n");
  CHECK(errors_of("{run: x, normalise: {pycach: false}}") ==
        "L0024 8:28+6 there is no clean-up `pycach`\n");
}

TEST_CASE("who runs a command is declared, or may come with the tree") {
  const std::string app =
      "    - users: [{name: app, uid: 7, gid: 8}]\n    - groups: [{name: web, gid: 9}]\n";
  const auto user = [&](const std::string& before, const std::string& who) {
    const ImageVariant variant =
        variant_with(before + "    - {run: x, user: '" + who + "'}\n");
    return std::get<RunStep>(variant.steps.back().verb).user;
  };
  CHECK(user(app, "app") == "7:8");
  CHECK(user(app, "app:web") == "7:9");
  CHECK(user(app, "7") == "7:8");
  CHECK(user("", "root") == "0:0");
  const std::string package = "    - {packages: [postgresql], from: deb}\n";
  CHECK(user(package, "postgres") == "postgres");
  CHECK(user(package, "postgres:ssl") == "postgres:ssl");
  CHECK(user(package, "0:0") == "0:0");
  const std::string useradd = "    - run: useradd me\n";
  CHECK(user(useradd, "me") == "me");
  CHECK(errors_of("{run: x, user: nobody}") ==
        "L0104 8:22+6 no earlier step declares user `nobody`\n");
  CHECK(errors_of("{run: x, user: '7'}") == "L0104 8:22+3 owner `7` has no group\n");
  CHECK(errors_of("{run: x, user: A B}") == "L0024 8:22+3 `user` cannot be `A B`\n");
}

TEST_CASE("defaults of an image are those of its commands") {
  const Recipe recipe = recipe_of(
      k_head +
      "image:\n"
      "  from: scratch\n"
      "  defaults:\n"
      "    env: {A: 1, B: 2, C: 3}\n"
      "    cwd: /work\n"
      "    user: 5:6\n"
      "    shell: [/bin/bash, -c]\n"
      "    mounts: [{from: src, at: /src}, {tmp: /t}]\n"
      "  steps:\n"
      "    - run: one\n"
      "    - {run: two, env: {B: x, C: null}, cwd: /, user: '0:0', shell: [/bin/dash],"
      " mounts: [{cache: c, at: /t}, {tmp: /u}]}\n");
  const auto& steps = recipe.images[0].variants[0].steps;
  const auto& one = std::get<RunStep>(steps.at(0).verb);
  CHECK(one.argv == std::vector<std::string>{"/bin/bash", "-c", "one"});
  CHECK(one.env.size() == 3);
  CHECK(one.cwd == "/work");
  CHECK(one.user == "5:6");
  CHECK(one.mounts.size() == 2);
  CHECK(one.number == 0);
  const auto& two = std::get<RunStep>(steps.at(1).verb);
  CHECK(two.argv[0] == "/bin/dash");
  CHECK(two.env == std::map<std::string, std::string>{{"A", "1"}, {"B", "x"}});
  CHECK(two.unset == std::vector<std::string>{"C"});
  CHECK(two.cwd == "/");
  CHECK(two.user == "0:0");
  CHECK(two.number == 1);
  REQUIRE(two.mounts.size() == 3);
  CHECK(two.mounts[0].from == "src");
  CHECK(two.mounts[1].kind == RunMount::Kind::cache);
  CHECK(two.mounts[2].at == "/u");
}

TEST_CASE("a command is told in one line") {
  const auto text = [](const std::string& step) {
    return variant_with("    - " + step + "\n").steps.at(0).text;
  };
  CHECK(text("run: make  all") == "run make  all");
  CHECK(text("run: [make, all]") == "run make all");
  CHECK(text("run: |\n        # first\n\n        cd /src\n        make") ==
        "run cd /src …");
  CHECK(text("{run: make, shell: [/bin/bash, -euxc]}") == "run make");
}

TEST_CASE("references in scripts are not expanded, and that is said") {
  const Reading reading = read_text(
      "lithify: 1\nargs: {v: {default: '1'}}\nimage:\n  from: scratch\n  steps:\n"
      "    - {run: 'echo $(args.v) $(date)', env: {V: $(args.v)}}\n"
      "    - run: [echo, '${{ v }}']\n");
  REQUIRE(reading.recipe.has_value());
  REQUIRE(reading.problems.size() == 2);
  CHECK(reading.problems[0].error.id() == "L0034");
  CHECK(reading.problems[0].error.place().column == 19);
  CHECK(std::string(reading.problems[1].error.what()) ==
        "`${{` is not expanded inside `run`");
}

TEST_CASE("what a command left is unknown, so files after it hide nothing") {
  CHECK(read_text(
            with_steps("    - {file: /a, text: x}\n    - run: cat /a\n"
                       "    - {file: /a, text: y}\n    - {copy: ., from: src, to: /x}\n"))
            .problems.size() == 1);  // `deb` is not used
}

TEST_CASE("commands have numbers that no argument and no other step shifts") {
  const Recipe recipe = recipe_of(
      "lithify: 1\nargs: {debug: {type: bool, default: 'false'}}\nimage:\n"
      "  from: scratch\n  steps:\n    - {run: a, when: {arg: {debug: 'true'}}}\n"
      "    - dir: /x\n    - run: b\n");
  CHECK(std::get<RunStep>(recipe.images[0].variants[0].steps.back().verb).number == 1);
  CHECK(recipe.images[0].run_steps == 2);
}
