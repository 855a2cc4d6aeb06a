// capture: directories and files of the user's as trees.
#include "builder/tree/capture.h"

#include <chrono>
#include <fstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/store/memory_store.h"

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/trees.h"

namespace fs = std::filesystem;
using lithify::CaptureRequest;
using lithify::LocalFile;
using lithify::Tree;
using lithify::testing::shape_of;

namespace {

// A directory to capture, a cache, and a clock far ahead of the files' times.
struct Bench {
  TemporaryDirectory directory;
  fs::path root = directory.path() / "root";
  std::unique_ptr<lithify::CacheDatabase> database = open();
  oci::WorkerPool workers{2};
  CaptureRequest request;

  Bench() {
    fs::create_directories(root);
    request.path = root.string();
    request.now_ns = std::int64_t{4} << 60;
  }
  std::unique_ptr<lithify::CacheDatabase> open() {
    return std::make_unique<lithify::CacheDatabase>(directory.path() / "cache.sqlite");
  }
  void write(const std::string& path, const std::string& text, unsigned mode = 0644) {
    fs::create_directories((root / path).parent_path());
    std::ofstream(root / path, std::ios::binary) << text;
    ::chmod((root / path).c_str(), mode);
  }
  Tree capture() {
    lithify::StatCache stats(*database);
    oci::SilentReporter silent;
    oci::Activity activity(silent, "capture");
    return lithify::capture(request, {stats, workers, activity});
  }
  std::string refusal() {
    try {
      capture();
    } catch (const oci::Error& e) {
      return e.what();
    }
    return "captured";
  }
};

const LocalFile& file_of(const Tree& tree, std::string_view path) {
  return std::get<LocalFile>(*tree.find(path)->content);
}

}  // namespace

TEST_CASE("a captured directory is its files, directories and symlinks") {
  Bench bench;
  bench.write("a", "text");
  bench.write("a-b", "more");
  bench.write("dir/x", "", 0600);
  bench.write("dir-x", "1");
  bench.write("dir/sub/run", "#!", 0700);
  fs::create_directory(bench.root / "empty");
  fs::create_symlink("/etc/passwd", bench.root / "dir/out");
  fs::create_directory_symlink("dir", bench.root / "link");
  const Tree tree = bench.capture();
  CHECK(shape_of(tree) ==
        "d \nf a\nf a-b\nd dir\nf dir-x\nl dir/out=/etc/passwd\nd dir/sub\n"
        "f dir/sub/run\nf dir/x\nd empty\nl link=dir\n");
  CHECK(file_of(tree, "a").digest == oci::Digest::of("text"));
  CHECK(file_of(tree, "a").path.str() == (bench.root / "a").string());
  CHECK(tree.find("a")->attributes.mode == 0644);
  CHECK(tree.find("dir/x")->attributes.mode == 0644);
  CHECK(tree.find("dir/sub/run")->attributes.mode == 0755);
  CHECK(tree.find("dir")->attributes.mode == 0755);
  CHECK(tree.find("a")->attributes.mtime == lithify::k_constant_time);
  CHECK_NOTHROW(check_sound(tree.nodes()));
}

TEST_CASE("modes are kept when asked for") {
  Bench bench;
  bench.write("a", "text", 04751);
  ::chmod(bench.root.c_str(), 0700);
  bench.request.keep_modes = true;
  const Tree tree = bench.capture();
  CHECK(tree.find("a")->attributes.mode == 0751);
  CHECK(tree.find("")->attributes.mode == 0700);
}

TEST_CASE("a captured file is a tree of that file and no root") {
  Bench bench;
  bench.write("a", "text");
  bench.request.path = (bench.root / "a").string();
  const Tree tree = bench.capture();
  CHECK(shape_of(tree) == "f a\n");
  CHECK(file_of(tree, "a").digest == oci::Digest::of("text"));
  CHECK(bench.capture().digest() == tree.digest());
}

TEST_CASE("what is not taken is not looked at, parents of what is are kept") {
  Bench bench;
  bench.write("src/a.c", "1");
  bench.write("src/a.o", "2");
  bench.write("docs/b.md", "3");
  bench.write("secret/c.c", "4");
  ::chmod((bench.root / "secret").c_str(), 0);
  bench.request.takes = [](std::string_view path) {
    return path.size() > 2 && path.substr(path.size() - 2) == ".c";
  };
  bench.request.descends = [](std::string_view path) { return path != "secret"; };
  CHECK(shape_of(bench.capture()) == "d \nd src\nf src/a.c\n");
  ::chmod((bench.root / "secret").c_str(), 0700);
}

TEST_CASE("unchanged files are not read again, changed ones are") {
  Bench bench;
  bench.write("a", "one");
  bench.write("b/c", "two");
  const Tree first = bench.capture();
  // A read would fail: nothing may open the files now.
  struct stat before {};
  ::stat((bench.root / "a").c_str(), &before);
  bench.database = bench.open();
  CHECK(bench.capture().digest() == first.digest());

  bench.write("a", "ONE");
  const Tree second = bench.capture();
  CHECK(file_of(second, "a").digest == oci::Digest::of("ONE"));
  CHECK(file_of(second, "b/c").digest == oci::Digest::of("two"));
}

TEST_CASE("remembered digests are what is used") {
  Bench bench;
  bench.write("a", "one");
  lithify::StatCache stats(*bench.database);
  struct stat info {};
  ::stat((bench.root / "a").c_str(), &info);
  const oci::Digest lie = oci::Digest::of("a lie that shows who was asked");
  bench.capture();
  lithify::StatRecord record;
  const auto ns = [](const timespec& t) { return t.tv_sec * 1'000'000'000 + t.tv_nsec; };
  record.add("a", {info.st_dev, info.st_ino, 3, ns(info.st_mtim), ns(info.st_ctim)}, lie);
  const std::string path = bench.root.string();
  stats.save(oci::Digest::of(fmt::format("{}:{}:", path.size(), path)), path, record);
  CHECK(file_of(bench.capture(), "a").digest == lie);
  SECTION("but not for young files") {
    bench.request.now_ns = ns(info.st_mtim) + 1'000'000'000;
    CHECK(file_of(bench.capture(), "a").digest == oci::Digest::of("one"));
  }
}

TEST_CASE("the cache forgets directories that are gone") {
  Bench bench;
  lithify::StatCache stats(*bench.database);
  const oci::Digest here = oci::Digest::of("here");
  const oci::Digest gone = oci::Digest::of("gone");
  lithify::StatRecord record;
  record.add("a", {1, 2, 3, 4, 5}, oci::Digest::of("a"));
  stats.save(here, bench.root.string(), record);
  stats.save(gone, (bench.root / "gone").string(), record);
  stats.prune();
  CHECK(stats.load(here).text() == record.text());
  CHECK(stats.load(gone).text().empty());
}

TEST_CASE("what no image can hold is refused by name") {
  Bench bench;
  SECTION("a fifo") {
    ::mkfifo((bench.root / "pipe").c_str(), 0600);
    CHECK(bench.refusal() ==
          (bench.root / "pipe").string() +
              " is a fifo; only files, directories and symlinks can go "
              "into an image");
  }
  SECTION("a socket") {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = (bench.root / "s").string();
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    ::close(fd);
    CHECK(bench.refusal().find("is a socket") != std::string::npos);
  }
  SECTION("a whiteout's name") {
    bench.write(".wh.a", "");
    CHECK(bench.refusal().find(".wh.") != std::string::npos);
  }
  SECTION("a missing directory") {
    bench.request.path += "/missing";
    CHECK(bench.refusal().find("/missing") != std::string::npos);
  }
  SECTION("an unreadable file") {
    if (::geteuid() == 0) return;
    bench.write("a", "text", 0);
    CHECK(bench.refusal().find((bench.root / "a").string()) != std::string::npos);
  }
}

TEST_CASE("stopping stops a capture") {
  Bench bench;
  bench.write("a", "text");
  std::stop_source stop;
  stop.request_stop();
  lithify::StatCache stats(*bench.database);
  oci::SilentReporter silent;
  oci::Activity activity(silent, "capture");
  CHECK_THROWS_AS(
      lithify::capture(bench.request, {stats, bench.workers, activity, stop.get_token()}),
      oci::Cancelled);
}

TEST_CASE("a damaged cache is set aside and begun anew") {
  Bench bench;
  bench.write("a", "text");
  const Tree first = bench.capture();
  bench.database.reset();
  const fs::path file = bench.directory.path() / "cache.sqlite";
  const auto size = fs::file_size(file);
  SECTION("nonsense") {
    std::ofstream(file) << std::string(size, 'x');
  }
  SECTION("half of it") {
    fs::resize_file(file, size / 2 - 100);
  }
  SECTION("nothing of it") {
    fs::resize_file(file, 0);
  }
  bench.database = bench.open();
  CHECK(bench.capture().digest() == first.digest());
  CHECK(bench.capture().digest() == first.digest());
  bench.database->put(lithify::CacheDatabase::Table::steps, "k", "v");
  CHECK(bench.database->get(lithify::CacheDatabase::Table::steps, "k") == "v");
}

TEST_CASE("damaged stat records are empty ones") {
  const lithify::FileStamp stamp{1, 2, 3, 4, 5};
  lithify::StatRecord record;
  record.add("a", stamp, oci::Digest::of("a"));
  record.add("b", stamp, oci::Digest::of("b"));
  const std::string text = record.text();
  CHECK(lithify::StatRecord(text).next("b", stamp) == oci::Digest::of("b"));
  CHECK_FALSE(lithify::StatRecord(text).next("c", stamp).has_value());
  CHECK_FALSE(lithify::StatRecord(text).next("a", {1, 2, 3, 4, 6}).has_value());
  CHECK_FALSE(lithify::StatRecord("nonsense").next("a", stamp).has_value());
  for (std::size_t size = 0; size < text.size(); ++size)
    CHECK_FALSE(lithify::StatRecord(text.substr(0, size)).next("b", stamp).has_value());
}

TEST_CASE("a local file is read in place and must be what it was") {
  Bench bench;
  bench.write("a", "text");
  const LocalFile file = file_of(bench.capture(), "a");
  oci::MemoryStore store;
  const auto read = [&] {
    const auto source = open_content(file, store);
    return oci::read_all(*source, 100, "file");
  };
  CHECK(read() == "text");
  SECTION("another content") {
    bench.write("a", "TEXT");
  }
  SECTION("another size") {
    bench.write("a", "text and more");
  }
  SECTION("gone for a symlink") {
    fs::remove(bench.root / "a");
    fs::create_symlink("b", bench.root / "a");
  }
  CHECK_THROWS_AS(read(), oci::Error);
}

TEST_CASE("a slice is read from the store") {
  oci::MemoryStore store;
  const oci::BlobRef blob = oci::put(store, "0123456789");
  const auto source = open_content(lithify::Slice{blob, 3, 4}, store);
  CHECK(oci::read_all(*source, 100, "slice") == "3456");
}

TEST_CASE("capturing many files", "[.bench]") {
  Bench bench;
  for (int i = 0; i < 62'000; ++i)
    bench.write(fmt::format("share/app/module-{:03}/file-{}", i / 100, i), "x");
  for (int i = 0; i < 6; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const Tree tree = bench.capture();
    const std::chrono::duration<double, std::milli> took =
        std::chrono::steady_clock::now() - start;
    WARN("capture: " << took.count() << " ms");
  }
}
