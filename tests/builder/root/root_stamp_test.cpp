// root_stamp: whatever changed below a root changes its stamp, and nothing else does.
#include "builder/root/root_stamp.h"

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/base/error.h"

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

namespace fs = std::filesystem;

namespace {

constexpr const char* k_deep = "1/2/3/4/5/deep";

// Enough directories for several threads.
class Root {
 public:
  Root() {
    for (int number = 0; number < 200; ++number) {
      const fs::path directory =
          path() / ("d" + std::to_string(number % 7)) / ("e" + std::to_string(number));
      fs::create_directories(directory / "empty");
      std::ofstream(directory / "file") << number;
      fs::create_symlink("file", directory / "link");
    }
    fs::create_directories(path() / "1/2/3/4/5");
    std::ofstream(path() / k_deep) << "deep";
  }
  const fs::path& path() const { return place_.path(); }
  std::string stamp(std::stop_token stop = {}) const {
    return lithify::root_stamp(oci::open_file(path(), O_RDONLY | O_DIRECTORY),
                               std::move(stop));
  }

 private:
  TemporaryDirectory place_;
};

}  // namespace

TEST_CASE("a root that nobody touches has one stamp") {
  const Root root;
  const std::string stamp = root.stamp();
  for (int round = 0; round < 50; ++round)
    CHECK(root.stamp() == stamp);
}

TEST_CASE("every change below a root changes its stamp") {
  using Change = void (*)(const fs::path& root);
  const Change change = GENERATE(
      Change([](const fs::path& root) { ::chmod((root / k_deep).c_str(), 0600); }),
      Change([](const fs::path& root) { std::ofstream(root / k_deep) << "peed"; }),
      Change([](const fs::path& root) { fs::rename(root / k_deep, root / "1/2/other"); }),
      Change([](const fs::path& root) { std::ofstream(root / "1/2/3/4/more"); }),
      Change([](const fs::path& root) { fs::remove(root / "d0/e0/empty"); }),
      Change([](const fs::path& root) {
        fs::remove(root / "d1/e1/link");
        fs::create_symlink("deep", root / "d1/e1/link");
      }),
      Change([](const fs::path& root) { ::chmod(root.c_str(), 0711); }));
  const Root root;
  const std::string stamp = root.stamp();
  change(root.path());
  CHECK(root.stamp() != stamp);
}

TEST_CASE("a stop ends the looking") {
  const Root root;
  std::stop_source stop;
  stop.request_stop();
  CHECK_THROWS_AS(root.stamp(stop.get_token()), oci::Cancelled);
}

TEST_CASE("a root that is too deep is refused") {
  const TemporaryDirectory place;
  fs::path path = place.path();
  for (int depth = 0; depth < 260; ++depth)
    path /= "d";
  fs::create_directories(path);
  CHECK_THROWS_AS(
      lithify::root_stamp(oci::open_file(place.path(), O_RDONLY | O_DIRECTORY), {}),
      oci::Error);
}
