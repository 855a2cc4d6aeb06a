// checked_later: reading begins at once, and ends well only with honest blobs.
#include "oci/store/checked_later.h"

#include <atomic>
#include <fstream>
#include <thread>
#include <vector>

#include "oci/store/directory_store.h"
#include "oci/store/memory_store.h"

#include "tests/oci/store/blob_store_suite.h"
#include "tests/support/temporary_directory.h"

using blob_store_suite::failure_of;
using oci::BlobRef;
using oci::CheckedLater;
using oci::DirectoryStore;
using oci::Errc;

namespace {

std::string read(const oci::BlobStore& store, const BlobRef& blob, std::uint64_t offset,
                 std::uint64_t size) {
  return oci::read_all(*store.open_range(blob, offset, size), 1 << 26, "range");
}

std::string large_text() {
  return std::string(9 << 20, 'x');
}

// A store that somebody else has filled, and whose blobs nobody has looked into.
class Filled {
 public:
  Filled() {
    DirectoryStore store(place_.path());
    REQUIRE(put(store, "small") == small_);
    REQUIRE(put(store, large_text()) == large_);
  }
  // Changes the last byte of a blob's file.
  void falsify(const BlobRef& blob) {
    const auto path = place_.path() / "blobs/sha256" / blob.digest.hex();
    std::filesystem::permissions(path, std::filesystem::perms(0644));
    std::fstream file(path, std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(blob.size) - 1);
    file.put('y');
  }
  const BlobRef& small() const { return small_; }
  const BlobRef& large() const { return large_; }
  const std::filesystem::path& path() const { return place_.path(); }

 private:
  TemporaryDirectory place_;
  const BlobRef small_{oci::Digest::of("small"), 5};
  const BlobRef large_{oci::Digest::of(large_text()), 9 << 20};
};

}  // namespace

TEST_CASE("a view that checks later is a blob store") {
  const TemporaryDirectory place;
  DirectoryStore store(place.path());
  blob_store_suite::run([&] {
    return std::make_unique<CheckedLater>(store, &store.blobs(), std::stop_token());
  });
}

TEST_CASE("an honest blob is checked when all is finished") {
  const Filled filled;
  DirectoryStore store(filled.path());
  CheckedLater later(store, &store.blobs(), {});
  CHECK(read(later, filled.large(), 5, 3) == "xxx");
  CHECK(read(later, filled.large(), filled.large().size - 1, 1) == "x");
  CHECK(read(later, filled.small(), 1, 2) == "ma");
  later.finish();
  CHECK(store.blobs().is_checked(filled.large().digest));
}

TEST_CASE("many threads read one blob that is hashed once") {
  const Filled filled;
  DirectoryStore store(filled.path());
  CheckedLater later(store, &store.blobs(), {});
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> readers;
    for (int reader = 0; reader < 8; ++reader) {
      readers.emplace_back([&] {
        for (std::uint64_t at = 0; at < 300; ++at)
          right += read(later, filled.large(), at * 1000, 10) == std::string(10, 'x');
      });
    }
  }
  CHECK(right == 8 * 300);
  later.finish();
  CHECK(store.blobs().is_checked(filled.large().digest));
}

TEST_CASE("a large blob that lies is found at the end, and put away") {
  Filled filled;
  filled.falsify(filled.large());
  DirectoryStore store(filled.path());
  {
    CheckedLater later(store, &store.blobs(), {});
    CHECK(read(later, filled.large(), 0, 2) == "xx");
    CHECK(failure_of([&] { later.finish(); }) == Errc::mismatch);
  }
  CHECK(!store.has(filled.large().digest));
  CHECK(put(store, large_text()) == filled.large());
  CheckedLater again(store, &store.blobs(), {});
  CHECK(read(again, filled.large(), filled.large().size - 1, 1) == "x");
  again.finish();
}

TEST_CASE("a small blob that lies is found at once") {
  Filled filled;
  filled.falsify(filled.small());
  DirectoryStore store(filled.path());
  const CheckedLater later(store, &store.blobs(), {});
  CHECK(failure_of([&] { later.open_range(filled.small(), 0, 2); }) == Errc::mismatch);
}

TEST_CASE("a store without files checks before it is read") {
  oci::MemoryStore store;
  const BlobRef blob = put(store, large_text());
  CheckedLater later(store, nullptr, {});
  CHECK(read(later, blob, 0, 1) == "x");
  later.finish();
}

TEST_CASE("a stop ends the check, and nothing counts as checked") {
  const Filled filled;
  DirectoryStore store(filled.path());
  std::stop_source stop;
  stop.request_stop();
  CheckedLater later(store, &store.blobs(), stop.get_token());
  later.open_range(filled.large(), 0, 1);
  CHECK_THROWS_AS(later.finish(), oci::Cancelled);
  CHECK(!store.blobs().is_checked(filled.large().digest));
}

TEST_CASE("ranges outside of a blob are refused while it is being checked") {
  const Filled filled;
  DirectoryStore store(filled.path());
  CheckedLater later(store, &store.blobs(), {});
  later.open_range(filled.large(), 0, 1);
  CHECK(failure_of([&] { later.open_range(filled.large(), filled.large().size, 1); }) ==
        Errc::bad_input);
  later.finish();
}
