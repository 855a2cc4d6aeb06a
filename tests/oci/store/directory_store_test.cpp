// directory_store: what a directory adds to the shared suite: lies, leases and
// neighbours.
#include "oci/store/directory_store.h"

#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/oci/store/blob_store_suite.h"
#include "tests/support/processes.h"
#include "tests/support/temporary_directory.h"

using blob_store_suite::failure_of;
using blob_store_suite::text_of;
using oci::BlobRef;
using oci::Digest;
using oci::DirectoryStore;
using oci::Errc;
namespace fs = std::filesystem;

namespace {

std::size_t files_in(const fs::path& directory) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
}

// A file the way somebody who ignores our rules would write it.
void plant(const fs::path& path, const std::string& content) {
  fs::remove(path);
  std::ofstream(path) << content;
}

void check_every_blob(const fs::path& root) {
  for (const auto& file : fs::directory_iterator(root / "blobs/sha256")) {
    const std::string text = oci::read_file(file.path(), 1 << 26);
    CHECK(Digest::of(text).hex() == file.path().filename().string());
  }
}

}  // namespace

TEST_CASE("a directory store is a blob store") {
  const TemporaryDirectory place;
  blob_store_suite::run(
      [&] { return std::make_unique<DirectoryStore>(place.path() / "a/b/store"); });
}

TEST_CASE("a committed blob is a read-only file named by its digest") {
  const TemporaryDirectory place;
  const mode_t before = ::umask(0077);
  DirectoryStore store(place.path());
  const BlobRef blob = put(store, "content");
  ::umask(before);
  CHECK(store.path_of(blob.digest) ==
        place.path() / "blobs/sha256" / Digest::of("content").hex());
  struct stat status {};
  REQUIRE(::lstat(store.path_of(blob.digest).c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0444);
  CHECK(store.size_of(blob.digest) == 7U);
  CHECK(files_in(place.path() / "tmp") == 0);
}

TEST_CASE("a blob whose bytes lie is put away, and can be made again") {
  const TemporaryDirectory place;
  const BlobRef blob{Digest::of("truth"), 5};
  const std::string lie = GENERATE("false", "tru", "truthful", "");
  INFO("the lie: " << lie);
  {
    DirectoryStore store(place.path());
    put(store, "truth");
    plant(store.path_of(blob.digest), lie);
  }
  DirectoryStore store(place.path());
  const bool range = GENERATE(false, true);
  CHECK(failure_of([&] {
          if (range) {
            store.open_range(blob, 1, 2);
          } else {
            text_of(store, blob);
          }
        }) == Errc::mismatch);
  CHECK_FALSE(store.has(blob.digest));
  CHECK(files_in(place.path() / "quarantine") == 1);
  put(store, "truth");
  CHECK(text_of(store, blob) == "truth");
}

TEST_CASE("writing a blob replaces a liar of its name") {
  const TemporaryDirectory place;
  DirectoryStore store(place.path());
  const BlobRef blob{Digest::of("truth"), 5};
  plant(store.path_of(blob.digest), "false");
  CHECK(put(store, "truth") == blob);
  CHECK(text_of(store, blob) == "truth");
}

TEST_CASE("what is not a regular file is no blob") {
  const TemporaryDirectory place;
  DirectoryStore store(place.path());
  const BlobRef blob{Digest::of("truth"), 5};
  const fs::path path = store.path_of(blob.digest);
  SECTION("a symbolic link") {
    plant(place.path() / "elsewhere", "truth");
    fs::create_symlink(place.path() / "elsewhere", path);
  }
  SECTION("a fifo") {
    REQUIRE(::mkfifo(path.c_str(), 0644) == 0);
  }
  SECTION("a directory") {
    fs::create_directory(path);
  }
  CHECK_FALSE(store.has(blob.digest));
  CHECK(failure_of([&] { text_of(store, blob); }) == Errc::mismatch);
  CHECK(put(store, "truth") == blob);
  CHECK(text_of(store, blob) == "truth");
}

TEST_CASE("bytes are hashed once by each process that reads them") {
  const TemporaryDirectory place;
  DirectoryStore writer(place.path());
  const BlobRef blob = put(writer, "truth");
  DirectoryStore reader(place.path());
  CHECK(text_of(reader, blob) == "truth");
  plant(writer.path_of(blob.digest), "false");
  CHECK(text_of(reader, blob) == "false");  // known good a moment ago
  DirectoryStore other(place.path());
  CHECK(failure_of([&] { text_of(other, blob); }) == Errc::mismatch);
}

TEST_CASE("a blob that somebody replaces while it is open is noticed") {
  const TemporaryDirectory place;
  DirectoryStore store(place.path());
  const BlobRef blob = put(store, "truth");
  const auto read = [&] {
    return oci::read_all(*store.open_range(blob, 1, 3), 100, "range");
  };
  CHECK(read() == "rut");
  plant(store.path_of(blob.digest), "cut");
  CHECK(failure_of(read) == Errc::mismatch);
  CHECK(!store.has(blob.digest));
  put(store, "truth");
  CHECK(read() == "rut");
  fs::remove(store.path_of(blob.digest));
  CHECK(failure_of(read) == Errc::not_found);
}

TEST_CASE("temporary files of the dead are removed, those of the living stay") {
  const TemporaryDirectory place;
  DirectoryStore store(place.path());
  const auto writer = store.create();
  writer->write(oci::as_bytes("alive"));
  const pid_t child = start_process([&] {
    DirectoryStore mine(place.path());
    const auto half = mine.create();
    half->write(oci::as_bytes("dying"));
    ::kill(::getpid(), SIGKILL);
    return 0;
  });
  CHECK(wait_for(child) == 128 + SIGKILL);
  CHECK(files_in(place.path() / "tmp") == 2);
  const DirectoryStore next(place.path());
  CHECK(files_in(place.path() / "tmp") == 1);
  CHECK(text_of(store, writer->commit()) == "alive");
}

TEST_CASE("prune removes what is not wanted") {
  const TemporaryDirectory place;
  DirectoryStore store(place.path());
  const BlobRef wanted = put(store, "wanted");
  const BlobRef unwanted = put(store, "unwanted");
  plant(place.path() / "quarantine/liar", "12345");
  const auto keep = [&](const DirectoryStore::BlobInfo& info) {
    return info.blob.digest == wanted.digest;
  };
  CHECK(store.prune(DirectoryStore::ExclusiveLease(store), keep) == 8 + 5);
  CHECK(store.has(wanted.digest));
  CHECK_FALSE(store.has(unwanted.digest));
  CHECK(put(store, "unwanted") == unwanted);
  CHECK(text_of(store, unwanted) == "unwanted");
}

TEST_CASE("prune leaves a store alone that somebody else has open") {
  const TemporaryDirectory place;
  DirectoryStore store(place.path());
  const BlobRef blob = put(store, "in use");
  const auto nothing = [](const DirectoryStore::BlobInfo&) { return false; };
  {
    const DirectoryStore other(place.path());
    CHECK(failure_of([&] { DirectoryStore::ExclusiveLease alone(store); }) ==
          Errc::machine);
    CHECK(store.has(blob.digest));
  }
  // A killed neighbour's lease died with it.
  const pid_t child = start_process([&] {
    const DirectoryStore mine(place.path());
    ::kill(::getpid(), SIGKILL);
    return 0;
  });
  wait_for(child);
  CHECK(store.prune(DirectoryStore::ExclusiveLease(store), nothing) == 6);
}

TEST_CASE("a blob's last use is told by its time of access") {
  const TemporaryDirectory place;
  const BlobRef blob = [&] {
    DirectoryStore store(place.path());
    return put(store, "old");
  }();
  const auto age = [&](const DirectoryStore& store) {
    const timespec old[2] = {{1000, 0}, {1000, 0}};
    ::utimensat(AT_FDCWD, store.path_of(blob.digest).c_str(), old, 0);
  };
  DirectoryStore store(place.path());
  age(store);
  CHECK(store.list().at(0).last_used == 1000);
  text_of(store, blob);
  CHECK(store.list().at(0).last_used > 1000);
  struct stat status {};
  REQUIRE(::stat(store.path_of(blob.digest).c_str(), &status) == 0);
  CHECK(status.st_mtime == 1000);
}

TEST_CASE("processes may write the same and different blobs at once") {
  const TemporaryDirectory place;
  std::vector<pid_t> children;
  for (int c = 0; c < 4; ++c) {
    children.push_back(start_process([&place, c] {
      DirectoryStore store(place.path());
      for (int i = 0; i < 25; ++i) {
        const std::string ours = "ours " + std::to_string(i);
        const std::string mine = std::to_string(c) + " " + std::to_string(i);
        if (text_of(store, put(store, ours)) != ours) return 2;
        if (text_of(store, put(store, mine)) != mine) return 3;
      }
      return 0;
    }));
  }
  for (const pid_t child : children)
    CHECK(wait_for(child) == 0);
  CHECK(files_in(place.path() / "blobs/sha256") == 25 + 4 * 25);
  CHECK(files_in(place.path() / "tmp") == 0);
  check_every_blob(place.path());
}

TEST_CASE("killing a writer at any moment leaves whole blobs or none") {
  const TemporaryDirectory place;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  unsigned delay = 300;
  for (int round = 0; std::chrono::steady_clock::now() < end; ++round) {
    const pid_t child = start_process([&] {
      DirectoryStore store(place.path());
      for (int i = 0;; ++i) {
        const std::string text = std::to_string(round) + "." + std::to_string(i);
        put(store, text + std::string(static_cast<std::size_t>(i) * 9001 % 200'000, 'x'));
      }
      return 0;
    });
    ::usleep(delay);
    delay = (delay * 7 + 131) % 40'000;
    ::kill(child, SIGKILL);
    wait_for(child);
  }
  check_every_blob(place.path());
  const DirectoryStore store(place.path());
  CHECK(files_in(place.path() / "tmp") == 0);
}

TEST_CASE("a write that the machine refuses names the place and leaves nothing") {
  const TemporaryDirectory place;
  const pid_t child = start_process([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    DirectoryStore store(place.path());
    const rlimit limit{100'000, 100'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      put(store, std::string(200'000, 'x'));
    } catch (const oci::Error& e) {
      const bool told =
          std::string(e.what()).find(place.path().string()) != std::string::npos &&
          e.context().at(0) == "storing a blob of at least 200000 bytes in " +
                                   (place.path() / "blobs/sha256").string();
      return told && e.code() == Errc::machine && files_in(place.path() / "tmp") == 0 ? 0
                                                                                      : 2;
    }
    return 3;
  });
  CHECK(wait_for(child) == 0);
  const DirectoryStore store(place.path());
  CHECK(store.list().empty());
}

TEST_CASE("a store cannot be where a file is") {
  const TemporaryDirectory place;
  plant(place.path() / "file", "x");
  CHECK(failure_of([&] { DirectoryStore store(place.path() / "file"); }) ==
        Errc::not_found);
}
