// cache_archive: caches travel whole.
#include "builder/caches/cache_archive.h"

#include <chrono>
#include <fcntl.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include "tests/builder/caches/cache_store.h"
#include "tests/support/warnings.h"

using namespace cache_test;
using lithify::CacheName;
using lithify::testing::Warnings;

namespace {

// Everything that a build tool may leave behind.
void fill(const fs::path& data) {
  write(data / "a/file", "content");
  write(data / "a-b", "");
  write(data / ".wh.odd", "not a whiteout");
  write(data / std::string(120, 'n') / std::string(150, 'm'), "long names");
  fs::create_hard_link(data / "a/file", data / "a/second");
  fs::create_symlink("../../outside", data / "a/symlink");
  write(data / "closed/in", "in");
  REQUIRE(::chmod((data / "a/file").c_str(), 06755) == 0);
  set_time(data / "a/file", 1'700'000'000, 123'456'789);
  set_time(data / "a/symlink", 1'600'000'000, 1);
  set_time(data / "a-b", -2, 500'000'000);
  REQUIRE(::chmod((data / "closed").c_str(), 0555) == 0);
  set_time(data / "closed", 1'500'000'000, 7);
  set_time(data, 1'400'000'000, 0);
}

}  // namespace

TEST_CASE("a cache comes back as it was, in another store") {
  Store from;
  fill(from.cache("go-build").data());
  Store to;
  const auto imported = to.import(from.exported());
  REQUIRE(imported.size() == 1);
  CHECK(imported[0].name == CacheName{"go-build", 0});
  CHECK(imported[0].files == 7);
  CHECK(imported[0].bytes == 7 + 0 + 14 + 10 + 2);
  const fs::path data = to.cache("go-build").data();
  CHECK(names_below(data) == names_below(from.cache("go-build").data()));
  CHECK(text_of(data / "a/second") == "content");
  CHECK(status_of(data / "a/second").st_ino == status_of(data / "a/file").st_ino);
  CHECK(fs::read_symlink(data / "a/symlink") == "../../outside");
  CHECK(status_of(data / "a/file").st_mtim.tv_sec == 1'700'000'000);
  CHECK(status_of(data / "a/file").st_mtim.tv_nsec == 123'456'789);
  CHECK(status_of(data / "a/symlink").st_mtim.tv_nsec == 1);
  CHECK(status_of(data / "a-b").st_mtim.tv_sec == -2);
  CHECK(status_of(data / "a-b").st_mtim.tv_nsec == 500'000'000);
  CHECK(status_of(data / "closed").st_mtim.tv_sec == 1'500'000'000);
  CHECK((status_of(data / "closed").st_mode & 07777) == 0555);
  CHECK(status_of(data).st_mtim.tv_sec == 1'400'000'000);
  CHECK((status_of(data / "a/file").st_mode & 07777) == 0755);  // setuid stays at home
  CHECK(to.left_nothing());
}

TEST_CASE("equal caches are equal bytes, wherever they are and however many compress") {
  Store from;
  fill(from.cache("b").data());
  write(from.cache("b", 2).data() / "x", std::string(9 << 20, 'x'));
  write(from.cache("a").data() / "y", "y");
  const std::string archive = from.exported();
  Store to;
  write(to.cache("a").data() / "old", "old");
  to.import(archive);
  CHECK(to.exported({}, 4) == archive);
  CHECK(to.exported({"b"}) == from.exported({"b"}));
  CHECK(to.exported({"b"}) != archive);
}

TEST_CASE("an import replaces caches as a whole, and leaves others alone") {
  Store from;
  write(from.cache("c").data() / "new", "new");
  write(from.cache("other").data() / "new", "new");
  Store to;
  write(to.cache("c").data() / "old", "old");
  write(to.cache("other").data() / "old", "old");
  write(to.cache("third").data() / "old", "old");
  to.import(from.exported(), {"c"});
  CHECK(names_below(to.cache("c").data()) == std::vector<std::string>{"new"});
  CHECK(names_below(to.cache("other").data()) == std::vector<std::string>{"old"});
  CHECK(names_below(to.cache("third").data()) == std::vector<std::string>{"old"});
}

TEST_CASE("owners travel as the sandbox sees them, as far as it has them") {
  if (::geteuid() != 0) return;
  Store from;
  write(from.cache("c").data() / "f", "f");
  REQUIRE(::chown((from.cache("c").data() / "f").c_str(), 33, 44) == 0);
  const std::string archive = from.exported();
  Store to;
  CachesOf shifted = to.which();
  shifted.ids = {{500'000, 500'001, 65536}, {600'000, 600'001, 65536}};
  const auto import = [&](const CachesOf& which, oci::ProgressReporter& reporter) {
    CacheArchiveReader reader(std::make_unique<oci::StringSource>(archive), "a");
    oci::Activity activity(reporter, "import");
    lithify::unpack_caches(which, reader, to.work(), activity, {});
    return status_of(to.cache("c").data() / "f");
  };
  struct stat seen = import(shifted, to.silent);
  CHECK(seen.st_uid == 500'033);
  CHECK(seen.st_gid == 600'044);
  CachesOf single = to.which();
  single.ids = {{7, 1, 1}, {8, 1, 1}};
  Warnings warned;
  seen = import(single, warned);
  CHECK(seen.st_uid == 7);
  CHECK(seen.st_gid == 8);
  REQUIRE(warned.all.size() == 1);
  CHECK(warned.all[0] ==
        "a file of the cache c: the sandbox here does not have its owner, 0:0 has it "
        "now");
}

TEST_CASE("what a cache cannot take along is left out, and said") {
  Store from;
  const fs::path data = from.cache("c").data();
  write(data / "kept", "kept");
  REQUIRE(::mkfifo((data / "pipe").c_str(), 0600) == 0);
  oci::WorkerPool workers(1);
  oci::StringSink archive;
  Warnings warned;
  {
    oci::Activity activity(warned, "export");
    lithify::pack_caches(from.which(), archive, workers, activity, {});
  }
  REQUIRE(warned.all.size() == 1);
  CHECK(warned.all[0] == data.string() +
                             "/pipe was left out: it is a socket, a pipe or a "
                             "device");
  Store to;
  to.import(archive.text);
  CHECK(names_below(to.cache("c").data()) == std::vector<std::string>{"kept"});
}

TEST_CASE("a cache that has lost its directory is an empty one") {
  Store from;
  fs::remove(from.cache("c").data());
  Store to;
  write(to.cache("c").data() / "mine", "mine");
  to.import(from.exported());
  CHECK(fs::is_empty(to.cache("c").data()));
}

TEST_CASE("a cache whose directory somebody made a symlink is not followed") {
  Store from;
  write(from.directory.path() / "secret/f", "f");
  const fs::path data = from.cache("c").data();
  fs::remove(data);
  fs::create_directory_symlink(from.directory.path() / "secret", data);
  CHECK_THROWS_AS(from.exported(), oci::Error);
}

TEST_CASE("an archive of no caches is one") {
  Store from;
  Store to;
  CHECK(to.import(from.exported()).empty());
}

TEST_CASE("who asks for a cache that is not there is told which are") {
  Store store;
  store.cache("go-build");
  store.cache("go-build", 1);
  store.cache("ccache");
  try {
    store.exported({"go-buidl"});
    FAIL("exported");
  } catch (const oci::Error& error) {
    CHECK(told(error) ==
          "the store has no cache `go-buidl`\n  note: it has ccache, go-build\n"
          "  help: did you mean `go-build`?\n");
  }
  CHECK(refusal(store, store.exported(), {"npm"}) ==
        "a.tar.zst has no cache `npm`\n  note: it has ccache, go-build\n");
}

TEST_CASE("an archive that lost its end anywhere changes nothing") {
  Store from;
  fill(from.cache("c").data());
  const std::string archive = from.exported();
  Store to;
  write(to.cache("c").data() / "mine", "mine");
  for (std::size_t size = 0; size < archive.size(); size += 7) {
    CHECK(refusal(to, archive.substr(0, size)) != "no refusal\n");
    CHECK(names_below(to.cache("c").data()) == std::vector<std::string>{"mine"});
  }
  CHECK(to.left_nothing());
}

TEST_CASE("an archive with a flipped bit is refused, or says what it did before") {
  Store from;
  fill(from.cache("c").data());
  const std::string archive = from.exported();
  std::size_t refused = 0;
  for (std::size_t at = 0; at < archive.size(); at += 5) {
    std::string damaged = archive;
    damaged[at] = static_cast<char>(damaged[at] ^ 32);
    INFO("at " << at);
    Store to;
    write(to.cache("c").data() / "mine", "mine");
    if (refusal(to, damaged) == "no refusal\n") {
      CHECK(to.exported() == archive);
    } else {
      ++refused;
      CHECK(names_below(to.cache("c").data()) == std::vector<std::string>{"mine"});
    }
    CHECK(to.left_nothing());
  }
  CHECK(refused > archive.size() / 5 - 10);
}

TEST_CASE("a cache that a command uses is waited for, and a stop ends the waiting") {
  Store from;
  write(from.cache("c").data() / "new", "new");
  const std::string archive = from.exported();
  Store to;
  const CacheMount cache = to.cache("c");
  write(cache.data() / "mine", "mine");
  auto used = lithify::lock_cache(cache, lithify::CacheUse::shared, {});
  Warnings warned;
  {
    std::jthread stopper([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(150));
      to.stop.request_stop();
    });
    CHECK_THROWS_AS(to.import(archive, {}, warned), oci::Cancelled);
  }
  CHECK(warned.all ==
        std::vector<std::string>{"waiting for a command that uses the cache c"});
  CHECK(names_below(cache.data()) == std::vector<std::string>{"mine"});
  CHECK(to.left_nothing());
  to.stop = {};
  std::jthread user([&, held = std::move(used)]() mutable {
    std::this_thread::sleep_for(std::chrono::milliseconds(150));
    CHECK(text_of(cache.data() / "mine") == "mine");
    held = oci::Fd();
  });
  to.import(archive);
  CHECK(names_below(cache.data()) == std::vector<std::string>{"new"});
}

TEST_CASE("caches are found by the ids they say, if their places say so too") {
  Store store;
  store.cache("b", 3);
  store.cache("a");
  write(store.which().directory / "stray", "");
  write(store.which().directory / "0123456789abcdef-0-1/id", "c");
  write(store.cache("evil").home / "id", "../../etc");
  const auto found = lithify::find_caches(store.which().directory);
  REQUIRE(found.size() == 2);
  CHECK(found[0].name.str() == "a");
  CHECK(found[1].name.str() == "b@3");
  CHECK(found[1].home == store.cache("b", 3).home);
  CHECK(found[1].owners == k_owners);
}

TEST_CASE("what a cache holds is counted once, also while it changes") {
  Store store;
  const fs::path data = store.cache("c").data();
  fill(data);
  const auto usage = lithify::usage_of(data);
  CHECK(usage.files == 7);
  CHECK(usage.bytes == 7 + 0 + 14 + 10 + 2);
  CHECK(usage.all_seen);
  CHECK(lithify::usage_of(data / "nothing").files == 0);
}

TEST_CASE("an import takes all caches or none, and lets go of those it cannot use yet") {
  Store from;
  write(from.cache("a").data() / "new", "new");
  write(from.cache("b").data() / "new", "new");
  const std::string archive = from.exported();
  Store to;
  const CacheMount a = to.cache("a");
  const CacheMount b = to.cache("b");
  // A command that has b and comes to want a.
  std::jthread command(
      [&, held = lithify::lock_cache(b, lithify::CacheUse::alone, {})]() mutable {
        std::this_thread::sleep_for(std::chrono::milliseconds(150));
        const auto both = lithify::lock_cache(a, lithify::CacheUse::alone, {});
        held = oci::Fd();
      });
  to.import(archive);
  CHECK(names_below(a.data()) == std::vector<std::string>{"new"});
  CHECK(names_below(b.data()) == std::vector<std::string>{"new"});
}
