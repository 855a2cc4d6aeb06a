// Caches to pack and unpack, in a store that has nothing else.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "oci/base/error.h"

#include "builder/caches/pack_caches.h"
#include "builder/caches/unpack_caches.h"

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

namespace cache_test {

namespace fs = std::filesystem;
using lithify::CacheArchiveReader;
using lithify::CacheMount;
using lithify::CachesOf;
using lithify::TravelledCache;

inline constexpr const char* k_owners = "0-65536";

// Who runs the tests may be anybody: for him, files are his or nobody's.
inline lithify::OwnerMap ids_of_tester() {
  const bool root = ::geteuid() == 0;
  return {{::geteuid(), 1, root ? 65536U : 1U}, {::getegid(), 1, root ? 65536U : 1U}};
}

inline void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

inline std::string text_of(const fs::path& path) {
  return oci::read_file(path, 1 << 20);
}

inline void set_time(const fs::path& path, std::int64_t seconds, long nanoseconds) {
  const timespec times[2] = {{0, UTIME_OMIT},
                             {static_cast<time_t>(seconds), nanoseconds}};
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) == 0);
}

inline struct stat status_of(const fs::path& path) {
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

inline std::string told(const oci::Error& error) {
  std::string text = error.what();
  for (const std::string& note : error.notes())
    text += "\n  note: " + note;
  if (!error.hint().empty()) text += "\n  help: " + error.hint();
  return text + "\n";
}

inline std::string refusal(Store& store, std::string archive,
                           std::vector<std::string> only = {}) {
  try {
    store.import(std::move(archive), std::move(only));
  } catch (const oci::Error& error) {
    CHECK((error.code() == oci::Errc::bad_input || error.code() == oci::Errc::not_found));
    return told(error);
  }
  return "no refusal\n";
}

inline std::vector<std::string> names_below(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(directory))
    names.push_back(fs::relative(entry.path(), directory).string());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace cache_test
