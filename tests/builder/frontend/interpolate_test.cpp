// interpolate: $(…) is replaced where the rules say so, and nowhere else.
#include "builder/frontend/interpolate.h"

#include "tests/builder/frontend/reading.h"

using namespace lithify;

namespace {

// The user of a configuration, through everything.
std::string expanded(const std::string& yaml) {
  FrontendOptions options;
  options.args["v"] = "1.2";
  options.args["inner"] = "$(args.v)";
  options.git["commit"] = "c0ffee";
  options.epoch = [](const EpochRule&) { return std::int64_t{42}; };
  return recipe_of(
             "lithify: 1\nproject: demo\nargs:\n  v: {}\n  inner: {}\n"
             "image: {from: scratch, config: {user: " +
                 yaml + "}}\n",
             options)
      .images[0]
      .variants[0]
      .config.user.value();
}

}  // namespace

TEST_CASE("references are replaced by their values") {
  CHECK(expanded("x-$(args.v)-$(args.v)") == "x-1.2-1.2");
  CHECK(expanded("$(platform.os)/$(platform.arch)$(platform.variant)") == "linux/amd64");
  CHECK(expanded("$(platform.spec)") == "linux/amd64");
  CHECK(expanded("$(image.name) $(git.commit) $(epoch)") == "demo c0ffee 42");
}

TEST_CASE("a doubled dollar is a literal reference and a lone dollar itself") {
  CHECK(expanded("$$(args.v)") == "$(args.v)");
  CHECK(expanded("$HOME $$ $x") == "$HOME $$ $x");
  CHECK(expanded("a$$(b)$(args.v)") == "a$(b)1.2");
}

TEST_CASE("values are not expanded again") {
  CHECK(expanded("$(args.inner)") == "$(args.v)");
}

TEST_CASE("a value cannot change the document's structure") {
  FrontendOptions options;
  options.args["v"] = "[a, b]: {c}";
  const Recipe recipe = recipe_of(
      "lithify: 1\nargs: {v: {}}\nimage: {from: scratch, config: {cmd: [$(args.v)]}}\n",
      options);
  CHECK(recipe.images[0].variants[0].config.cmd ==
        std::vector<std::string>{"[a, b]: {c}"});
}

TEST_CASE("the type is checked after expansion") {
  CHECK(
      errors_in(
          "lithify: 1\nargs: {p: {default: x}}\n"
          "image: {from: scratch, config: {workdir: $(args.p), ports: [$(args.p)]}}\n") ==
      "L0024 3:42+9 `workdir` cannot be `x`\n"
      "L0024 3:61+9 `ports` cannot be `x`\n");
}

TEST_CASE("text is expanded when asked, keys and blocks never") {
  const auto variant =
      recipe_of(
          "lithify: 1\nargs: {v: {default: '1'}}\nimage:\n  from: scratch\n"
          "  steps:\n"
          "    - {file: /a, text: $(args.v)}\n"
          "    - {file: /b, text: \"$(args.v)\\n\", expand: true}\n"
          "    - file: /c\n      expand: true\n      text: |\n        $(args.v)\n"
          "  config:\n    labels: {$(args.v): x}\n    user: |-\n      $(args.v)\n")
          .images[0]
          .variants[0];
  const auto text = [&](std::size_t i) {
    return std::get<FileStep>(variant.steps[i].verb).text;
  };
  CHECK(text(0) == "$(args.v)");
  CHECK(text(1) == "1\n");
  CHECK(text(2) == "1\n");
  CHECK(variant.config.labels.count("$(args.v)") == 1);
  CHECK(variant.config.user == "$(args.v)");
}

TEST_CASE("arguments come from the command line, the environment, the default") {
  const std::string text =
      "lithify: 1\nargs: {v: {default: d, env: V}}\n"
      "image: {from: scratch, description: $(args.v)}\n";
  FrontendOptions options;
  CHECK(recipe_of(text, options).images[0].description == "d");
  options.environment["V"] = "e";
  CHECK(recipe_of(text, options).images[0].description == "e");
  options.args["v"] = "c";
  CHECK(recipe_of(text, options).images[0].description == "c");
}

TEST_CASE("a refused argument is reported once, with who gave it") {
  FrontendOptions options;
  options.environment["V"] = "9\n9";
  const Reading reading = read_text(
      "lithify: 1\nargs: {v: {env: V, type: int}}\n"
      "image: {from: scratch, description: $(args.v), config: {user: $(args.v)}}\n",
      options);
  REQUIRE(reading.problems.size() == 1);
  const oci::Error& error = reading.problems[0].error;
  CHECK(error.id() == "L0032");
  CHECK(error.label() == "control characters are refused");
  CHECK(error.notes() == std::vector<std::string>{"given by the environment variable V"});
}

TEST_CASE("text does not grow without end") {
  std::string text = "lithify: 1\nargs: {v: {default: " + std::string(4000, 'x') +
                     "}}\nimage:\n  from: scratch\n  config:\n    cmd:\n";
  std::string many;
  for (int i = 0; i < 20; ++i)
    many += "$(args.v)";
  CHECK(errors_in(text + "    - " + many + "\n").starts_with("L0003 7:7"));
  for (int i = 0; i < 1500; ++i)
    text +=
        "    - $(args.v)$(args.v)$(args.v)$(args.v)$(args.v)$(args.v)$(args.v)"
        "$(args.v)$(args.v)$(args.v)$(args.v)$(args.v)\n";
  CHECK(errors_in(text).starts_with("L0003 "));
}
