// own_links: what leads to a process, seen from within a root.
#include "builder/sandbox/own_links.h"

#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

#include "oci/base/fd.h"

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

using lithify::own_link;

TEST_CASE("a process's own links are told as from within the root") {
  const TemporaryDirectory directory;
  const std::string root = std::filesystem::canonical(directory.path()).string();
  const oci::Fd file = oci::open_file(root + "/file", O_WRONLY | O_CREAT, 0600);
  const oci::Fd top = oci::open_file(root, O_RDONLY | O_DIRECTORY);
  const auto told = [&](const std::string& path) {
    return own_link(::getpid(), path, root).value_or("none");
  };
  CHECK(told("/proc/self/fd/" + std::to_string(file.get())) == "/file");
  CHECK(told("/proc/self/fd/" + std::to_string(top.get())) == "/");
  // What lies elsewhere is nobody's business there, nor what begins alike.
  CHECK(told("/proc/self/exe") == "none");
  CHECK(told("/proc/self/cwd") == "none");
  CHECK(own_link(::getpid(), "/proc/self/fd/" + std::to_string(file.get()),
                 root.substr(0, root.size() - 1)) == std::nullopt);
  CHECK(own_link(::getpid(), "/proc/self/exe", "").value_or("").starts_with('/'));
}

TEST_CASE("pipes are told by their numbers, and other paths not at all") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const oci::Fd reads(ends[0]);
  const oci::Fd writes(ends[1]);
  const auto told = [](const std::string& path) {
    return own_link(::getpid(), path, "/nowhere").value_or("none");
  };
  CHECK(told("/proc/self/fd/" + std::to_string(ends[0])).starts_with("pipe:["));
  for (const char* path :
       {"", "/proc/self/", "/proc/self/fd/", "/proc/self/fd/x", "/proc/self/fd/../exe",
        "/proc/self/fd/1/", "/proc/self/ns/net", "/proc/1/exe",
        "/proc/self/fd/12345678901"})
    CHECK(told(path) == "none");
}
