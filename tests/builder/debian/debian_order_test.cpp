// The order in which dpkg gets packages.
#include "builder/debian/debian_order.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "tests/support/catch.h"

namespace lithify {
namespace {

UnpackedPackage package(const std::string& name, const std::string& fields = "") {
  return read_control(
      fmt::format("Package: {}\nVersion: 1\nArchitecture: amd64\n{}", name, fields),
      name + ":amd64=1");
}

// "install a b; unpack c; configure c", the packages shuffled first.
std::string calls_of(std::vector<UnpackedPackage> packages, bool empty_root) {
  std::string first;
  std::sort(packages.begin(), packages.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  do {
    std::string text;
    for (const DpkgCall& call :
         dpkg_calls(packages, empty_root ? bootstrap_packages(packages)
                                         : std::set<std::size_t>())) {
      constexpr const char* k_words[] = {"install", "unpack", "configure"};
      text += (text.empty() ? "" : "; ") +
              std::string(k_words[static_cast<std::size_t>(call.what)]);
      for (const std::size_t i : call.packages)
        text += " " + packages[i].name;
    }
    if (first.empty()) first = text;
    CHECK(text == first);
  } while (std::next_permutation(
      packages.begin(), packages.end(),
      [](const auto& a, const auto& b) { return a.name < b.name; }));
  return first;
}

}  // namespace

TEST_CASE("what is depended on comes first, and ties go by name") {
  CHECK(calls_of({package("b"), package("a", "Depends: c (>= 1)\n"), package("c")},
                 false) == "unpack c a b");
}

TEST_CASE("essential packages and what they need are installed at once, dpkg too") {
  CHECK(calls_of({package("sed", "Essential: yes\nPre-Depends: libc6\n"),
                  package("libc6", "Depends: libgcc\n"), package("libgcc"),
                  package("dpkg"), package("web", "Depends: sed\n")},
                 true) == "install dpkg libgcc libc6 sed; unpack web");
}

TEST_CASE("what is pre-depended on is configured before its user is unpacked") {
  CHECK(calls_of({package("app", "Pre-Depends: helper | other\n"),
                  package("helper", "Depends: library\n"), package("library"),
                  package("plain")},
                 false) ==
        "unpack library helper plain; configure library helper; unpack app");
}

TEST_CASE("a provider stands for a name that no package has") {
  CHECK(calls_of({package("app", "Pre-Depends: missing | awk\n"),
                  package("mawk", "Provides: awk, pager (= 1)\n")},
                 false) == "unpack mawk; configure mawk; unpack app");
}

TEST_CASE("circles end") {
  CHECK(calls_of({package("a", "Depends: b\n"), package("b", "Depends: a\n")}, false) ==
        "unpack b a");
  CHECK(calls_of({package("a", "Pre-Depends: b\n"), package("b", "Pre-Depends: a\n")},
                 false) == "unpack b; unpack a");
}

TEST_CASE("a dependency is met by the package of the same architecture") {
  std::vector<UnpackedPackage> packages = {package("app", "Pre-Depends: lib\n"),
                                           package("lib")};
  packages.push_back(read_control(
      "Package: lib\nVersion: 1\nArchitecture: i386\nPre-Depends: app\n", "lib:i386=1"));
  const std::vector<DpkgCall> calls = dpkg_calls(packages, {});
  CHECK(calls == std::vector<DpkgCall>{{DpkgCall::What::unpack, {1}},
                                       {DpkgCall::What::configure, {1}},
                                       {DpkgCall::What::unpack, {0}},
                                       {DpkgCall::What::configure, {0}},
                                       {DpkgCall::What::unpack, {2}}});
}

}  // namespace lithify
