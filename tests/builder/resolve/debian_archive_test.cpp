// debian_archive: the chain from a signature to a package, and every link broken once.
#include "oci/base/error.h"

#include "builder/resolve/package_source.h"

#include "tests/support/catch.h"
#include "tests/support/signed_archive.h"

using namespace lithify;
using oci::Errc;

namespace {

const ThrowawayKey& key() {
  static const ThrowawayKey k_key;
  return k_key;
}

const std::string k_packages =
    "Package: a\nVersion: 1\nArchitecture: amd64\nDepends: b\nFilename: pool/a.deb\n"
    "Size: 3\nSHA256: " +
    oci::Digest::of("a").hex() +
    "\n\nPackage: b\nVersion: 2\nArchitecture: all\nFilename: pool/b.deb\nSize: 4\n"
    "SHA256: " +
    oci::Digest::of("b").hex() + "\n";

constexpr std::int64_t k_now = 1764547200;  // 2025-12-01

struct World {
  SignedArchive archive{key()};
  TemporaryDirectory directory;
  oci::DirectoryStore store{directory.path() / "store"};
  oci::SilentReporter reporter;
  oci::Activity activity{reporter, "test"};
  AptEnvironment environment;
  AptSource source{archive.base, {"stable"}, {"main"}, {key().keyring()}};

  World() {
    archive.packages = k_packages;
    environment.now = k_now;
    archive.publish();
  }

  std::vector<LockedPackage> select() {
    DebianArchive opened(source, "debian", environment, archive.http, store, activity,
                         {});
    PackagesStep step;
    step.packages = {{"a", "", "", {}}};
    return opened.select(step, "amd64");
  }
  Errc failure() {
    try {
      select();
    } catch (const oci::Error& e) {
      return e.code();
    }
    return Errc::internal;
  }
};

void replace(std::string& text, const std::string& from, const std::string& to) {
  text.replace(text.find(from), from.size(), to);
}

}  // namespace

TEST_CASE("packages are found through a signed archive") {
  World world;
  world.archive.compress = GENERATE(false, true);
  world.archive.publish();
  const std::vector<LockedPackage> chosen = world.select();
  REQUIRE(chosen.size() == 2);
  const LockedPackage expected{
      "a", "debian", "amd64", "1", "pool/a.deb", 3, oci::Digest::of("a")};
  CHECK(chosen[0] == expected);
  CHECK(chosen[1].architecture == "all");
  SECTION("and a second look needs the signed file only") {
    const std::size_t before = world.archive.http.asked.size();
    world.archive.http.pages.erase(world.archive.index_url());
    CHECK(world.select() == chosen);
    CHECK(world.archive.http.asked.size() == before + 1);
  }
}

TEST_CASE("a keyring may be armored") {
  World world;
  world.source.keys = {key().armored_keyring()};
  CHECK(world.select().size() == 2);
}

TEST_CASE("the state of a suite is recorded with its signer") {
  World world;
  DebianArchive opened(world.source, "debian", world.environment, world.archive.http,
                       world.store, world.activity, {});
  REQUIRE(opened.indexes().size() == 1);
  CHECK(opened.indexes()[0].suite == "stable");
  CHECK(opened.indexes()[0].release ==
        oci::Digest::of(world.archive.http.pages[world.archive.release_url()]));
  CHECK(opened.indexes()[0].signed_by.size() == 40);
}

TEST_CASE("a release that was changed in any way is refused") {
  World world;
  std::string& text = world.archive.http.pages[world.archive.release_url()];
  const std::string original = text;
  SECTION("one letter") {
    replace(text, "Components: main", "Components: mean");
  }
  SECTION("a digest") {
    replace(text, oci::Digest::of(k_packages).hex(), oci::Digest::of("").hex());
  }
  SECTION("text before the signed block") {
    text = "Suite: stable\n\n" + text;
  }
  SECTION("text behind the signed block") {
    text += "Suite: stable\n";
  }
  SECTION("two signed blocks") {
    text += text;
  }
  SECTION("no signature") {
    text = world.archive.head;
  }
  SECTION("a cut signature") {
    text = text.substr(0, text.find("-----BEGIN PGP SIGNATURE"));
  }
  SECTION("somebody else's signature") {
    static const ThrowawayKey k_stranger;
    text = k_stranger.sign(world.archive.head);
  }
  SECTION("nothing") {
    text.clear();
  }
  REQUIRE(text != original);
  CHECK(world.failure() == Errc::untrusted);
}

TEST_CASE("a mirror that does not answer is no missing suite") {
  World world;
  for (int i = 0; i < 20; ++i)
    world.archive.http.faults[world.archive.release_url()].push_back({0, 1});
  CHECK(world.failure() == Errc::unavailable);
  world.archive.http.faults.clear();
  world.archive.http.pages.clear();
  CHECK(world.failure() == Errc::not_found);
}

TEST_CASE("a release that does not fit is refused although it is signed") {
  World world;
  std::string& head = world.archive.head;
  SECTION("another suite") {
    replace(head, "Suite: stable", "Suite: old");
    world.archive.publish();
    CHECK(world.failure() == Errc::untrusted);
  }
  SECTION("expired") {
    head += "Valid-Until: Sun, 30 Nov 2025 23:59:59 UTC\n";
    world.archive.publish();
    CHECK(world.failure() == Errc::untrusted);
  }
  SECTION("not yet expired") {
    head += "Valid-Until: Mon, 01 Dec 2025 00:00:00 UTC\n";
    world.archive.publish();
    CHECK(world.select().size() == 2);
  }
  SECTION("from the future") {
    world.environment.now = 1761900000;  // 2025-10-31
    CHECK(world.failure() == Errc::untrusted);
  }
  SECTION("without a date") {
    replace(head, "Date: Sat, 01 Nov 2025 00:00:00 UTC\n", "");
    world.archive.publish();
    CHECK(world.failure() == Errc::untrusted);
  }
  SECTION("with weak digests only") {
    world.archive.list_name = "SHA1";
    world.archive.publish();
    CHECK(world.failure() == Errc::untrusted);
  }
  SECTION("without our architecture") {
    replace(head, "amd64", "arm64");
    world.archive.publish();
    CHECK(world.failure() == Errc::not_found);
  }
}

TEST_CASE("a suite answers to its codename too") {
  World world;
  world.source.suites = {"rock"};
  world.archive.suite = "rock";
  world.archive.publish();
  CHECK(world.select().size() == 2);
}

TEST_CASE("an index with other bytes than the release says is refused") {
  World world;
  world.archive.compress = GENERATE(false, true);
  world.archive.publish();
  std::string& index = world.archive.http.pages[world.archive.index_url()];
  SECTION("one letter") {
    index[10] = static_cast<char>(index[10] ^ 1);
  }
  SECTION("more") {
    index += "\n";
  }
  SECTION("less") {
    index.pop_back();
  }
  // The same bytes under the plain name do not help.
  const std::string name = world.archive.compress ? "Packages.xz" : "Packages";
  world.archive.http.pages[world.archive.at() + "main/binary-amd64/" + name] = index;
  CHECK(world.failure() == Errc::mismatch);
}

TEST_CASE("an index or a suite that is not there is told") {
  World world;
  Errc expected = Errc::not_found;
  SECTION("the index") {
    world.archive.http.pages.erase(world.archive.index_url());
    expected = Errc::unavailable;  // the release promised it: the mirror is at fault
  }
  SECTION("the release") {
    world.archive.http.pages.erase(world.archive.release_url());
  }
  SECTION("the component") {
    world.source.components = {"contrib"};
  }
  SECTION("the keyring") {
    world.source.keys = {"no-such-keyring"};
  }
  CHECK(world.failure() == expected);
}

TEST_CASE("a machine without gpgv is told what to install") {
  World world;
  world.environment.gpgv = "no-such-gpgv";
  try {
    world.select();
    FAIL("verified by nobody");
  } catch (const oci::Error& e) {
    CHECK(e.code() == Errc::machine);
    CHECK(e.hint() == "apt-get install gpgv");
  }
}

TEST_CASE("platforms have Debian's names for architectures") {
  CHECK(debian_architecture({"linux", "amd64", ""}) == "amd64");
  CHECK(debian_architecture({"linux", "arm", "v7"}) == "armhf");
  CHECK(debian_architecture({"linux", "arm", "v6"}) == "armel");
  CHECK(debian_architecture({"linux", "386", ""}) == "i386");
  CHECK(debian_architecture({"linux", "ppc64le", ""}) == "ppc64el");
}
