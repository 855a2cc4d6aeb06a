// repository_suite: what every Repository that can be written must do.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "oci/image/manifest_graph.h"
#include "oci/image/repository.h"

#include "tests/oci/store/blob_store_suite.h"
#include "tests/support/memory_repository.h"
#include "tests/support/small_image.h"

namespace repository_suite {

using blob_store_suite::failure_of;

inline void copy_image(const oci::Repository& from, const oci::Descriptor& root,
                       oci::Repository& to) {
  oci::SilentReporter silent;
  oci::Activity activity(silent, "copying");
  oci::replicate(from, root, to, activity);
  activity.end(oci::Outcome::done);
}

inline void manifests_go_in_and_out(oci::Repository& repository) {
  const oci::Descriptor root = put_small_image(repository, "hello");
  CHECK(repository.has_manifest(root.digest));
  CHECK(oci::describe(repository.manifest(root), root.media_type) == root);

  oci::Descriptor wrong = root;
  wrong.size += 1;
  CHECK(failure_of([&] { repository.manifest(wrong); }) == oci::Errc::mismatch);
  const oci::Descriptor absent = oci::describe("absent", oci::media_type::k_manifest);
  CHECK_FALSE(repository.has_manifest(absent.digest));
  CHECK(failure_of([&] { repository.manifest(absent); }) == oci::Errc::not_found);
}

inline void lying_and_huge_manifests_are_refused(oci::Repository& repository) {
  const std::string text = repository.manifest(put_small_image(repository, "x"));
  oci::Descriptor lie = oci::describe(text + " ", oci::media_type::k_manifest);
  CHECK(failure_of([&] { repository.put_manifest(lie, oci::as_bytes(text)); }) ==
        oci::Errc::mismatch);
  CHECK_FALSE(repository.has_manifest(lie.digest));
  const std::string huge = text + std::string((4 << 20) + 1 - text.size(), ' ');
  const oci::Descriptor large = oci::describe(huge, oci::media_type::k_manifest);
  CHECK(failure_of([&] { repository.put_manifest(large, oci::as_bytes(huge)); }) ==
        oci::Errc::bad_input);
  CHECK(failure_of([&] { repository.manifest(large); }) == oci::Errc::bad_input);
}

inline void tags_point_at_manifests(oci::Repository& repository) {
  const oci::Descriptor one = put_small_image(repository, "one");
  const oci::Descriptor two = put_small_index(repository, "two");
  CHECK(repository.tags().empty());
  CHECK_FALSE(repository.resolve("app").has_value());
  repository.set_tag("app", one);
  repository.set_tag("a.b_c-2", two);
  CHECK(repository.resolve("app") == one);
  CHECK(repository.resolve("a.b_c-2") == two);
  CHECK(repository.tags() == std::vector<std::string>{"a.b_c-2", "app"});
  repository.set_tag("app", two);  // the last one wins
  CHECK(repository.resolve("app") == two);
  CHECK(repository.tags().size() == 2);
  const oci::Descriptor absent = oci::describe("absent", oci::media_type::k_manifest);
  CHECK(failure_of([&] { repository.set_tag("x", absent); }) == oci::Errc::not_found);
  CHECK_FALSE(repository.resolve("x").has_value());
}

inline void images_travel_whole(oci::Repository& repository) {
  MemoryRepository origin;
  const oci::Descriptor root = put_small_index(origin, "traveller");
  copy_image(origin, root, repository);
  CHECK(repository.has_manifest(root.digest));
  MemoryRepository back;
  copy_image(repository, root, back);
  CHECK(oci::closure(back, root) == oci::closure(origin, root));
  for (const oci::Descriptor& part : oci::closure(back, root)) {
    if (oci::is_document(part.media_type)) {
      CHECK(back.manifest(part) == origin.manifest(part));
    } else {
      CHECK(blob_store_suite::text_of(back, {part.digest, part.size}) ==
            blob_store_suite::text_of(origin, {part.digest, part.size}));
    }
  }
}

inline void threads_may_tag(oci::Repository& repository) {
  const oci::Descriptor image = put_small_image(repository, "shared");
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&repository, &image, t] {
      for (int i = 0; i < 4; ++i)
        repository.set_tag("t" + std::to_string(t) + "-" + std::to_string(i), image);
    });
  }
  for (auto& thread : threads)
    thread.join();
  CHECK(repository.tags().size() == 32);
}

template <class Make>
void run(Make make) {
  blob_store_suite::run(make);
  const auto repository = make();
  SECTION("manifests go in and come out") {
    manifests_go_in_and_out(*repository);
  }
  SECTION("lying and huge manifests are refused") {
    lying_and_huge_manifests_are_refused(*repository);
  }
  SECTION("tags point at manifests") {
    tags_point_at_manifests(*repository);
  }
  SECTION("images travel whole") {
    images_travel_whole(*repository);
  }
  SECTION("threads may tag at once") {
    threads_may_tag(*repository);
  }
}

}  // namespace repository_suite
