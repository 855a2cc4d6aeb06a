// debian_select: small worlds, and what apt would install in them.
#include "builder/resolve/debian_select.h"

#include "oci/base/error.h"

#include "tests/support/catch.h"

using namespace lithify;

namespace {

// "name version" and further fields, one a line.
std::string package(const std::string& name, const std::string& version,
                    const std::string& more = "", const std::string& arch = "amd64") {
  std::string text = "Package: " + name + "\nVersion: " + version +
                     "\nArchitecture: " + arch + "\nFilename: pool/" + name + "_" + arch +
                     ".deb\nSize: 1\nSHA256: " + oci::Digest::of(name + version).hex() +
                     "\n";
  if (!more.empty()) text += more + "\n";
  return text + "\n";
}

struct World {
  DebianUniverse universe{{"amd64", "i386"}};
  PackagesStep step;
  std::vector<LockedPackage> already;
  std::vector<LockedPackage> preferred;

  explicit World(const std::vector<std::string>& packages) {
    std::string text;
    for (const std::string& one : packages)
      text += one;
    universe.add_index(text, 500, "Packages");
    universe.finish();
  }
  World& ask(const std::string& name, const std::string& version = "",
             const std::string& arch = "") {
    step.packages.push_back({name, version, arch, {"lithify.yaml", 3}});
    return *this;
  }
  World& with_recommends() {
    step.recommends = true;
    return *this;
  }
  std::string answer() {
    std::string text;
    for (const LockedPackage& one : select_packages(universe, step, already, preferred)) {
      if (!text.empty()) text += ' ';
      text += one.name + '=' + one.version;
      if (one.architecture != "amd64" && one.architecture != "all")
        text += ':' + one.architecture;
    }
    return text;
  }
  // The message, the notes and the hint, one a line.
  std::string refusal() {
    try {
      return "accepted: " + answer();
    } catch (const oci::Error& e) {
      std::string text = e.what();
      for (const std::string& note : e.notes())
        text += "\n" + note;
      if (!e.hint().empty()) text += "\n" + e.hint();
      return text;
    }
  }
};

}  // namespace

TEST_CASE("what a package needs comes with it, and nothing else") {
  World world({package("a", "1", "Depends: b\nPre-Depends: c"), package("b", "1"),
               package("c", "1", "", "all"), package("d", "1", "Essential: yes"),
               package("b", "2~rc")});
  CHECK(world.ask("a").answer() == "a=1 b=2~rc c=1");
}

TEST_CASE("packages that need each other are taken together") {
  World world({package("a", "1", "Depends: b"), package("b", "1", "Depends: a")});
  CHECK(world.ask("b").answer() == "a=1 b=1");
}

TEST_CASE("the first alternative that can be installed is taken") {
  const std::string a = package("a", "1", "Depends: x | y (>= 2) | z");
  SECTION("the first") {
    CHECK(World({a, package("x", "1"), package("z", "1")}).ask("a").answer() ==
          "a=1 x=1");
  }
  SECTION("not one of the wrong version") {
    CHECK(World({a, package("y", "1"), package("z", "1")}).ask("a").answer() ==
          "a=1 z=1");
  }
  SECTION("not one whose needs cannot be met") {
    CHECK(World({a, package("x", "1", "Depends: none"), package("z", "1")})
              .ask("a")
              .answer() == "a=1 z=1");
  }
  SECTION("one that is asked for anyway") {
    CHECK(World({a, package("x", "1"), package("z", "1")}).ask("a").ask("z").answer() ==
          "a=1 z=1");
  }
}

TEST_CASE("a virtual package is met by its best provider") {
  const std::string a = package("a", "1", "Depends: virtual");
  CHECK(World({a, package("q", "1", "Provides: virtual"),
               package("p", "1", "Provides: virtual")})
            .ask("a")
            .answer() == "a=1 q=1");
  CHECK(World({a, package("q", "1", "Provides: virtual\nPriority: optional"),
               package("p", "1", "Provides: virtual\nPriority: required")})
            .ask("a")
            .answer() == "a=1 p=1");
  SECTION("a version is met by versioned providers only") {
    CHECK(World({package("a", "1", "Depends: virtual (>= 2)"),
                 package("p", "3", "Provides: virtual"),
                 package("q", "1", "Provides: virtual (= 2)")})
              .ask("a")
              .answer() == "a=1 q=1");
  }
}

TEST_CASE("a choice that hurts later is taken back") {
  World world({package("a", "1", "Depends: x | y, b"), package("x", "1"),
               package("y", "1"), package("b", "1", "Depends: c"),
               package("c", "1", "Conflicts: x")});
  CHECK(world.ask("a").answer() == "a=1 b=1 c=1 y=1");
}

TEST_CASE("conflicts and breaks look at versions, and not at oneself") {
  World world({package("a", "1", "Depends: b, c\nConflicts: m\nProvides: m"),
               package("b", "2", "Breaks: c (<< 1)"), package("c", "1")});
  CHECK(world.ask("a").answer() == "a=1 b=2 c=1");
}

TEST_CASE("recommended packages come when they can") {
  const std::vector<std::string> packages = {
      package("a", "1", "Recommends: r, s, t\nDepends: d"),
      package("d", "1", "Conflicts: s"), package("r", "1"), package("s", "1")};
  CHECK(World(packages).ask("a").answer() == "a=1 d=1");
  CHECK(World(packages).ask("a").with_recommends().answer() == "a=1 d=1 r=1");
}

TEST_CASE("a recommended package gives way to a needed one") {
  World world({package("a", "1", "Recommends: r"), package("b", "1", "Depends: c"),
               package("r", "1"), package("c", "1", "Conflicts: r")});
  CHECK(world.ask("a").ask("b").with_recommends().answer() == "a=1 b=1 c=1");
}

TEST_CASE("a version can be asked for") {
  const std::vector<std::string> packages = {package("a", "2.1"), package("a", "1.2"),
                                             package("a", "1.1"),
                                             package("b", "1", "Depends: a (<< 2)")};
  CHECK(World(packages).ask("a", "1.1").answer() == "a=1.1");
  CHECK(World(packages).ask("a", "1.*").answer() == "a=1.2");
  CHECK(World(packages).ask("b").ask("a", "1*").answer() == "a=1.2 b=1");
  CHECK(World(packages).ask("a", "3").refusal() ==
        "a has no version 3\nthe suites have 2.1, 1.2, 1.1");
}

TEST_CASE("a foreign architecture brings its own libraries and shares foreign tools") {
  World world({package("a", "1", "Depends: lib, tool, any:any", "i386"),
               package("lib", "1", "Multi-Arch: same"),
               package("lib", "1", "Multi-Arch: same", "i386"),
               package("tool", "1", "Multi-Arch: foreign"),
               package("any", "1", "Multi-Arch: allowed")});
  CHECK(world.ask("a", "", "i386").ask("lib").answer() ==
        "a=1:i386 any=1 lib=1 lib=1:i386 tool=1");
}

TEST_CASE("two architectures of one package need Multi-Arch: same and one version") {
  CHECK(World({package("a", "1"), package("a", "1", "", "i386")})
            .ask("a")
            .ask("a", "", "i386")
            .refusal() == "a:i386 1 cannot be installed together with a 1");
  CHECK(World({package("a", "1", "Multi-Arch: same"),
               package("a", "2", "Multi-Arch: same", "i386")})
            .ask("a")
            .ask("a", "", "i386")
            .refusal() == "a:i386 2 cannot be installed together with a 1");
}

TEST_CASE("what an earlier step installed is given") {
  World world(
      {package("a", "1", "Depends: x | y"), package("x", "1"), package("y", "2")});
  const LockedPackage old{"y", "s", "amd64", "1.9", "p", 1, oci::Digest::of("")};
  world.already = {old};
  CHECK(world.ask("a").answer() == "a=1");
  SECTION("and stays as it is") {
    CHECK(world.ask("y").answer() == "a=1");
  }
}

TEST_CASE("where scripts run what is essential comes too") {
  const std::vector<std::string> packages = {
      package("web", "1"),
      package("sed", "1", "Essential: yes\nDepends: usrmerge | usr-is-merged"),
      package("tar", "1", "Essential: no"),
      package("usr-is-merged", "1"),
      package("usrmerge", "1"),
      package("dash", "1", "Essential: yes", "i386")};
  World world(packages);
  CHECK(world.ask("web").answer() == "web=1");
  world.step.run_scripts = true;
  CHECK(world.answer() == "sed=1 usr-is-merged=1 web=1");
  World other(packages);
  other.step.run_scripts = true;
  CHECK(other.ask("usrmerge").answer() == "sed=1 usrmerge=1");
}

TEST_CASE("a better pin wins over a later version") {
  DebianUniverse universe({"amd64"});
  universe.add_index(package("a", "2"), 100, "backports");
  universe.add_index(package("a", "1") + package("b", "1"), 500, "stable");
  universe.finish();
  PackagesStep step;
  step.packages = {{"a", "", "", {}}};
  CHECK(select_packages(universe, step, {}).at(0).version == "1");
  step.packages = {{"a", "2", "", {}}};
  CHECK(select_packages(universe, step, {}).at(0).version == "2");
}

TEST_CASE("the order of an index does not matter") {
  std::vector<std::string> packages = {
      package("a", "1", "Depends: v, w | x"), package("p", "1", "Provides: v"),
      package("q", "1", "Provides: v"), package("w", "1", "Conflicts: p"),
      package("x", "1")};
  const std::string first = World(packages).ask("a").answer();
  std::reverse(packages.begin(), packages.end());
  CHECK(World(packages).ask("a").answer() == first);
}

TEST_CASE("an unknown package is told with its nearest name and its place") {
  World world({package("nginx", "1"), package("nginx-core", "1")});
  CHECK(world.ask("ngnix").refusal() ==
        "no package is named ngnix\ndid you mean `nginx`?");
  try {
    world.answer();
  } catch (const oci::Error& e) {
    CHECK(e.code() == oci::Errc::not_found);
    CHECK(e.place().line == 3);
  }
}

TEST_CASE("a virtual package must be named by a real one unless there is just one") {
  CHECK(World({package("p", "1", "Provides: v")}).ask("v").answer() == "p=1");
  CHECK(World({package("p", "1", "Provides: v"), package("q", "1", "Provides: v")})
            .ask("v")
            .refusal() ==
        "v is a virtual package\nit is provided by q, p\nname one of them: q");
}

TEST_CASE("what cannot be done is told with the chain of reasons") {
  CHECK(World({package("a", "1", "Depends: b"), package("b", "2", "Depends: c (>= 3)"),
               package("c", "2")})
            .ask("a")
            .refusal() ==
        "c (>= 3) cannot be installed\na 1 is asked for\n"
        "a 1 needs b 2\nb 2 depends on c (>= 3)\n"
        "the candidate is c 2");
  CHECK(World({package("a", "1", "Depends: b"), package("b", "2", "Conflicts: c"),
               package("c", "2")})
            .ask("c")
            .ask("a")
            .refusal() ==
        "b cannot be installed\na 1 is asked for\na 1 depends on b\n"
        "b 2 conflicts with c 2");
  CHECK(World({package("a", "1", "Conflicts: b"), package("b", "1")})
            .ask("a")
            .ask("b")
            .refusal() == "b 1 cannot be installed together with a 1");
}

TEST_CASE("an index entry that would leave the archive is refused") {
  std::string text = package("a", "1");
  const std::string from = "pool/a_amd64.deb";
  for (const char* path : {"../etc/passwd", "/etc/passwd", "pool/../../x", "pool/a b",
                           "pool//x", "pool/a\"b"}) {
    std::string changed = text;
    changed.replace(changed.find(from), from.size(), path);
    CHECK(World({changed}).ask("a").refusal().rfind("the index entry of a", 0) == 0);
  }
}

TEST_CASE("what was locked is preferred where it is still offered, byte for byte") {
  World world({package("a", "2", "Depends: b"), package("a", "1", "Depends: b"),
               package("b", "2"), package("b", "1"), package("c", "1")});
  world.ask("a").ask("c");
  const auto locked = [](const std::string& name, const std::string& version) {
    return LockedPackage{
        name, "", "amd64", version, "p", 1, oci::Digest::of(name + version)};
  };
  CHECK(world.answer() == "a=2 b=2 c=1");
  SECTION("the last of several counts") {
    world.preferred = {locked("b", "1"), locked("a", "2"), locked("a", "1")};
    CHECK(world.answer() == "a=1 b=1 c=1");
  }
  SECTION("but no longer what has left the archive or has other bytes") {
    world.preferred = {locked("b", "0"), locked("a", "1")};
    world.preferred[1].sha256 = oci::Digest::of("rebuilt");
    CHECK(world.answer() == "a=2 b=2 c=1");
  }
  SECTION("nor against a version that is asked for") {
    world.preferred = {locked("a", "1"), locked("b", "1")};
    world.step.packages[0].version = "2";
    CHECK(world.answer() == "a=2 b=1 c=1");
  }
}

TEST_CASE("what was locked gives way where it does not go with what is new") {
  World world(
      {package("a", "2"), package("a", "1"), package("new", "1", "Depends: a (>= 2)")});
  world.preferred = {{"a", "", "amd64", "1", "p", 1, oci::Digest::of("a1")}};
  world.ask("a").ask("new");
  CHECK(world.answer() == "a=2 new=1");
}
