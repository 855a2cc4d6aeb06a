// fd: files appear whole or not at all, and nothing leads out of a directory.
#include "oci/base/fd.h"

#include <array>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/base/error.h"

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

using namespace oci;
namespace fs = std::filesystem;

TEST_CASE("an atomic file replaces only when it is committed") {
  const TemporaryDirectory here;
  const fs::path path = here.path() / "file";
  write_file_atomically(path, "old");
  {
    AtomicFile dropped(path);
    dropped.write(as_bytes("half"));
  }
  CHECK(read_file(path, 100) == "old");
  write_file_atomically(path, "new");
  CHECK(read_file(path, 100) == "new");
  CHECK(std::distance(fs::directory_iterator(here.path()), fs::directory_iterator()) ==
        1);
}

TEST_CASE("an unfinished atomic file has no name beside the old one") {
  const TemporaryDirectory here;
  AtomicFile unfinished(here.path() / "file");
  unfinished.write(as_bytes("half"));
  CHECK(fs::is_empty(here.path()));
}

TEST_CASE("an atomic file replaces what a symlink points to, not the symlink") {
  const TemporaryDirectory here;
  fs::create_directory(here.path() / "real");
  write_file_atomically(here.path() / "real/file", "old");
  fs::create_symlink("real/file", here.path() / "link");
  fs::create_symlink("real/none", here.path() / "dangling");
  fs::create_symlink("circle", here.path() / "circle");
  write_file_atomically(here.path() / "link", "new");
  write_file_atomically(here.path() / "dangling", "made");
  CHECK(fs::is_symlink(here.path() / "link"));
  CHECK(read_file(here.path() / "real/file", 100) == "new");
  CHECK_FALSE(fs::exists(here.path() / "real/none"));
  CHECK(read_file(here.path() / "dangling", 100) == "made");
  write_file_atomically(here.path() / "circle", "round");
  CHECK(read_file(here.path() / "circle", 100) == "round");
}

TEST_CASE("what is no regular file is written to, never replaced") {
  const TemporaryDirectory here;
  const fs::path pipe = here.path() / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  FileSource reader(open_file(pipe, O_RDONLY | O_NONBLOCK), "pipe");
  write_file_atomically(pipe, "bytes");
  CHECK(fs::is_fifo(pipe));
  char got[16] = {};
  const Fd again = open_file(pipe, O_RDONLY | O_NONBLOCK);
  CHECK(::read(again.get(), got, sizeof got) == 5);
  CHECK_THROWS_AS(write_file_atomically(here.path(), "x"), Error);
}

TEST_CASE("the mode of an atomic file does not depend on the umask") {
  const TemporaryDirectory here;
  const auto before = ::umask(0077);
  write_file_atomically(here.path() / "file", "x");
  ::umask(before);
  struct stat status {};
  REQUIRE(::stat((here.path() / "file").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0644);
}

TEST_CASE("opening beneath a directory never leaves it") {
  const TemporaryDirectory here;
  fs::create_directories(here.path() / "root/a");
  write_file_atomically(here.path() / "secret", "x");
  write_file_atomically(here.path() / "root/a/file", "y");
  fs::create_symlink("../secret", here.path() / "root/link");
  fs::create_symlink("a", here.path() / "root/inner");
  const Fd root = open_file(here.path() / "root", O_RDONLY | O_DIRECTORY);
  CHECK(open_beneath(root, "a/file", O_RDONLY).valid());
  CHECK_THROWS_AS(open_beneath(root, "../secret", O_RDONLY), Error);
  CHECK_THROWS_AS(open_beneath(root, "link", O_RDONLY), Error);
  CHECK_THROWS_AS(open_beneath(root, "inner/file", O_RDONLY), Error);
  CHECK_THROWS_AS(open_beneath(root, "/etc/passwd", O_RDONLY), Error);
}

TEST_CASE("a file source reads the stretch it was given") {
  const TemporaryDirectory here;
  write_file_atomically(here.path() / "file", "0123456789");
  FileSource source(open_file(here.path() / "file", O_RDONLY), "file", 2, 5);
  CHECK(read_all(source, 100, "file") == "23456");
}

TEST_CASE("a file is copied from where its source stands to where the other file does") {
  const TemporaryDirectory here;
  write_file_atomically(here.path() / "from", "0123456789");
  const bool appends = GENERATE(false, true);  // for which the kernel does not copy
  write_file_atomically(here.path() / "to", "ab");
  FileSource source(open_file(here.path() / "from", O_RDONLY), "from", 2, 5);
  std::array<std::byte, 2> buffer{};
  CHECK(source.read(buffer) == 2);
  const Fd to = open_file(here.path() / "to", O_WRONLY | (appends ? O_APPEND : 0));
  REQUIRE(::lseek(to.get(), 2, SEEK_SET) == 2);
  CHECK(copy_to_file(source, to.get(), buffer, "to") == 3);
  CHECK(source.read(buffer) == 0);
  CHECK(read_file(here.path() / "to", 100) == "ab456");
}

TEST_CASE("what the kernel does not copy is read") {
  const TemporaryDirectory here;
  const Fd to = open_file(here.path() / "to", O_WRONLY | O_CREAT);
  std::array<std::byte, 7> buffer{};
  FileSource proc(open_file("/proc/self/stat", O_RDONLY), "stat");
  CHECK(copy_to_file(proc, to.get(), buffer, "to") > 10);
  StringSource text("not a file");
  CHECK(copy_to_file(text, to.get(), buffer, "to") == 10);
  CHECK(read_file(here.path() / "to", 10'000).ends_with("not a file"));
}

TEST_CASE("a full disk fails a copy by name") {
  std::array<std::byte, 64> buffer{};
  const Fd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  if (!full.valid()) return;
  const TemporaryDirectory here;
  write_file_atomically(here.path() / "from", "0123456789");
  FileSource source(open_file(here.path() / "from", O_RDONLY), "from");
  try {
    copy_to_file(source, full.get(), buffer, "the new file");
    FAIL("it was written");
  } catch (const Error& error) {
    CHECK(std::string(error.what()).find("the new file") != std::string::npos);
  }
}

TEST_CASE("only regular files are read whole, and nothing waits at a pipe") {
  const TemporaryDirectory here;
  write_file_atomically(here.path() / "file", "text");
  CHECK(read_file(here.path() / "file", 4) == "text");
  CHECK_THROWS_AS(read_file(here.path() / "file", 3), Error);
  REQUIRE(::mkfifo((here.path() / "pipe").c_str(), 0600) == 0);
  for (const char* name : {"pipe", "."}) {
    try {
      read_file(here.path() / name, 10);
      FAIL("it was read");
    } catch (const Error& error) {
      CHECK(error.code() == Errc::bad_input);
      CHECK(std::string(error.what()).find("is not a regular file") != std::string::npos);
    }
  }
}

TEST_CASE("what a failed call means for the user") {
  CHECK(errno_error(ENOSPC, "writing x").code() == Errc::machine);
  CHECK_FALSE(errno_error(ENOSPC, "writing x").hint().empty());
  CHECK(errno_error(ENOENT, "opening x").code() == Errc::not_found);
  CHECK(errno_error(EACCES, "opening x").code() == Errc::bad_input);
  CHECK(write_error(EACCES, "opening x").code() == Errc::machine);
  CHECK_FALSE(write_error(EACCES, "opening x").hint().empty());
  CHECK(write_error(ENOENT, "opening x").code() == Errc::not_found);
  CHECK(std::string(errno_error(ENOENT, "opening x").what()) ==
        "opening x: No such file or directory");
}
