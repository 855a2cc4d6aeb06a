// apt_source: who may say where packages come from, in which order.
#include "builder/resolve/apt_source.h"

#include <fstream>

#include "oci/base/error.h"

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

using namespace lithify;

namespace {

using Strings = std::vector<std::string>;

struct World {
  TemporaryDirectory directory;
  AptEnvironment environment;
  AptSource source{"", {"stable"}, {"main"}, {}};

  World() {
    environment.apt_directory = path("apt");
    environment.keyring_directories = {path("keyrings")};
    environment.config_file = path("config.toml");
    std::filesystem::create_directories(path("apt/sources.list.d"));
    std::filesystem::create_directories(path("keyrings"));
    write("keyrings/debian-archive-keyring.gpg", "k");
    write("keyrings/company.asc", "k");
  }
  std::string path(const std::string& name) const {
    return (directory.path() / name).string();
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name)) << text;
  }
  SuitePlace place() const { return suite_places(source, environment).at(0); }
};

}  // namespace

TEST_CASE("the source's uri wins, then the environment, the user, the machine") {
  World world;
  world.write("apt/sources.list", "deb http://machine/debian/ stable main\n");
  CHECK(world.place().bases == Strings{"http://machine/debian"});
  world.write("config.toml", "# mine\napt-mirror = \"http://user/debian\" # fast\n");
  CHECK(world.place().bases == Strings{"http://user/debian"});
  world.environment.mirror = "http://environment/debian/";
  CHECK(world.place().bases == Strings{"http://environment/debian"});
  world.source.uri = "https://source/debian";
  CHECK(world.place().bases == Strings{"https://source/debian"});
  CHECK(mirror_bases(world.source, world.environment) ==
        Strings{"https://source/debian"});
}

TEST_CASE("a security suite is beside the archive") {
  World world;
  world.write("apt/sources.list", "deb http://machine/sec stable-security main\n");
  world.source.suites = {"stable-security"};
  CHECK(world.place().bases == Strings{"http://machine/sec"});
  world.environment.mirror = "http://m/debian";
  CHECK(world.place().bases ==
        Strings{"http://m/debian-security", "http://m/debian", "http://machine/sec"});
  world.environment.mirror = "http://m/all";
  CHECK(world.place().bases == Strings{"http://m/all", "http://machine/sec"});
}

TEST_CASE("the machine's entries must have the suite and a component") {
  World world;
  world.write("apt/sources.list",
              "# deb http://no/debian stable main\n"
              "deb-src http://no/debian stable main\n"
              "deb http://other/vendor stable free\n"
              "deb cdrom:[x]/ stable main\n"
              "deb [arch=amd64 signed-by=" +
                  world.path("keyrings/company.asc") +
                  "] http://one/debian stable main contrib # mine\n");
  world.write("apt/sources.list.d/b.sources",
              "Types: deb deb-src\nURIs: http://two/debian/ http://three/x\n"
              "Suites: stable stable-updates\nComponents: main\n\n"
              "Types: deb\nEnabled: no\nURIs: http://no/debian\nSuites: stable\n"
              "Components: main\n");
  const SuitePlace place = world.place();
  CHECK(place.bases ==
        Strings{"http://one/debian", "http://two/debian", "http://three/x"});
  CHECK(place.keyrings == Strings{world.path("keyrings/company.asc")});
}

TEST_CASE("a mirror of Debian is asked for Debian's other suites") {
  World world;
  world.write("apt/sources.list",
              "deb http://m/debian old main\n"
              "deb http://m/vendor old main\n");
  CHECK(world.place().bases == Strings{"http://m/debian"});
  world.source.suites = {"stable-security"};
  CHECK(world.place().bases == Strings{"http://m/debian-security", "http://m/debian"});
}

TEST_CASE("keyrings are found by name or path") {
  World world;
  world.source.uri = "http://m/debian";
  CHECK(world.place().keyrings ==
        Strings{world.path("keyrings/debian-archive-keyring.gpg")});
  world.source.keys = {"company", world.path("keyrings/debian-archive-keyring.gpg")};
  CHECK(world.place().keyrings ==
        Strings{world.path("keyrings/company.asc"),
                world.path("keyrings/debian-archive-keyring.gpg")});
  world.source.keys = {"nobody"};
  CHECK_THROWS_AS(world.place(), oci::Error);
}

TEST_CASE("nobody knows a mirror") {
  World world;
  try {
    world.place();
    FAIL("found one");
  } catch (const oci::Error& e) {
    CHECK(e.code() == oci::Errc::not_found);
    CHECK(std::string(e.what()) == "no mirror is known for the suite stable");
    CHECK_FALSE(e.hint().empty());
  }
}

TEST_CASE("the user's config is read as far as it concerns us") {
  CHECK(parse_mirror_setting("", "c").empty());
  CHECK(parse_mirror_setting("# mine\n\napt-mirror=\"http://m\" # near\n", "c") ==
        "http://m");
  for (const char* bad :
       {"apt-mirror = http://m\n", "apt-miror = \"http://m\"\n", "[other]\n", "garbage\n",
        "apt-mirror\n", "apt-mirror = \"http://m\" x\n",
        "apt-mirror = \"http://m\"\napt-mirror = \"http://n\"\n"}) {
    INFO(bad);
    try {
      parse_mirror_setting(std::string("# first\n") + bad, "c");
      FAIL("nothing was thrown");
    } catch (const oci::Error& error) {
      CHECK(error.code() == oci::Errc::bad_input);
      CHECK(error.place().file == "c");
      CHECK(error.place().line >= 2);
    }
  }
  World world;
  world.environment.mirror = "ftp://m/debian";
  CHECK_THROWS_WITH(world.place(),
                    "LITHIFY_APT_MIRROR is neither http:// nor https://: ftp://m/debian");
}
