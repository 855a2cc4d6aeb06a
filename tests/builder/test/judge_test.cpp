// judge: files, sizes and configurations held against what tests want of them.
#include "builder/test/judge.h"

#include "oci/store/memory_store.h"

#include "builder/test/text_rules.h"

#include "tests/support/catch.h"

namespace lithify {
namespace {

constexpr std::uint64_t k_mebibyte = 1 << 20;

// An image with merged /usr, a program, a configuration file and two names of one file.
struct Image {
  oci::MemoryStore store;
  Tree::Nodes nodes;

  Image() {
    link("bin", "usr/bin");
    file("usr/bin/dash", "not a program", 0755);
    link("usr/bin/sh", "dash");
    link("usr/bin/gone", "nowhere");
    file("etc/motd", "hello\nworld\n", 0644);
    file("srv/data", std::string(100, 'x'), 0640, 33);
    nodes["srv/data"].file_id = 7;
    nodes["srv/same"] = nodes["srv/data"];
  }

  void file(const std::string& path, std::string_view text, std::uint32_t mode,
            std::uint32_t owner = 0) {
    add_implied_parents(nodes, path, k_constant_time);
    Node node;
    node.attributes.mode = mode;
    node.attributes.uid = node.attributes.gid = owner;
    const oci::BlobRef blob = oci::put(store, text);
    node.content = Slice{blob, 0, blob.size};
    nodes[path] = node;
  }

  void link(const std::string& path, const std::string& target) {
    add_implied_parents(nodes, path, k_constant_time);
    Node node;
    node.type = oci::FileType::symlink;
    node.attributes.mode = 0777;
    node.link = target;
    nodes[path] = node;
  }

  std::string judge(const TestRecipe& test) const {
    std::string text;
    for (const TestFinding& finding : judge_tree(test, Tree(nodes), store))
      text += str(finding) + "\n";
    return text;
  }

  std::string judge(const FileExpectation& file) const {
    TestRecipe test;
    test.files.push_back(file);
    return judge(test);
  }
};

FileExpectation at(std::string path) {
  FileExpectation file;
  file.path = std::move(path);
  return file;
}

TestRecipe absent(std::vector<std::string> patterns) {
  TestRecipe test;
  test.absent = std::move(patterns);
  return test;
}

}  // namespace

TEST_CASE("a file is there, or the finding says that it is not") {
  const Image image;
  CHECK(image.judge(at("/etc/motd")).empty());
  CHECK(image.judge(at("/")).empty());
  CHECK(image.judge(at("/bin/sh")).empty());
  CHECK(image.judge(at("/usr/bin/gone")).empty());
  CHECK(image.judge(at("/etc/none")) ==
        "/etc/none: expected to be there, found nothing\n");
  CHECK(image.judge(at("/etc/motd/x")) ==
        "/etc/motd/x: expected to be there, found nothing\n");
}

TEST_CASE("a type is that of the path itself, with symlinks above it followed") {
  const Image image;
  FileExpectation file = at("/bin/dash");
  file.type = FileExpectation::Type::file;
  CHECK(image.judge(file).empty());
  file = at("/bin/sh");
  file.type = FileExpectation::Type::file;
  CHECK(image.judge(file) == "/bin/sh: expected a file, found a symlink to \"dash\"\n");
  file.type = FileExpectation::Type::symlink;
  file.text = {{TextRule::Kind::equals, "dash"}};
  CHECK(image.judge(file).empty());
  file.text = {{TextRule::Kind::equals, "bash"}};
  CHECK(image.judge(file) == "where /bin/sh leads: expected \"bash\", found \"dash\"\n");
  file = at("/etc");
  file.type = FileExpectation::Type::directory;
  CHECK(image.judge(file).empty());
  file = at("/bin");
  file.type = FileExpectation::Type::directory;
  CHECK(image.judge(file) ==
        "/bin: expected a directory, found a symlink to \"usr/bin\"\n");
}

TEST_CASE("mode and owner are those of what a symlink leads to") {
  const Image image;
  FileExpectation file = at("/bin/sh");
  file.mode = 0755;
  file.uid = 0;
  CHECK(image.judge(file).empty());
  file = at("/srv/data");
  file.mode = 0600;
  file.uid = 0;
  file.gid = 0;
  CHECK(image.judge(file) ==
        "the mode of /srv/data: expected 0600, found 0640\n"
        "the owner of /srv/data: expected 0:0, found 33:33\n");
  file = at("/srv/data");
  file.any_of_mode = 0111;
  CHECK(image.judge(file) ==
        "the mode of /srv/data: expected one with any bit of 0111, found 0640\n");
  file = at("/usr/bin/gone");
  file.mode = 0755;
  CHECK(image.judge(file) ==
        "/usr/bin/gone: expected to be there, found a symlink to \"nowhere\", which is "
        "not\n");
}

TEST_CASE("a text contains, equals and matches, or must not") {
  const Image image;
  FileExpectation file = at("/etc/motd");
  file.text = {{TextRule::Kind::contains, "wor"},
               {TextRule::Kind::equals, "hello\nworld\n"},
               {TextRule::Kind::matches, "^hel+o"},
               {TextRule::Kind::matches, "moon", true}};
  CHECK(image.judge(file).empty());
  file.text = {{TextRule::Kind::contains, "moon"},
               {TextRule::Kind::equals, "hello"},
               {TextRule::Kind::matches, "w[a-n]rld"},
               {TextRule::Kind::matches, "wor", true}};
  CHECK(image.judge(file) ==
        "the text of /etc/motd: expected something with \"moon\", found "
        "\"hello\\nworld\\n\"\n"
        "the text of /etc/motd: expected \"hello\", found \"hello\\nworld\\n\"\n"
        "the text of /etc/motd: expected something that matches `w[a-n]rld`, found "
        "\"hello\\nworld\\n\"\n"
        "the text of /etc/motd: expected nothing that matches `wor`, found "
        "\"hello\\nworld\\n\"\n");
}

TEST_CASE("what is no program has no linkage") {
  const Image image;
  FileExpectation file = at("/bin/sh");
  file.elf = FileExpectation::Elf::fixed;
  CHECK(image.judge(file) ==
        "the program /bin/sh: expected linked statically, found a file that is no ELF "
        "program\n");
  file = at("/etc");
  file.elf = FileExpectation::Elf::dynamic;
  CHECK(image.judge(file) ==
        "the program /etc: expected linked dynamically, found a directory\n");
}

TEST_CASE("absent patterns look behind the symlinks above them") {
  Image image;
  CHECK(image.judge(absent({"/usr/include/**", "/bin/bash"})).empty());
  CHECK(image.judge(absent({"/bin/d*"})) ==
        "/bin/d*: expected nothing there, found /usr/bin/dash\n");
  CHECK(image.judge(absent({"/bin/sh"})) ==
        "/bin/sh: expected nothing there, found /usr/bin/sh\n");
  for (int i = 0; i < 8; ++i)
    image.file("opt/a" + std::to_string(i) + ".pyc", "x", 0644);
  CHECK(image.judge(absent({"**/*.pyc"})) ==
        "**/*.pyc: expected nothing there, found /opt/a0.pyc, /opt/a1.pyc, /opt/a2.pyc, "
        "/opt/a3.pyc, /opt/a4.pyc and 3 more\n");
}

TEST_CASE("a directory behind a symlink may have a name that is a pattern") {
  Image image;
  image.file("a[b]/secret", "x", 0644);
  image.link("c", "a[b]");
  CHECK(image.judge(absent({"/c/secret"})) ==
        "/c/secret: expected nothing there, found /a[b]/secret\n");
}

TEST_CASE("a size counts each file once") {
  const Image image;
  TestRecipe test;
  test.max_size = 13 + 12 + 100;
  CHECK(image.judge(test).empty());
  test.max_size = 100;
  CHECK(image.judge(test) ==
        "the size of all files: expected at most 100 bytes, found 125 bytes\n");
}

TEST_CASE("a text that is cut decides only what its beginning shows") {
  const std::string text(10, 'a');
  std::vector<TestFinding> findings;
  const auto judged = [&](TextRule rule, std::uint64_t size) {
    findings.clear();
    judge_text({std::move(rule)}, {text, size}, {}, findings);
    return findings.empty();
  };
  CHECK(judged({TextRule::Kind::contains, "aaa"}, 20));
  CHECK(judged({TextRule::Kind::matches, "^a+"}, 20));
  CHECK_FALSE(judged({TextRule::Kind::matches, "a+$"}, 20));
  CHECK_FALSE(judged({TextRule::Kind::equals, text}, 20));
  CHECK_FALSE(judged({TextRule::Kind::contains, "b", true}, 20));
  CHECK(findings[0].found ==
        "\"aaaaaaaaaa\", the first 10 of 20 bytes, which alone are looked at");
  CHECK(judged({TextRule::Kind::contains, "b", true}, 10));
  CHECK_FALSE(judged({TextRule::Kind::contains, "a", true}, 20));
}

TEST_CASE("what a terminal or a JSON reader would trip over is escaped") {
  CHECK(quoted("a\"b\\c\n\t\x1b\x7f") == "\"a\\\"b\\\\c\\n\\t\\x1b\\x7f\"");
  CHECK(quoted("gr\u00fcn \xff \xed\xa0\x80 \xc3") ==
        "\"gr\u00fcn \\xff \\xed\\xa0\\x80 \\xc3\"");
  const std::string cut = quoted(std::string(k_mebibyte, 'z'));
  CHECK(cut.size() < 300);
  CHECK(cut.ends_with("(1048576 bytes)"));
  const std::string umlauts = quoted([] {
    std::string text = "x";
    while (text.size() < 1000)
      text += "\u00fc";
    return text;
  }());
  CHECK(umlauts.find("\\x") == std::string::npos);
}

TEST_CASE("the last lines of an output are told, and that there were others") {
  CHECK(last_lines("", false).empty());
  CHECK(last_lines("\n", false).empty());
  CHECK(last_lines("one\ntwo\n", false) == "one\ntwo");
  std::string many;
  for (int i = 0; i < 20; ++i)
    many += "line " + std::to_string(i) + "\n";
  const std::string told = last_lines(many, true);
  CHECK(told.starts_with("\u2026 (earlier lines are left out)\nline 8\n"));
  CHECK(told.ends_with("line 19\n\u2026 (what it wrote later is left out)"));
  CHECK(last_lines(std::string(5000, 'q'), false).size() < 420);
}

TEST_CASE("a configuration has what the test names and lacks what it refuses") {
  oci::ImageConfig config;
  config.env = {{"PATH", "/usr/bin"}, {"MODE", "debug"}};
  config.labels = {{"v", "1.2"}};
  config.exposed_ports = {"80/tcp"};
  config.entrypoint = {{"/bin/app"}};
  config.user = "web";
  TestRecipe test;
  ConfigExpectation& wanted = test.config.emplace();
  wanted.env = {{"PATH", {TextRule::Kind::equals, "/usr/bin"}},
                {"MODE", {TextRule::Kind::matches, "^de"}}};
  wanted.labels = {{"v", {TextRule::Kind::equals, "1.2"}}};
  wanted.ports = {"80/tcp"};
  wanted.no_ports = {"22/tcp"};
  wanted.entrypoint = {{"/bin/app"}};
  wanted.cmd = {std::vector<std::string>()};
  wanted.workdir = "";
  wanted.user = "web";
  CHECK(judge_config(test, config).empty());

  wanted = {};
  wanted.env = {{"NONE", {TextRule::Kind::equals, ""}},
                {"MODE", {TextRule::Kind::equals, "release"}}};
  wanted.ports = {"443/tcp"};
  wanted.no_ports = {"80/tcp"};
  wanted.volumes = {"/data"};
  wanted.entrypoint = {{"/bin/app", "-v"}};
  wanted.cmd = {{"x"}};
  wanted.workdir = "/srv";
  wanted.user = "";
  std::string text;
  for (const TestFinding& finding : judge_config(test, config))
    text += str(finding) + "\n";
  CHECK(text ==
        "the variable MODE: expected \"release\", found \"debug\"\n"
        "the variable NONE: expected to be there, found nothing\n"
        "the port 443/tcp: expected to be declared, found 80/tcp\n"
        "the port 80/tcp: expected not to be declared, found 80/tcp\n"
        "the volume /data: expected to be declared, found none\n"
        "the entrypoint: expected [\"/bin/app\", \"-v\"], found [\"/bin/app\"]\n"
        "the command: expected [\"x\"], found nothing\n"
        "the working directory: expected \"/srv\", found none\n"
        "the user: expected \"\", found \"web\"\n");
}

TEST_CASE("commands run as the configuration says, unless the test says otherwise") {
  oci::ImageConfig config;
  config.env = {{"A", "image"}, {"B", "image"}};
  config.user = "web";
  config.working_dir = "/srv";
  TestRecipe test;
  test.run.emplace();
  test.run->cwd.clear();
  test.run->user.clear();
  test.run->env = {{"A", "test"}};
  RunStep command = commands_in(test, config).run;
  CHECK(command.env == std::map<std::string, std::string>{{"A", "test"}, {"B", "image"}});
  CHECK(command.user == "web");
  CHECK(command.cwd == "/srv");
  test.run->user = "1000:1000";
  test.run->cwd = "/tmp";
  command = commands_in(test, config).run;
  CHECK(command.user == "1000:1000");
  CHECK(command.cwd == "/tmp");
  test.run->user.clear();
  test.run->cwd.clear();
  command = commands_in(test, {}).run;
  CHECK(command.user == "0");
  CHECK(command.cwd == "/");
  CHECK(command.limits.timeout == 600);
  test.run->limits.timeout = 5;
  CHECK(commands_in(test, {}).run.limits.timeout == 5);
}

TEST_CASE("variables in a command's environment are the image's where the test says so") {
  oci::ImageConfig config;
  config.env = {{"PATH", "/usr/bin"}, {"A", "image"}};
  TestRecipe test;
  test.run.emplace();
  test.run->env = {{"PATH", "/x:$PATH"}, {"B", "${A}-$C."}};
  CHECK(commands_in(test, config).run.env.at("PATH") == "/x:$PATH");
  test.expands = true;
  test.before.push_back(*test.run);
  const auto commands = commands_in(test, config);
  CHECK(commands.run.env == std::map<std::string, std::string>{{"A", "image"},
                                                               {"B", "image-."},
                                                               {"PATH", "/x:/usr/bin"}});
  CHECK(commands.before.front().env.at("PATH") == "/x:/usr/bin");
}

TEST_CASE("how a command ended is told") {
  TestRecipe test;
  test.run.emplace();
  test.exit = 0;
  test.out = {{TextRule::Kind::contains, "ok"}};
  SequenceResult result;
  CommandResult& ran = result.run.emplace();
  const auto told = [&] {
    std::string text;
    for (const TestFinding& finding : judge_commands(test, result))
      text += str(finding) + "\n";
    return text;
  };
  ran.out = {"ok\n", 3};
  CHECK(told().empty());
  ran.number = 3;
  CHECK(told() == "the exit status: expected 0, found 3\n");
  ran.end = CommandResult::End::signalled;
  ran.number = 9;
  CHECK(told() ==
        "the exit status: expected 0, found none: signal 9 (Killed) ended it\n");
  ran.end = CommandResult::End::timed_out;
  ran.number = 5;
  ran.out = {"", 0};
  CHECK(told() ==
        "the exit status: expected 0, found none: it was stopped after 5 s\n"
        "standard output: expected something with \"ok\", found nothing\n");
  ran = {};
  ran.end = CommandResult::End::not_started;
  ran.why = "starting /none: No such file or directory";
  CHECK(
      told() ==
      "the exit status: expected 0, found none: it could not be started: starting /none: "
      "No such file or directory\n");
}

TEST_CASE("set-up and tear-down that fail are findings") {
  TestRecipe test;
  test.before.resize(2);
  test.before[1].argv = {"/bin/prepare", "it"};
  test.run.emplace();
  test.after.emplace_back().argv = {"/bin/clean"};
  SequenceResult result;
  result.before.resize(2);
  result.before[1].number = 4;
  result.after.emplace_back().number = 1;
  const auto findings = judge_commands(test, result);
  REQUIRE(findings.size() == 2);
  CHECK(str(findings[0]) ==
        "the exit status of the set-up `/bin/prepare it`: expected 0, found 4");
  CHECK(str(findings[1]) ==
        "the exit status of the tear-down `/bin/clean`: expected 0, found 1");
}

}  // namespace lithify
