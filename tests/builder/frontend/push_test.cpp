// push and image sources: what a build file says of registries.
#include <fmt/format.h>

#include "tests/builder/frontend/reading.h"

using namespace lithify;

namespace {

const std::string k_image = "image: {from: scratch}\n";

// "registry.example/a:v1! registry.example/b:x", `!` behind tags that never move.
std::string told(const std::vector<PushTarget>& push) {
  std::string text;
  for (const PushTarget& target : push) {
    if (target.tags.empty()) text += target.repository + " ";
    for (const TagRule& tag : target.tags)
      text += target.repository + ":" + tag.name + (tag.once ? "! " : " ");
  }
  return text;
}

ImageSource image_source(const std::string& fields) {
  const Recipe recipe = recipe_of(
      "lithify: 1\nsources: {base: {" + fields +
      "}}\nimage: {from: scratch, steps: [{copy: /etc, from: base, to: /e}]}\n");
  return std::get<ImageSource>(recipe.sources.at("base").kind);
}

std::string refused(const std::string& ref) {
  const Reading reading = read_text("lithify: 1\nsources:\n  base: {image: '" + ref +
                                    "'}\nimage: {from: base}\n");
  REQUIRE(reading.problems.size() == 1);
  return reading.problems[0].error.label();
}

}  // namespace

TEST_CASE("an image source has the full name of its image") {
  CHECK(image_source("image: 'debian:12'").ref == "docker.io/library/debian:12");
  CHECK_FALSE(image_source("image: 'debian:12'").build_platform);
  const auto build = image_source("image: localhost:5000/a/b:V1, platform: build");
  CHECK(build.ref == "localhost:5000/a/b:V1");
  CHECK(build.build_platform);
  const std::string digest = "@sha256:" + std::string(64, 'a');
  CHECK(image_source("image: 'x.example/a" + digest + "'").ref == "x.example/a" + digest);
  CHECK(image_source("image: 'x.example/a:1" + digest + "', platform: target").ref ==
        "x.example/a:1" + digest);
}

TEST_CASE("an image source that names no image is refused with the reason") {
  CHECK(refused("debian") ==
        "it names no tag: say `debian:latest`, another tag or a digest");
  CHECK(refused("host:5000/debian") ==
        "it names no tag: say `host:5000/debian:latest`, another tag or a digest");
  CHECK(refused("Debian/Debian:12") == "the repository name must be lower case");
  CHECK(refused("a//b:1").starts_with("`a//b` is not made of words"));
  CHECK(refused("a@sha256:12") == "the digest has 2 hex digits, not 64");
  CHECK(errors_in("lithify: 1\nsources:\n  b: {image: 'a:1', platform: host}\n"
                  "image: {from: b}\n") == "L0024 3:31+4 `platform` cannot be `host`\n");
}

TEST_CASE("images stand on image sources, and files come from them") {
  const Recipe recipe = recipe_of(
      "lithify: 1\nplatforms: [linux/amd64, linux/arm64]\n"
      "args: {v: {default: '12'}}\nsources:\n  base: {image: 'debian:$(args.v)'}\n"
      "  tool: {image: 'x.example/$(platform.arch)/tool:1', platform: build}\n"
      "image:\n  from: base\n  steps: [{copy: [/usr/bin/tool, etc], from: tool, into: "
      "/}]\n");
  CHECK(recipe.images[0].variants[1].from.kind == From::Kind::source);
  CHECK(recipe.images[0].variants[1].from.name == "base");
  CHECK(std::get<ImageSource>(recipe.sources.at("tool@linux/arm64").kind).ref ==
        "x.example/arm64/tool:1");
  const auto copy = std::get<CopyStep>(recipe.images[0].variants[0].steps[0].verb);
  CHECK(copy.paths == std::vector<std::string>{"usr/bin/tool", "etc"});
}

TEST_CASE("a base is for the image's platform") {
  CHECK(errors_in("lithify: 1\nsources: {b: {image: 'a:1', platform: build}}\n"
                  "image: {from: b}\n") ==
        "L0105 3:15+1 `b` is for the builder's platform, whatever the image is built "
        "for\n");
}

TEST_CASE("a push is repositories and tags, the image's own or the file's") {
  const Recipe recipe = recipe_of(
      "lithify: 1\nargs: {v: {default: 1.2.3}, how: {default: move}}\n"
      "push:\n  - repo: registry.example/shop/$(image.name)\n"
      "    tags: {$(args.v): once, latest: $(args.how), 'v$(args.v)': once}\n"
      "images:\n  cart: {from: scratch}\n  none: {from: scratch, push: []}\n"
      "  own:\n    from: scratch\n    push:\n      - {repo: localhost:5000/own}\n"
      "      - {repo: acme/own, tags: {a: once, b: move}}\n");
  CHECK(told(recipe.images[0].push) ==
        "registry.example/shop/cart:1.2.3! registry.example/shop/cart:latest "
        "registry.example/shop/cart:v1.2.3! ");
  CHECK(recipe.images[0].push[0].place.line == 4);
  CHECK(recipe.images[0].push[0].tags[0].place.line == 5);
  CHECK(recipe.images[1].push.empty());
  CHECK(told(recipe.images[2].push) ==
        "localhost:5000/own docker.io/acme/own:a! docker.io/acme/own:b ");
}

TEST_CASE("an argument switches a push on") {
  const std::string text =
      "lithify: 1\nargs: {release: {type: bool, default: false}}\n" + k_image +
      "push: [{repo: x.example/a, tags: {r: once}, when: {arg: {release: true}}}]\n";
  CHECK(recipe_of(text).images[0].push.empty());
  FrontendOptions options;
  options.args["release"] = "true";
  CHECK(told(recipe_of(text, options).images[0].push) == "x.example/a:r! ");
}

TEST_CASE("a push differs in nothing between platforms") {
  const auto errors = [](const std::string& target) {
    return errors_in(
        "lithify: 1\nplatforms: [linux/amd64, linux/arm64]\n"
        "image:\n  from: scratch\n  push: [{repo: " +
        target + "}]\n");
  };
  CHECK(errors("x.example/a, tags: {v$(platform.arch): once}") ==
        "L0031 5:38+16 `$(platform.arch)` has no value here\n");
  CHECK(errors("x.example/$(platform.arch)") ==
        "L0031 5:27+16 `$(platform.arch)` has no value here\n");
  CHECK(errors("x.example/a, when: {platform: linux/amd64}") ==
        "L0026 5:37+8 `platform` has no place here\n");
  CHECK(errors("x.example/a, compression: zstd") ==
        "L0023 5:30+11 `compression` is not built by this version of lithify\n");
  const Reading reading = read_text(
      "lithify: 1\n" + k_image + "push: [{repo: a/b, when: {platform: linux/amd64}}]\n");
  CHECK(reading.problems.at(0).error.label() == "one push is one index of all platforms");
}

TEST_CASE("repositories and tags are held to the registries' grammar") {
  const auto errors = [](const std::string& target) {
    return errors_in("lithify: 1\nargs: {bad: {default: 'a b'}, v: {default: v}}\n" +
                     k_image + "push: [{" + target + "}]\n");
  };
  CHECK(errors("tags: {v: once}") == "L0022 4:9+14 `push` needs `repo`\n");
  for (const char* repo :
       {"a.example/b:v1", "a.example/b@sha256:ab", "A.example/B", "''"})
    CHECK(errors(fmt::format("repo: {}", repo)).starts_with("L0024 4:15+"));
  CHECK(errors("repo: a/b, tags: {.x: once}") ==
        "L0024 4:27+2 `.x` cannot be a name here\n");
  CHECK(errors("repo: a/b, tags: {x: always}") ==
        "L0024 4:30+6 `x` cannot be `always`\n");
  CHECK(errors("repo: a/b, tags: {$(args.bad): once}") ==
        "L0024 4:27+11 `a b` cannot be a name here\n");
  CHECK(errors("repo: a/$(args.bad), tags: {x: once}").starts_with("L0024 4:15+"));
  CHECK(errors("repo: a/b, tags: {$(args.none): once}") ==
        "L0031 4:27+12 `$(args.none)` is not defined\n");
}

TEST_CASE("a tag is pushed once") {
  const auto first = [](const std::string& push) {
    const Reading reading = read_text("lithify: 1\nargs: {v: {default: x}}\n" + k_image +
                                      "push: [" + push + "]\n");
    REQUIRE(reading.problems.size() == 1);
    return reading.problems[0].error;
  };
  const oci::Error twice = first("{repo: a/b, tags: {x: once, $(args.v): move}}");
  CHECK(twice.id() == "L0013");
  CHECK(twice.what() == std::string("`docker.io/a/b:x` is pushed twice"));
  CHECK(twice.place().column == 36);
  REQUIRE(twice.other_places().size() == 1);
  CHECK(twice.other_places()[0].place.column == 27);
  CHECK(
      first(
          "{repo: a/b, tags: {$(args.v): once}}, {repo: docker.io/a/b, tags: {x: once}}")
          .id() == "L0013");
  CHECK(errors_in("lithify: 1\nimages: {c: {from: scratch}, d: {from: scratch}}\n"
                  "push: [{repo: a/b, tags: {x: once}}]\n") ==
        "L0111 3:27+1 images `c` and `d` would both be pushed to `docker.io/a/b:x`\n");
}

TEST_CASE("a push has its limits") {
  std::string tags, targets;
  for (int i = 0; i < 300; ++i) {
    tags += fmt::format("t{}: once, ", i);
    targets += fmt::format("{{repo: a/r{}}}, ", i);
  }
  const std::string head = "lithify: 1\n" + k_image + "push: [";
  CHECK(errors_in(head + "{repo: a/b, tags: {" + tags + "}}]\n").starts_with("L0003 3:"));
  CHECK(errors_in(head + targets + "]\n").starts_with("L0003 3:"));
}
