#include "builder/pack/layering.h"

#include "tests/support/catch.h"

namespace lithify {
namespace {

using oci::FileType;

constexpr std::int64_t k_1980 = 315532800;

Node file(const std::string& text, const std::string& origin = "") {
  Node node;
  node.content = Slice{{oci::Digest::of(text), text.size()}, 0, text.size()};
  node.attributes.mtime = k_1980;
  node.origin = origin;
  return node;
}

Node directory(std::uint32_t mode = 0755, const std::string& origin = "") {
  Node node;
  node.type = FileType::directory;
  node.attributes = {mode, 0, 0, k_1980, {}};
  node.origin = origin;
  return node;
}

Node implied() {
  Node node = directory();
  node.implied = true;
  return node;
}

Node symlink(const std::string& target) {
  Node node;
  node.type = FileType::symlink;
  node.attributes = {0777, 0, 0, k_1980, {}};
  node.link = target;
  return node;
}

Node whiteout() {
  Node node;
  node.type = FileType::whiteout;
  return node;
}

// One layer for each tree, from scratch.
VariantPlan plan_of(std::size_t layers) {
  VariantPlan plan;
  plan.platform = {"linux", "amd64", ""};
  for (std::size_t i = 0; i < layers; ++i) {
    plan.layers.push_back({"layer " + std::to_string(i), "step", {i}, false});
  }
  return plan;
}

std::vector<std::string> paths(const Tree& tree) {
  std::vector<std::string> all;
  for (const auto& [path, node] : tree.nodes())
    all.push_back((node.type == FileType::whiteout ? "-" : "") + path);
  return all;
}

using Paths = std::vector<std::string>;

TEST_CASE("implied directories are written once in an image from scratch") {
  const std::vector<Tree> trees = {
      Tree({{"srv", implied()}, {"srv/a", file("a")}}),
      Tree({{"srv", implied()}, {"srv/b", file("b")}}),
  };
  const auto layers = layer_changes(plan_of(2), {}, trees);
  CHECK(paths(layers[0].change) == Paths{"srv", "srv/a"});
  CHECK(paths(layers[1].change) == Paths{"srv/b"});
  CHECK(layers[0].change.find("srv")->attributes == directory().attributes);
}

TEST_CASE("implied directories are never written over a base") {
  VariantPlan plan = plan_of(1);
  plan.base = BaseImage{"layout:base", {"type", oci::Digest::of("m"), 1}};
  const std::vector<Tree> trees = {
      Tree({{"tmp", implied()}, {"tmp/gone", whiteout()}, {"tmp/a", file("a")}})};
  const auto layers = layer_changes(plan, {}, trees);
  CHECK(paths(layers[0].change) == Paths{"tmp/a", "-tmp/gone"});
}

TEST_CASE("a directory that someone declared is written even where it is known") {
  const std::vector<Tree> trees = {Tree({{"srv", directory()}}),
                                   Tree({{"srv", directory(0700)}})};
  const auto layers = layer_changes(plan_of(2), {}, trees);
  CHECK(layers[1].change.find("srv")->attributes.mode == 0700);
}

TEST_CASE("a whiteout from scratch is written only where a lower layer has the path") {
  const std::vector<Tree> trees = {
      Tree({{"a", file("a")}}),
      Tree({{"a", whiteout()}, {"never", whiteout()}}),
  };
  const auto layers = layer_changes(plan_of(2), {}, trees);
  CHECK(paths(layers[1].change) == Paths{"-a"});
}

TEST_CASE("what is under an implied directory follows a symlink of a lower layer") {
  const std::vector<Tree> trees = {
      Tree({{"lib", symlink("usr/lib")}, {"usr", implied()}, {"usr/lib", directory()}}),
      Tree({{"lib", implied()}, {"lib/x", implied()}, {"lib/x/a", file("a")}}),
  };
  const auto layers = layer_changes(plan_of(2), {}, trees);
  CHECK(paths(layers[1].change) == Paths{"usr/lib/x", "usr/lib/x/a"});
}

TEST_CASE("a symlink to nothing yet makes the directory it leads to") {
  const std::vector<Tree> trees = {
      Tree({{"var", directory()}, {"var/run", symlink("/run/here")}}),
      Tree({{"var", implied()}, {"var/run", implied()}, {"var/run/a", file("a")}}),
  };
  const auto layers = layer_changes(plan_of(2), {}, trees);
  CHECK(paths(layers[1].change) == Paths{"run", "run/here", "run/here/a"});
  CHECK(paths(merged_changes(plan_of(2), trees, {})) ==
        Paths{"run", "run/here", "run/here/a", "var", "var/run"});
}

TEST_CASE("a declared directory over a symlink is written where that leads") {
  const std::vector<Tree> trees = {
      Tree({{"lib", symlink("usr/lib")}, {"usr", implied()}, {"usr/lib", directory()}}),
      Tree({{"lib", directory()}, {"lib/a", file("a")}}),
  };
  const auto layers = layer_changes(plan_of(2), {}, trees);
  CHECK(paths(layers[1].change) == Paths{"usr/lib", "usr/lib/a"});
  CHECK(layers[1].change.find("usr/lib")->type == FileType::directory);
  CHECK(paths(merged_changes(plan_of(2), trees, {})) ==
        Paths{"lib", "usr", "usr/lib", "usr/lib/a"});
}

TEST_CASE("on a base a declared directory lies as its layer does") {
  VariantPlan plan = plan_of(1);
  plan.base = BaseImage{"layout:base", {"type", oci::Digest::of("m"), 1}};
  const std::vector<Tree> trees = {Tree({{"lib", directory()}, {"lib/a", file("a")}})};
  const Tree base({{"lib", symlink("usr/lib")}, {"usr", directory()}});
  CHECK(paths(layer_changes(plan, {}, trees)[0].change) == Paths{"lib", "lib/a"});
  CHECK(paths(merged_changes(plan, trees, base)) == Paths{"lib", "lib/a", "usr"});
}

TEST_CASE("what cannot be laid on what is below it is told with its step's place") {
  const Tree a({{"a", file("a")}});
  const Tree link({{"a", symlink("b")}, {"b", file("b")}});
  const Tree below_a({{"a", implied()}, {"a/b", file("b")}});
  const Tree other({{"c", file("c")}});
  const auto line_of_refusal = [](const VariantPlan& plan, std::vector<Tree> trees) {
    try {
      layer_changes(plan, {}, trees);
    } catch (const oci::Error& error) {
      return error.place().line;
    }
    return 0;
  };
  VariantPlan one = plan_of(1);
  one.layers[0].steps = {0, 1, 2};
  one.layers[0].places = {{"f", 1}, {"f", 2}, {"f", 3}};
  CHECK(line_of_refusal(one, {a, other, below_a}) == 3);
  CHECK(line_of_refusal(one, {link, below_a, other}) == 2);
  VariantPlan several = plan_of(3);
  for (int i = 0; i < 3; ++i)
    several.layers[i].places = {{"f", i + 1}};
  CHECK(line_of_refusal(several, {a, other, below_a}) == 3);
  CHECK(line_of_refusal(several, {link, below_a, other}) == 2);
  CHECK(line_of_refusal(several, {a, other, other}) == 0);
}

TEST_CASE("steps of one layer are merged, and what came and went leaves nothing") {
  VariantPlan plan = plan_of(1);
  plan.layers[0].steps = {0, 1};
  const std::vector<Tree> trees = {Tree({{"a", file("a")}, {"b", file("b")}}),
                                   Tree({{"a", whiteout()}})};
  const auto layers = layer_changes(plan, {}, trees);
  CHECK(paths(layers[0].change) == Paths{"b"});
}

Tree packages() {
  Node one = file("one", "libc6");
  one.file_id = 7;
  Node two = one;
  two.origin = "other";
  return Tree({{"etc", directory()},
               {"etc/empty", directory(0700)},
               {"etc/passwd", file("root")},
               {"usr", directory()},
               {"usr/bin", directory(0755, "bash")},
               {"usr/bin/bash", file(std::string(300, 'b'), "bash")},
               {"usr/bin/sh", symlink("bash")},
               {"usr/lib", directory()},
               {"usr/lib/libc", one},
               {"usr/lib/libc2", two},
               {"usr/lib/tiny", file("t", "tiny")}});
}

TEST_CASE("packages are split by size, and directories come along") {
  const LayerChange layer{"packages", "step", packages()};
  const auto parts = split_by_package(layer, 3);
  REQUIRE(parts.size() == 3);
  CHECK(parts[0].name == "bash");
  CHECK(paths(parts[0].change) == Paths{"usr", "usr/bin", "usr/bin/bash"});
  CHECK(parts[1].name == "libc6");
  CHECK(paths(parts[1].change) ==
        Paths{"usr", "usr/lib", "usr/lib/libc", "usr/lib/libc2"});
  CHECK(parts[2].name == "packages");
  CHECK(paths(parts[2].change) == Paths{"etc", "etc/empty", "etc/passwd", "usr",
                                        "usr/bin", "usr/bin/sh", "usr/lib",
                                        "usr/lib/tiny"});
}

TEST_CASE("a budget of one splits nothing") {
  const LayerChange layer{"packages", "step", packages()};
  const auto parts = split_by_package(layer, 1);
  REQUIRE(parts.size() == 1);
  CHECK(parts[0].change.digest() == layer.change.digest());
}

TEST_CASE("the parts of a split layer make the same tree as the whole") {
  const LayerChange layer{"packages", "step", packages()};
  for (std::size_t most = 1; most < 6; ++most) {
    std::vector<Tree> parts;
    for (const auto& part : split_by_package(layer, most))
      parts.push_back(part.change);
    CHECK(parts.size() <= most);
    CHECK(merge(parts, false).digest() == layer.change.digest());
  }
}

TEST_CASE("more layers than the budget are refused") {
  Layering layering;
  layering.budget = 1;
  const std::vector<Tree> trees = {Tree({{"a", file("a")}}), Tree({{"b", file("b")}})};
  CHECK_THROWS_AS(layer_changes(plan_of(2), layering, trees), oci::Error);
  // An empty layer counts for nothing.
  CHECK(layer_changes(plan_of(2), layering, std::vector<Tree>{trees[0], Tree()}).size() ==
        2);
}

}  // namespace
}  // namespace lithify
