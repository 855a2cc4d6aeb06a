#include "builder/cli/options.h"

#include "oci/base/error.h"

#include "builder/tell/render_error.h"
#include "builder/tell/text.h"

#include "tests/support/catch.h"
#include "tests/support/golden.h"

namespace lithify {
namespace {

Options parse(const std::vector<std::string>& words) {
  return parse_options(words);
}

std::string mistake(const std::vector<std::string>& words) {
  try {
    parse(words);
  } catch (const oci::Error& error) {
    CHECK(exit_code(error) == exits::k_usage);
    return render_error(error, {});
  }
  return "no mistake";
}

TEST_CASE("a flag whose value may be left out takes none from the next word") {
  const Options all = parse({"build", "--rebuild-check", "web"});
  CHECK(all.rebuild_check);
  CHECK(all.rebuild_checks.empty());
  CHECK(all.operands == std::vector<std::string>{"web"});
  const Options some =
      parse({"build", "--rebuild-check=build/1", "--rebuild-check=last"});
  CHECK_FALSE(some.rebuild_check);
  CHECK(some.rebuild_checks == std::vector<std::string>{"build/1", "last"});
}

TEST_CASE("a flag whose value has a part that may be left out takes the next word") {
  const Options options = parse({"reproduce", "--source", "here", "web:1"});
  CHECK(options.source_places == std::vector<std::string>{"here"});
  CHECK(options.operands == std::vector<std::string>{"web:1"});
}

TEST_CASE("what stands behind -- is for the program in the shell") {
  const Options options =
      parse({"shell", "web:1", "--after", "--", "ls", "-l", "--after"});
  CHECK(options.after);
  CHECK(options.operands == std::vector<std::string>{"web:1", "ls", "-l", "--after"});
}

TEST_CASE("a secret is a file or a variable, by its id") {
  const Options options =
      parse({"build", "--secret", "id=token,src=/run/t=1", "--secret", "env=KEY,id=key"});
  REQUIRE(options.secrets.size() == 2);
  CHECK(options.secrets[0].id == "token");
  CHECK(options.secrets[0].file == "/run/t=1");
  CHECK(options.secrets[0].variable.empty());
  CHECK(options.secrets[1].variable == "KEY");
  for (const char* wrong : {"id=x", "x", "id=x,src=", "src=x", "id=x,src=a,env=B",
                            "id=x,id=y,src=a", "id=x,source=a", "", ","}) {
    INFO(wrong);
    CHECK(mistake({"build", "--secret", wrong}) != "no mistake");
  }
  CHECK(mistake({"build", "--secret=id=a,src=b", "--secret=id=a,src=c"}) ==
        "error: --secret gives `a` twice\n");
  CHECK(mistake({"lock", "--secret=id=a,src=b"}) != "no mistake");
}

TEST_CASE("flags stand before and after the command") {
  const Options options = parse({"-C", "dir", "build", "-f", "x.yaml", "app", "-j4",
                                 "-qv", "--arg", "a=b=c", "--arg=d=", "web"});
  CHECK(options.command == "build");
  CHECK(options.directory == "dir");
  CHECK(options.file == "x.yaml");
  CHECK(options.operands == std::vector<std::string>{"app", "web"});
  CHECK(options.jobs == 4);
  CHECK(options.quiet == 1);
  CHECK(options.verbose == 1);
  const std::vector<std::pair<std::string, std::string>> arguments = {{"a", "b=c"},
                                                                      {"d", ""}};
  CHECK(options.arguments == arguments);
}

TEST_CASE("platforms are separated by commas or given again") {
  const Options options =
      parse({"build", "--platform", "linux/amd64,linux/arm64", "--platform=linux/386"});
  CHECK(options.platforms ==
        std::vector<std::string>{"linux/amd64", "linux/arm64", "linux/386"});
}

TEST_CASE("a cache is a repository, and results go to one") {
  const Options options =
      parse({"build", "--cache-from", "localhost:5000/a/b", "--cache-from", "acme/cache",
             "--cache-to", "[::1]:5000/a", "--cache-to=[::1]:5000/a"});
  CHECK(options.cache_from ==
        std::vector<std::string>{"localhost:5000/a/b", "docker.io/acme/cache"});
  CHECK(options.cache_to == "[::1]:5000/a");
  CHECK(mistake(
            {"build", "--cache-to", "host.example/a", "--cache-to", "host.example/b"}) ==
        "error: --cache-to is given twice\n"
        "   = help: results go to one cache; --cache-from may name several\n");
  CHECK(mistake({"push", "--cache-from", "host.example/a:latest"}) ==
        "error: --cache-from takes a repository, not one of its tags\n"
        "   = note: each result has a tag of its own there\n"
        "   = help: write `--cache-from host.example/a`\n");
  const std::string digest = "@sha256:" + std::string(64, '0');
  CHECK(mistake({"plan", "--cache-to", "host.example/a" + digest}) ==
        "error: --cache-to takes a repository, not one of its digests\n"
        "   = note: each result has a tag of its own there\n"
        "   = help: write `--cache-to host.example/a`\n");
  CHECK(mistake({"lock", "--cache-from", "host.example/a"}).find("has no flag") !=
        std::string::npos);
}

TEST_CASE("directories to go to add up") {
  CHECK(parse({"-C", "a", "build", "-Cb"}).directory == "a/b");
  CHECK(parse({"-C", "a", "-C", "/b", "build"}).directory == "/b");
}

TEST_CASE("two dashes end the flags, one dash is an operand") {
  const Options options = parse({"build", "--", "-x", "--locked"});
  CHECK(options.operands == std::vector<std::string>{"-x", "--locked"});
  CHECK(!options.locked);
  CHECK(parse({"build", "-"}).operands == std::vector<std::string>{"-"});
}

TEST_CASE("mistakes on the command line say what to type") {
  const std::vector<std::vector<std::string>> lines = {
      {"biuld"},
      {"frobnicate"},
      {"report"},
      {"save"},
      {"login", "-p", "x", "ghcr.io"},
      {"build", "--plattform", "linux/amd64"},
      {"build", "--squash"},
      {"-t", "app:1", "build"},
      {"build", "-t", "app:1"},
      {"build", "--build-arg", "a=b"},
      {"build", "--update"},
      {"build", "--arg", "novalue"},
      {"build", "--arg"},
      {"build", "--locked=yes"},
      {"build", "-j", "many"},
      {"build", "-j0"},
      {"build", "--progress", "fancy"},
      {"build", "--nonsense"},
      {"build", "--\x1b[31mred"},
      {"build", "--file", ""},
      {"build", "--cache-dir="},
      {"build", "--secret", "id=x"},
      {"build", "--provenance"},
      {"cache", "prune", "--dry-run"},
      {"schema", "foo"},
      {"help", "build", "lock"},
      {"inspect", "a", "b", "c"},
      {"explain"},
      {"rmi", "app"},
  };
  std::string text;
  for (const auto& words : lines) {
    text += "$ lithify";
    for (const std::string& word : words)
      text += " " + visible(word);
    text += "\n" + mistake(words) + "\n";
  }
  check_golden("cli/command_line.txt", text);
}

TEST_CASE("help says what the tables say, in 80 columns") {
  std::string all = help_text("");
  for (const CommandText& command : all_commands()) {
    all += "\n--------\n" + help_text(command.name);
  }
  check_golden("cli/help.txt", all);
  std::string_view rest = all;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    INFO(rest.substr(0, end));
    CHECK(display_width(rest.substr(0, end)) <= 80);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

}  // namespace
}  // namespace lithify
