// blob_store_suite: what every BlobStore must do. Call it in a TEST_CASE of its own.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <thread>
#include <vector>

#include "oci/base/error.h"
#include "oci/store/blob_store.h"

#include "tests/support/catch.h"

namespace blob_store_suite {

inline std::string text_of(const oci::BlobStore& store, const oci::BlobRef& blob) {
  return oci::read_all(*store.open(blob), 1 << 26, "blob");
}

template <class Action>
inline oci::Errc failure_of(Action action) {
  try {
    action();
  } catch (const oci::Error& e) {
    INFO(e.what());
    return e.code();
  }
  FAIL("no error was thrown");
  return oci::Errc::internal;
}

inline void blobs_go_in_and_out(oci::BlobStore& store) {
  const std::string content(300'000, 'x');
  for (const std::string& text : {std::string("hello"), std::string(), content}) {
    const oci::BlobRef blob = oci::put(store, text);
    CHECK(blob.digest == oci::Digest::of(text));
    CHECK(blob.size == text.size());
    CHECK(store.has(blob.digest));
    CHECK(text_of(store, blob) == text);
    CHECK(oci::put(store, text) == blob);  // again: nothing happens
  }
}

inline void unfinished_writers_leave_nothing(oci::BlobStore& store) {
  {
    const auto writer = store.create();
    writer->write(oci::as_bytes("abandoned"));
  }
  CHECK_FALSE(store.has(oci::Digest::of("abandoned")));
  const auto writer = store.create();
  writer->write(oci::as_bytes("soon"));
  CHECK_FALSE(store.has(oci::Digest::of("soon")));
  const oci::BlobRef blob = writer->commit();
  CHECK(text_of(store, blob) == "soon");
}

inline void ranges_are_parts(oci::BlobStore& store) {
  const oci::BlobRef blob = oci::put(store, "0123456789");
  const auto range = [&](std::uint64_t offset, std::uint64_t size) {
    return oci::read_all(*store.open_range(blob, offset, size), 100, "range");
  };
  CHECK(range(0, 10) == "0123456789");
  CHECK(range(3, 4) == "3456");
  CHECK(range(10, 0).empty());
  CHECK(failure_of([&] { range(3, 8); }) == oci::Errc::bad_input);
  CHECK(failure_of([&] { range(11, 0); }) == oci::Errc::bad_input);
  CHECK(failure_of([&] { range(2, UINT64_MAX); }) == oci::Errc::bad_input);
}

inline void absent_and_missized_blobs_are_refused(oci::BlobStore& store) {
  const oci::BlobRef absent{oci::Digest::of("never written"), 13};
  CHECK_FALSE(store.has(absent.digest));
  CHECK(failure_of([&] { text_of(store, absent); }) == oci::Errc::not_found);
  CHECK(failure_of([&] { store.open_range(absent, 0, 1); }) == oci::Errc::not_found);

  const oci::BlobRef blob = oci::put(store, "sized");
  for (const std::uint64_t size : {4U, 6U}) {
    const oci::BlobRef wrong{blob.digest, size};
    CHECK(failure_of([&] { text_of(store, wrong); }) == oci::Errc::mismatch);
    CHECK(failure_of([&] { store.open_range(wrong, 0, 1); }) == oci::Errc::mismatch);
  }
  CHECK(text_of(store, blob) == "sized");  // the store was right all along
}

inline void threads_may_share_it(oci::BlobStore& store) {
  std::vector<std::thread> threads;
  std::vector<int> good(8, 0);
  for (std::size_t t = 0; t < good.size(); ++t) {
    threads.emplace_back([&store, &good, t] {
      for (int i = 0; i < 20; ++i) {
        const std::string mine = std::to_string(t) + "/" + std::to_string(i);
        const std::string ours = "ours/" + std::to_string(i);
        const oci::BlobRef a = oci::put(store, mine);
        const oci::BlobRef b = oci::put(store, ours);
        if (text_of(store, a) == mine && text_of(store, b) == ours &&
            oci::read_all(*store.open_range(b, 0, 4), 4, "range") == "ours") {
          ++good[t];
        }
      }
    });
  }
  for (auto& thread : threads)
    thread.join();
  CHECK(good == std::vector<int>(8, 20));
}

template <class Make>
void run(Make make) {
  const auto store = make();
  SECTION("blobs go in and come out") {
    blobs_go_in_and_out(*store);
  }
  SECTION("unfinished writers leave nothing") {
    unfinished_writers_leave_nothing(*store);
  }
  SECTION("ranges are parts of a blob") {
    ranges_are_parts(*store);
  }
  SECTION("absent and missized blobs are refused") {
    absent_and_missized_blobs_are_refused(*store);
  }
  SECTION("threads may share it") {
    threads_may_share_it(*store);
  }
}

}  // namespace blob_store_suite
