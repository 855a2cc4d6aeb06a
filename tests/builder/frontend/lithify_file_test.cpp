// lithify_file: build files and the recipes they mean.
#include "builder/frontend/lithify_file.h"

#include <fmt/format.h>

#include "tests/builder/frontend/reading.h"

using namespace lithify;

namespace {

const std::string k_empty_image = "image: {from: scratch}\n";

}  // namespace

TEST_CASE("the smallest build file") {
  const Recipe recipe = recipe_of("lithify: 1\n" + k_empty_image);
  CHECK(recipe.file == "lithify.yaml");
  CHECK(recipe.directory == "/home/me/My Project");
  CHECK(recipe.project == "my-project");
  CHECK(recipe.epoch.kind == EpochRule::Kind::automatic);
  REQUIRE(recipe.images.size() == 1);
  CHECK(recipe.images[0].name == "my-project");
  REQUIRE(recipe.images[0].variants.size() == 1);
  CHECK(recipe.images[0].variants[0].platform.str() == "linux/amd64");
  CHECK(recipe.images[0].variants[0].from.kind == From::Kind::scratch);
}

TEST_CASE("a file without image, or of a later language, is refused") {
  CHECK(errors_in("") == "L0020 1:1+1 the build file is empty\n");
  CHECK(errors_in("[]") == "L0020 1:1+2 a build file is a map of fields\n");
  CHECK(errors_in("lithify: 2\nwhatever: 1\n") ==
        "L0027 1:10+1 `lithify: 2` needs a newer lithify\n");
  CHECK(errors_in(k_empty_image) == "L0022 1:1+21 the build file needs `lithify`\n");
  CHECK(errors_in("lithify: 1\n") == "L0106 1:1+10 the file builds no image\n");
  CHECK(errors_in("lithify: 1\nimage: {from: scratch}\nimages: {a: {from: scratch}}\n") ==
        "L0106 3:1+6 the file has both `image` and `images`\n");
}

TEST_CASE("the version is refused as what it is") {
  for (const char* version : {"0", "-5", "$(args.v)", "''"})
    CHECK(errors_in(fmt::format("lithify: {}\n{}", version, k_empty_image))
              .starts_with("L0024 1:10"));
  CHECK(errors_in("lithify: one\n" + k_empty_image) ==
        "L0024 1:10+3 `lithify` cannot be `one`\n");
}

TEST_CASE("copy steps") {
  const auto copy = step_of<CopyStep>(
      "{copy: [./a//b, c/], from: src, into: /x//y/./z/, exclude: ['**/*.o'], owner: "
      "'1:2',"
      " mode: 0640, dir-mode: '750', keep-paths: true, unpack: true}");
  CHECK(copy.paths == std::vector<std::string>{"a/b", "c"});
  CHECK(copy.source == "src");
  CHECK(copy.to.empty());
  CHECK(copy.into == "/x/y/z");
  CHECK(copy.exclude == std::vector<std::string>{"**/*.o"});
  CHECK(copy.owner == Owner{1, 2});
  CHECK(copy.mode == 0640u);
  CHECK(copy.dir_mode == 0750u);
  CHECK(copy.keep_paths);
  CHECK(copy.unpack);
  CHECK(step_of<CopyStep>("{copy: /, from: src, to: /}").paths ==
        std::vector<std::string>{"."});
}

TEST_CASE("packages steps") {
  const auto step = step_of<PackagesStep>(
      "{packages: [bash, libc6:arm64=2.36*, g++], from: deb, recommends: true,"
      " scripts: skip, drop: [docs, locales], keep: {locales: [de, en]}}");
  REQUIRE(step.packages.size() == 3);
  CHECK(step.packages[1].name == "libc6");
  CHECK(step.packages[1].architecture == "arm64");
  CHECK(step.packages[1].version == "2.36*");
  CHECK(step.packages[0].place.line == 8);
  CHECK(step.packages[0].place.column == 19);
  CHECK(step.source == "deb");
  CHECK(step.recommends);
  CHECK(step.drop == std::vector<std::string>{"docs", "locales"});
  CHECK(step.keep_locales == std::vector<std::string>{"de", "en"});
  CHECK_FALSE(step.run_scripts);
  const auto scripts = step_of<PackagesStep>(
      "{packages: [bash], from: deb, scripts: run, normalise: {logs: false, backups: "
      "false, pycache: true}}");
  CHECK(scripts.run_scripts);
  CHECK(scripts.unnormalised == std::vector<std::string>{"backups", "logs"});
}

TEST_CASE("the other steps") {
  const auto file = step_of<FileStep>("{file: /a, text: \"x\\n\", mode: 4755}");
  CHECK(file.text == "x\n");
  CHECK(file.mode == 04755);
  CHECK(step_of<DirStep>("{dir: /a/}").path == "/a");
  CHECK(step_of<DirStep>("{dir: /a}").mode == 0755);
  CHECK(step_of<SymlinkStep>("{symlink: /a, target: ../b}").target == "../b");
  CHECK(step_of<RemoveStep>("remove: [/etc/x, '**/*.pyc']").globs.size() == 2);
  const auto attrs = step_of<AttrsStep>("{attrs: [/a], mode: 600, xattrs: {user.a: b}}");
  CHECK(attrs.mode == 0600u);
  CHECK_FALSE(attrs.owner.has_value());
  CHECK(attrs.xattrs.at("user.a") == "b");
  const auto users = step_of<UsersStep>(
      "users: [{name: app, uid: 7, home: /h, shell: /s, gecos: A B, create-home: true,"
      " groups: [root]}, {name: two, uid: 8, gid: 9}]");
  CHECK(users.users[0].gid == 7);
  CHECK(users.users[0].create_home);
  CHECK(users.users[1].gid == 9);
  CHECK(users.users[1].home == "/nonexistent");
  const auto groups = step_of<GroupsStep>("groups: [{name: g, gid: 5, members: [root]}]");
  CHECK(groups.groups[0].gid == 5);
}

TEST_CASE("steps have a name, a layer, a text and a time") {
  const auto variant = variant_with(
      "    - {copy: ., from: src, to: /srv, name: site, layer: app, mtime: epoch}\n"
      "    - {packages: [bb, aa=1], from: deb}\n");
  CHECK(variant.steps[0].name == "site");
  CHECK(variant.steps[0].layer == "app");
  CHECK(variant.steps[0].mtime_epoch);
  CHECK(variant.steps[0].text == "copy . to /srv");
  CHECK(variant.steps[0].place.line == 8);
  CHECK(variant.steps[0].place.column == 8);
  CHECK(variant.steps[1].text == "packages bb aa=1");
  CHECK_FALSE(variant.steps[1].mtime_epoch);
}

TEST_CASE("owners are numbers or declared names") {
  const auto variant = variant_with(
      "    - groups: [{name: web, gid: 50}]\n"
      "    - users: [{name: app, uid: 10, gid: 20}, {name: solo, uid: 30}, {name: w, "
      "uid: 1,"
      " gid: web}]\n"
      "    - {dir: /a, owner: app}\n"
      "    - {dir: /b, owner: 'app:web'}\n"
      "    - {dir: /c, owner: '99:solo'}\n"
      "    - {dir: /d, owner: 10}\n"
      "    - {dir: /e, owner: w}\n"
      "    - {dir: /f, owner: root}\n");
  const auto owner = [&](std::size_t i) {
    return std::get<DirStep>(variant.steps.at(i).verb).owner;
  };
  CHECK(owner(2) == Owner{10, 20});
  CHECK(owner(3) == Owner{10, 50});
  CHECK(owner(4) == Owner{99, 30});
  CHECK(owner(5) == Owner{10, 20});
  CHECK(owner(6) == Owner{1, 50});
  CHECK(owner(7) == Owner{0, 0});
}

TEST_CASE("accounts that no step declares may come with a base or a package") {
  const std::string users =
      "    - users: [{name: a, uid: 5, groups: [adm]}, {name: b, uid: 6, gid: 7}]\n";
  const auto errors = [&](const std::string& before) {
    return errors_in(
        "lithify: 1\nsources: {src: {local: .}, deb: {apt: {suites: [s]}}}\n"
        "image:\n  from: scratch\n  steps:\n" +
        before + users);
  };
  const std::string unknown = "L0104 7:42+3 no earlier step declares group `adm`\n";
  CHECK(errors("    - {copy: ., from: src, to: /srv}\n") == unknown);
  CHECK(errors("    - {packages: [base-passwd], from: deb}\n").empty());
  CHECK(errors("    - {copy: rootfs, from: src, to: /}\n").empty());
  CHECK(errors("    - {file: /etc/group, text: \"adm:x:4:\\n\"}\n").empty());
  CHECK(errors("    - groups: [{name: adm, gid: 4}]\n").empty());
  // Whatever else there is, a group with this name and another number is declared.
  CHECK(
      errors("    - {packages: [xz], from: deb}\n    - groups: [{name: a, gid: 9}]\n") ==
      "L0024 8:16+30 user `a` has gid 5, and group `a` has gid 9\n");
}

TEST_CASE("root may be declared, with root's number") {
  const auto users = step_of<UsersStep>("users: [{name: root, uid: 0, home: /root}]");
  CHECK(users.users[0].home == "/root");
}

TEST_CASE("extended attributes are text, base64 or hex") {
  const auto attrs = step_of<AttrsStep>(
      "{attrs: [/a], xattrs: {user.a: 0sAAEC/w==, user.b: 0x00fF, user.c: 'plain 0x', "
      "security.capability: 0sAQAAAgAgAAAAAAAAAAAAAAAAAAA=}}");
  CHECK(attrs.xattrs.at("user.a") == std::string("\0\1\2\xff", 4));
  CHECK(attrs.xattrs.at("user.b") == std::string("\0\xff", 2));
  CHECK(attrs.xattrs.at("user.c") == "plain 0x");
  CHECK(attrs.xattrs.at("security.capability").size() == 20);
}

TEST_CASE("the order of the platforms asked for means nothing") {
  const std::string file = "lithify: 1\nplatforms: [linux/s390x, linux/386]\n";
  FrontendOptions options;
  options.platforms = {{"linux", "arm64", ""},
                       {"linux", "386", ""},
                       {"linux", "amd64", ""},
                       {"linux", "s390x", ""}};
  std::string order;
  const Recipe recipe = recipe_of(file + k_empty_image, options);
  for (const ImageVariant& variant : recipe.images[0].variants)
    order += variant.platform.str() + " ";
  CHECK(order == "linux/s390x linux/386 linux/amd64 linux/arm64 ");
}

TEST_CASE("accounts and defaults come from the image below") {
  const Recipe recipe = recipe_of(
      "lithify: 1\nimages:\n"
      "  top:\n    from: image:base\n    defaults: {owner: app}\n"
      "    steps: [{dir: /a}]\n"
      "  base:\n    from: scratch\n    steps: [{users: [{name: app, uid: 5}]}]\n");
  CHECK(recipe.images[0].name == "top");
  const ImageVariant& top = recipe.images[0].variants[0];
  CHECK(top.from.kind == From::Kind::image);
  CHECK(top.from.name == "base");
  CHECK(std::get<DirStep>(top.steps[0].verb).owner == Owner{5, 5});
}

TEST_CASE("configuration") {
  const ConfigChange config =
      recipe_of(
          "lithify: 1\nimage:\n  from: scratch\n  config:\n"
          "    inherit: false\n    entrypoint: [/a, -x]\n    cmd: null\n"
          "    env: {A: \"1\", B: null}\n    user: '1:1'\n    workdir: /w/\n"
          "    ports: [80, 53/udp]\n    volumes: [/v]\n    labels: {l: x}\n"
          "    stop-signal: SIGINT\n"
          "    healthcheck: {test: [/p], interval: 1m30s, timeout: 2s,"
          " start-period: 500ms, retries: 3}\n")
          .images[0]
          .variants[0]
          .config;
  CHECK_FALSE(config.inherit);
  CHECK(config.entrypoint == std::vector<std::string>{"/a", "-x"});
  CHECK(config.cmd == std::vector<std::string>{});
  CHECK(config.env.at("A") == "1");
  CHECK(config.env.at("B") == std::nullopt);
  CHECK(config.user == "1:1");
  CHECK(config.workdir == "/w");
  CHECK(config.ports == std::vector<std::string>{"80/tcp", "53/udp"});
  CHECK(config.volumes == std::vector<std::string>{"/v"});
  CHECK(config.labels.at("l") == "x");
  CHECK(config.stop_signal == "SIGINT");
  REQUIRE(config.healthcheck.has_value());
  CHECK(config.healthcheck->test == std::vector<std::string>{"CMD", "/p"});
  CHECK(config.healthcheck->interval == 90'000'000'000);
  CHECK(config.healthcheck->start_period == 500'000'000);
  CHECK(config.healthcheck->retries == 3);
}

TEST_CASE("no health check is not the same as none said") {
  const auto config = [](const std::string& text) {
    return recipe_of("lithify: 1\nimage: {from: scratch, config: {" + text + "}}\n")
        .images[0]
        .variants[0]
        .config;
  };
  CHECK_FALSE(config("user: x").healthcheck.has_value());
  REQUIRE(config("healthcheck: null").healthcheck.has_value());
  CHECK(config("healthcheck: null").healthcheck->test.empty());
}

TEST_CASE("sources") {
  const std::string hash(64, 'a');
  const Recipe recipe = recipe_of(
      "lithify: 1\nsources:\n"
      "  a: {local: src, include: [x/**], modes: git}\n"
      "  b: {url: https://h/x, sha256: " +
      hash +
      "}\n"
      "  c: {archive: a.tar, strip: 1, subdir: /x/}\n"
      "  d: {layout: base, tag: v1}\n"
      "  e: {apt: {uri: 'https://h/debian', suites: [s], keys: [k]}}\n"
      "image:\n  from: d\n  steps:\n"
      "    - {copy: ., from: a, to: /a}\n    - {copy: ., from: b, to: /b}\n"
      "    - {copy: ., from: c, to: /c}\n    - {packages: [bash], from: e}\n");
  const auto local = std::get<LocalSource>(recipe.sources.at("a").kind);
  CHECK(local.path == "src");
  CHECK(local.modes == LocalSource::Modes::git);
  CHECK(std::get<UrlSource>(recipe.sources.at("b").kind).sha256->hex() == hash);
  const auto archive = std::get<ArchiveSource>(recipe.sources.at("c").kind);
  CHECK(archive.location == "a.tar");
  CHECK(archive.strip == 1);
  CHECK(archive.subdir == "x");
  CHECK(std::get<LayoutSource>(recipe.sources.at("d").kind).tag == "v1");
  const auto apt = std::get<AptSource>(recipe.sources.at("e").kind);
  CHECK(apt.components == std::vector<std::string>{"main"});
  CHECK(recipe.images[0].variants[0].from.name == "d");
}

TEST_CASE("a source that names the platform is one source for each") {
  const Recipe recipe = recipe_of(
      "lithify: 1\nplatforms: [linux/amd64, linux/arm64/v8]\n"
      "sources: {bin: {local: 'bin/$(platform.arch)'}, src: {local: .}}\n"
      "image: {from: scratch, steps: [{copy: ., from: bin, to: /b},"
      " {copy: ., from: src, to: /s}]}\n");
  CHECK(recipe.sources.size() == 3);
  const Source& arm = recipe.sources.at("bin@linux/arm64");
  CHECK(arm.name == "bin");
  CHECK(std::get<LocalSource>(arm.kind).path == "bin/arm64");
  CHECK(std::get<CopyStep>(recipe.images[0].variants[1].steps[0].verb).source ==
        "bin@linux/arm64");
}

TEST_CASE("platforms come from the command line, the image, the file, the host") {
  const std::string image = "image: {from: scratch, platforms: [linux/arm64]}\n";
  const std::string file = "lithify: 1\nplatforms: [linux/s390x, linux/386]\n";
  FrontendOptions options;
  options.platforms = {{"linux", "riscv64", ""}};
  const auto first = [](const Recipe& recipe) {
    return recipe.images[0].variants[0].platform.str();
  };
  CHECK(first(recipe_of(file + image, options)) == "linux/riscv64");
  CHECK(first(recipe_of(file + image)) == "linux/arm64");
  CHECK(first(recipe_of(file + k_empty_image)) == "linux/s390x");
  const Reading host =
      read_lithify_file("f", "/p", "lithify: 1\n" + k_empty_image, FrontendOptions());
  CHECK(first(*host.recipe) == oci::Platform::host().str());
}

TEST_CASE("conditions are platforms and arguments") {
  const std::string text =
      "lithify: 1\nplatforms: [linux/amd64, linux/arm64]\n"
      "args: {debug: {type: bool}, role: {values: [a, b], default: a}}\n"
      "image:\n  from: scratch\n  steps:\n"
      "    - {dir: /arm, when: {platform: linux/arm64}}\n"
      "    - {dir: /any, when: {platform: [linux/amd64, linux/arm64]}}\n"
      "    - {dir: /debug, when: {arg: {debug: true}}}\n"
      "    - {dir: /ab, when: {arg: {role: [a, c]}, platform: linux/amd64}}\n";
  const auto paths = [](const ImageVariant& variant) {
    std::string all;
    for (const RecipeStep& step : variant.steps)
      all += std::get<DirStep>(step.verb).path;
    return all;
  };
  const Recipe plain = recipe_of(text);
  CHECK(paths(plain.images[0].variants[0]) == "/any/ab");
  CHECK(paths(plain.images[0].variants[1]) == "/arm/any");
  FrontendOptions options;
  options.args["debug"] = "true";
  CHECK(paths(recipe_of(text, options).images[0].variants[0]) == "/any/debug/ab");
}

TEST_CASE("layering, annotations, outputs and epoch") {
  const Recipe recipe = recipe_of(
      "lithify: 1\nepoch: 2026-11-01\noutputs: [{oci: out}]\nimages:\n"
      "  a: {from: scratch, layering: single, description: An image,"
      " annotations: {x: $(image.name)}}\n"
      "  b: {from: scratch, layering: {strategy: by-package, budget: 4, compression: "
      "gzip},"
      " outputs: [{tar: 'b-$(platform.arch).tar'}]}\n");
  CHECK(recipe.epoch.kind == EpochRule::Kind::fixed);
  CHECK(recipe.epoch.seconds == 1793491200);
  CHECK(recipe.images[0].layering.strategy == Layering::Strategy::single);
  CHECK(recipe.images[0].description == "An image");
  CHECK(recipe.images[0].annotations.at("x") == "a");
  CHECK(recipe.images[0].variants[0].outputs[0].kind == Output::Kind::oci);
  CHECK(recipe.images[1].layering.strategy == Layering::Strategy::by_package);
  CHECK(recipe.images[1].layering.budget == 4);
  CHECK(recipe.images[1].layering.compression == Layering::Compression::gzip);
  CHECK(recipe.images[1].variants[0].outputs[0].path == "b-amd64.tar");
}

TEST_CASE("more than twenty errors are counted, not shown") {
  std::string text = "lithify: 1\n" + k_empty_image;
  for (int i = 0; i < 30; ++i)
    text += "x" + std::to_string(i) + ": 1\n";
  const Reading reading = read_text(text);
  REQUIRE(reading.problems.size() == 20);
  CHECK(reading.problems.back().error.notes() ==
        std::vector<std::string>{"10 more errors are not shown"});
  CHECK_FALSE(reading.recipe.has_value());
}

TEST_CASE("one mistake on several platforms is one error") {
  CHECK(errors_in("lithify: 1\nplatforms: [linux/amd64, linux/arm64]\n"
                  "image: {from: scratch, steps: [{copy: ., from: src, to: /}]}\n") ==
        "L0101 3:48+3 there is no source `src`\n");
}

TEST_CASE("hostile files end soon") {
  SECTION("a long chain of images") {
    std::string text = "lithify: 1\nimages:\n  i0: {from: scratch}\n";
    for (int i = 1; i < 256; ++i)
      text += fmt::format("  i{}: {{from: image:i{}}}\n", i, i - 1);
    CHECK(recipe_of(text).images.size() == 256);
    text += "  more: {from: scratch}\n";
    CHECK(errors_in(text).starts_with("L0003"));
  }
  SECTION("a chain in reverse order") {
    std::string text = "lithify: 1\nimages:\n  i0: {from: scratch}\n";
    for (int i = 255; i > 0; --i)
      text += fmt::format("  i{}: {{from: image:i{}}}\n", i, i - 1);
    CHECK(recipe_of(text).images.size() == 256);
  }
  SECTION("thousands of steps on one line") {
    std::string text = "lithify: 1\nimage: {from: scratch, steps: [";
    for (int i = 0; i < 5000; ++i)
      text += fmt::format("{{dir: /d{}}}, ", i);
    const Recipe recipe = recipe_of(text + "]}\n");
    const oci::Place place = recipe.images[0].variants[0].steps[4999].place;
    CHECK(place.line == 2);
    CHECK(text.substr(text.find('\n') + static_cast<std::size_t>(place.column), 11) ==
          "dir: /d4999");
  }
  SECTION("thousands of unknown names") {
    std::string text = "lithify: 1\nsources:\n";
    for (int i = 0; i < 5000; ++i)
      text += fmt::format("  source-with-a-long-name-{}: {{local: .}}\n", i);
    text += "image:\n  from: scratch\n  steps:\n";
    for (int i = 0; i < 5000; ++i)
      text +=
          fmt::format("    - {{copy: ., from: sorce-with-a-long-name{}, to: /}}\n", i);
    CHECK(read_text(text).problems.size() == 20);
  }
  SECTION("thousands of arguments, users") {
    std::string args = "lithify: 1\nargs:\n", users;
    for (int i = 0; i < 1000; ++i) {
      args += fmt::format("  a{}: {{}}\n", i);
      users += fmt::format("{{name: u{0}, uid: {0}}}, ", i);
    }
    CHECK(errors_in(args + k_empty_image).starts_with("L0003"));
    CHECK(errors_in("lithify: 1\nimage: {from: scratch, steps: [{users: [" + users +
                    "]}]}\n")
              .starts_with("L0003"));
  }
}

TEST_CASE("packages steps have numbers that no argument and no other step shifts") {
  const std::string text =
      "lithify: 1\nargs: {d: {type: bool, default: false}}\n"
      "sources: {deb: {apt: {suites: [s]}}}\nimage:\n  from: scratch\n  steps:\n"
      "    - {dir: /z}\n"
      "    - {packages: [gdb], from: deb, when: {arg: {d: true}}}\n"
      "    - {packages: [bash], from: deb}\n";
  const ImageRecipe image = recipe_of(text).images.at(0);
  CHECK(image.name == "my-project");
  CHECK(image.lock_name == "image");
  CHECK(image.packages_steps == 2);
  REQUIRE(image.variants[0].steps.size() == 2);
  CHECK(std::get<PackagesStep>(image.variants[0].steps[1].verb).number == 1);
  FrontendOptions debug;
  debug.args["d"] = "true";
  const ImageRecipe all = recipe_of(text, debug).images.at(0);
  CHECK(std::get<PackagesStep>(all.variants[0].steps[1].verb).number == 0);
  CHECK(std::get<PackagesStep>(all.variants[0].steps[2].verb).number == 1);
}

TEST_CASE("images have their own names in the lock") {
  const auto recipe = recipe_of(
      "lithify: 1\nimages:\n  a: {from: scratch, steps: []}\n"
      "  b: {from: scratch, steps: []}\n");
  CHECK(recipe.images.at(1).lock_name == "b");
}

TEST_CASE("nothing is made below a file that the same image makes") {
  const std::string head =
      "lithify: 1\nsources: {src: {local: .}}\nimage:\n  from: scratch\n  steps:\n";
  const std::string file = "    - {file: /a, text: x}\n";
  const std::string below = "    - {file: /a/b, text: x}\n";
  CHECK(errors_in(head + file + below) ==
        "L0110 7:8+4 /a/b would stand below the file /a\n");
  CHECK(errors_in(head + file + "    - {copy: ., from: src, into: /a}\n") ==
        "L0110 7:8+4 /a/* would stand below the file /a\n");
  // It may have been replaced meanwhile.
  for (const char* between : {"    - {dir: /a}\n", "    - {remove: [/a]}\n",
                              "    - {copy: ., from: src, to: /}\n"}) {
    CHECK(errors_in(head + file + between + below).empty());
  }
}

TEST_CASE("$(epoch) is the epoch that the file asks for") {
  FrontendOptions options;
  options.epoch = [](const EpochRule& rule) { return rule.seconds; };
  const auto labelled = [&](const std::string& epoch) {
    return recipe_of("lithify: 1\n" + epoch +
                         "image:\n  from: scratch\n  steps: []\n"
                         "  config: {labels: {e: $(epoch)}}\n",
                     options)
        .images.at(0)
        .variants.at(0)
        .config.labels.at("e");
  };
  CHECK(labelled("epoch: 7\n") == "7");
  CHECK(labelled("") == "0");
}
