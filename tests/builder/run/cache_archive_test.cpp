// cache_archive: caches travel whole, and a stranger's archive goes nowhere else.
#include "builder/run/cache_archive.h"

#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include "oci/base/error.h"
#include "oci/layer/tar.h"

#include "builder/run/pack_caches.h"
#include "builder/run/unpack_caches.h"

#include "tests/support/catch.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/warnings.h"

namespace fs = std::filesystem;
using lithify::CacheArchiveReader;
using lithify::CacheIndex;
using lithify::CacheMount;
using lithify::CacheName;
using lithify::CachesOf;
using lithify::TravelledCache;
using lithify::testing::Warnings;
using oci::Entry;
using oci::FileType;

namespace {

constexpr const char* k_owners = "0-65536";

// Who runs the tests may be anybody: for him, files are his or nobody's.
lithify::OwnerMap ids_of_tester() {
  const bool root = ::geteuid() == 0;
  return {{::geteuid(), 1, root ? 65536U : 1U}, {::getegid(), 1, root ? 65536U : 1U}};
}

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

std::string text_of(const fs::path& path) {
  return oci::read_file(path, 1 << 20);
}

void set_time(const fs::path& path, std::int64_t seconds, long nanoseconds) {
  const timespec times[2] = {{0, UTIME_OMIT},
                             {static_cast<time_t>(seconds), nanoseconds}};
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) == 0);
}

struct stat status_of(const fs::path& path) {
  struct stat status {};
  INFO(path.string());
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status;
}

// A store as far as caches are concerned.
struct Store {
  TemporaryDirectory directory;
  oci::SilentReporter silent;
  std::stop_source stop;

  fs::path work() const { return directory.path() / "work"; }
  CachesOf which(std::vector<std::string> only = {}) const {
    return {directory.path() / "caches", k_owners, ids_of_tester(), std::move(only)};
  }
  CacheMount cache(const std::string& id, unsigned number = 0) const {
    CacheMount made = lithify::cache_mount(which().directory, {id, number}, k_owners);
    lithify::make_cache(made, nullptr);
    return made;
  }
  std::string exported(std::vector<std::string> only = {}, unsigned threads = 1) {
    oci::WorkerPool workers(threads);
    oci::StringSink archive;
    oci::Activity activity(silent, "export");
    lithify::pack_caches(which(std::move(only)), archive, workers, activity,
                         stop.get_token());
    return std::move(archive.text);
  }
  std::vector<TravelledCache> import(std::string archive,
                                     std::vector<std::string> only = {}) {
    return import(std::move(archive), std::move(only), silent);
  }
  std::vector<TravelledCache> import(std::string archive, std::vector<std::string> only,
                                     oci::ProgressReporter& reporter) {
    CacheArchiveReader reader(std::make_unique<oci::StringSource>(std::move(archive)),
                              "a.tar.zst");
    oci::Activity activity(reporter, "import");
    return lithify::unpack_caches(which(std::move(only)), reader, work(), activity,
                                  stop.get_token());
  }
  bool left_nothing() const { return !fs::exists(work()) || fs::is_empty(work()); }
};

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

// A tar that says what it is told.
class Forged {
 public:
  explicit Forged(const std::string& index = R"({"caches":[{"id":"c"}],"format":1})") {
    file(std::string(CacheIndex::k_member), index);
  }
  Forged& add(const Entry& entry) {
    tar_ += oci::tar_header(entry, oci::TarOf::files);
    return *this;
  }
  Forged& directory(const std::string& path) {
    return add(of(path, FileType::directory));
  }
  Forged& file(const std::string& path, const std::string& text) {
    Entry entry = of(path, FileType::regular);
    entry.size = text.size();
    add(entry);
    tar_ += text + std::string(oci::tar_padding(text.size()), '\0');
    return *this;
  }
  Forged& link(const std::string& path, FileType type, const std::string& to) {
    Entry entry = of(path, type);
    entry.link = to;
    return add(entry);
  }
  // What no Entry may have is written over: the name of the last member.
  Forged& renamed(const std::string& name) {
    const std::size_t header = tar_.size() - 512;
    std::fill_n(tar_.begin() + static_cast<std::ptrdiff_t>(header), 100, '\0');
    std::copy(name.begin(), name.end(),
              tar_.begin() + static_cast<std::ptrdiff_t>(header));
    return summed(header);
  }
  Forged& linked(const std::string& to) {
    const std::size_t header = tar_.size() - 512;
    std::fill_n(tar_.begin() + static_cast<std::ptrdiff_t>(header + 157), 100, '\0');
    std::copy(to.begin(), to.end(),
              tar_.begin() + static_cast<std::ptrdiff_t>(header + 157));
    return summed(header);
  }
  std::string text() const { return tar_ + std::string(1024, '\0'); }
  std::string cut() const { return tar_; }

  static Entry of(const std::string& path, FileType type) {
    Entry entry;
    entry.path = path;
    entry.type = type;
    entry.attributes = {0755, 0, 0, 1'000'000'000, {}};
    return entry;
  }

 private:
  Forged& summed(std::size_t header) {
    std::fill_n(tar_.begin() + static_cast<std::ptrdiff_t>(header + 148), 8, ' ');
    unsigned sum = 0;
    for (std::size_t at = header; at < header + 512; ++at)
      sum += static_cast<unsigned char>(tar_[at]);
    char digits[8] = {};
    std::snprintf(digits, sizeof digits, "%06o", sum);
    std::copy_n(digits, 7, tar_.begin() + static_cast<std::ptrdiff_t>(header + 148));
    return *this;
  }
  std::string tar_;
};

std::string told(const oci::Error& error) {
  std::string text = error.what();
  for (const std::string& note : error.notes())
    text += "\n  note: " + note;
  if (!error.hint().empty()) text += "\n  help: " + error.hint();
  return text + "\n";
}

std::string refusal(Store& store, std::string archive,
                    std::vector<std::string> only = {}) {
  try {
    store.import(std::move(archive), std::move(only));
  } catch (const oci::Error& error) {
    CHECK((error.code() == oci::Errc::bad_input || error.code() == oci::Errc::not_found));
    return told(error);
  }
  return "no refusal\n";
}

std::vector<std::string> names_below(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(directory))
    names.push_back(fs::relative(entry.path(), directory).string());
  std::sort(names.begin(), names.end());
  return names;
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

TEST_CASE("hostile archives are refused by name, and nothing of them stays") {
  struct Case {
    const char* title;
    std::string archive;
  };
  const std::string c = "caches/c";
  const auto begun = [&] { return Forged().directory(c); };
  const auto device = [&](FileType type) {
    return begun().add(Forged::of(c + "/x", type)).text();
  };
  const std::vector<Case> cases = {
      {"nothing at all", ""},
      {"no archive", "this is a text, and a short one"},
      {"another tar", oci::tar_header(Forged::of("blobs", FileType::directory)) +
                          std::string(1024, '\0')},
      {"no JSON", Forged("no JSON").text()},
      {"no format", Forged(R"({"caches":[]})").text()},
      {"an older format", Forged(R"({"caches":[],"format":0})").text()},
      {"a newer format", Forged(R"({"format":2,"stuff":[]})").text()},
      {"a name that leads out", Forged(R"({"caches":[{"id":".."}],"format":1})").text()},
      {"a number", Forged(R"({"caches":[{"id":"c","number":64}],"format":1})").text()},
      {"twice the same",
       Forged(R"({"caches":[{"id":"c"},{"id":"c"}],"format":1})").text()},
      {"a cache without members", Forged().text()},
      {"cut off between members", begun().file(c + "/x", "x").cut()},
      {"cut off in a member",
       begun().file(c + "/x", std::string(2000, 'x')).cut().substr(0, 3000)},
      {"a member of no cache", begun().file("caches/d/x", "x").text()},
      {"a file before its cache", Forged().file(c + "/x", "x").text()},
      {"a cache that is a file", Forged().file(c, "x").text()},
      {"a cache that is a symlink", Forged().link(c, FileType::symlink, "/etc").text()},
      {"a cache twice", begun().directory(c).text()},
      {"a way out", begun().directory(c + "/x").renamed(c + "/../../x/").text()},
      {"a way out by a slash", begun().directory(c + "/x").renamed("/etc/x/").text()},
      {"no order", begun().file(c + "/b", "").file(c + "/a", "").text()},
      {"a name twice", begun().file(c + "/a", "").file(c + "/a", "").text()},
      {"no parent", begun().file(c + "/a/b", "").text()},
      {"a file as parent", begun().file(c + "/a", "").file(c + "/a/b", "").text()},
      {"a symlink as parent",
       begun().link(c + "/a", FileType::symlink, "/tmp").file(c + "/a/b", "").text()},
      {"a link to nothing", begun().link(c + "/b", FileType::hardlink, c + "/a").text()},
      {"a link to a directory",
       begun().directory(c + "/a").link(c + "/b", FileType::hardlink, c + "/a").text()},
      {"a link to a symlink", begun()
                                  .link(c + "/a", FileType::symlink, "/etc/passwd")
                                  .link(c + "/b", FileType::hardlink, c + "/a")
                                  .text()},
      {"a link through a symlink",
       begun()
           .link(c + "/a", FileType::symlink, "/etc")
           .link(c + "/b", FileType::hardlink, c + "/a/passwd")
           .text()},
      {"a link out", begun()
                         .file(c + "/a", "")
                         .link(c + "/b", FileType::hardlink, c + "/a")
                         .linked("../../../etc/passwd")
                         .text()},
      {"a link to another cache",
       Forged(R"({"caches":[{"id":"b"},{"id":"c"}],"format":1})")
           .directory("caches/b")
           .file("caches/b/x", "")
           .directory(c)
           .link(c + "/x", FileType::hardlink, "caches/b/x")
           .text()},
      {"a device", device(FileType::char_device)},
      {"a disk", device(FileType::block_device)},
      {"a pipe", device(FileType::fifo)},
  };
  Store store;
  write(store.cache("c").data() / "mine", "mine");
  std::string all;
  for (const Case& one : cases) {
    all += std::string(one.title) + "\n" + refusal(store, one.archive) + "\n";
    CHECK(names_below(store.cache("c").data()) == std::vector<std::string>{"mine"});
    CHECK(store.left_nothing());
  }
  CHECK(all.find("no refusal") == std::string::npos);
  check_golden("caches/hostile.txt", all);
}

TEST_CASE("limits hold for everything together") {
  const std::string archive = Forged()
                                  .directory("caches/c")
                                  .file("caches/c/a", "12345")
                                  .file("caches/c/b", "12345")
                                  .text();
  const auto read = [&](const oci::ArchiveLimits& limits) {
    CacheArchiveReader reader(std::make_unique<oci::StringSource>(archive), "a", limits);
    std::size_t members = 0;
    while (reader.next())
      ++members;
    return members;
  };
  oci::ArchiveLimits limits = CacheArchiveReader::limits();
  CHECK(read(limits) == 3);
  limits.entries = 3;
  limits.content = 10;
  limits.depth = 3;
  limits.path = 10;
  CHECK(read(limits) == 3);
  for (const auto& tighten : std::vector<std::function<void(oci::ArchiveLimits&)>>{
           [](auto& l) { l.entries = 2; }, [](auto& l) { l.content = 9; },
           [](auto& l) { l.depth = 2; }, [](auto& l) { l.path = 9; }}) {
    oci::ArchiveLimits tight = limits;
    tighten(tight);
    CHECK_THROWS_AS(read(tight), oci::Error);
  }
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
