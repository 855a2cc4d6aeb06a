// outsiders: other people's programs judge our layers. Those not installed are left out.
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>

#include "oci/base/fd.h"

#include "tests/oci/layer/layer_doubles.h"
#include "tests/support/catch.h"

using layer_test::entry;
using layer_test::File;
using layer_test::file;
using oci::Compression;
using oci::FileType;

namespace {

namespace fs = std::filesystem;

// Gone when the test is.
class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "lithify-test-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path_); }
  fs::path operator/(const char* name) const { return path_ / name; }

 private:
  fs::path path_;
};

bool runs(const std::string& command) {
  return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
}

bool installed(const std::string& program) {
  if (runs("command -v " + program)) return true;
  WARN(program << " is not installed");
  return false;
}

const std::string k_long(120, 'n');

std::vector<File> files() {
  File odd = file("caf\xe9", "latin");
  odd.entry.attributes.mtime = -5;
  return {{entry("", FileType::directory)},
          {entry("a", FileType::directory)},
          file("a/" + k_long, "long"),
          {entry("a/z-hard", FileType::hardlink, "a/" + k_long)},
          file("big", layer_test::text_of(9'000'000, 5)),
          odd,
          {entry("soft", FileType::symlink, "../" + k_long)}};
}

}  // namespace

TEST_CASE("gzip and zstd find nothing wrong with our blobs") {
  const Folder folder;
  const auto blob = folder / "blob";
  for (const auto& [compression, program] :
       {std::pair{Compression::gzip, "gzip"}, {Compression::zstd, "zstd"}}) {
    oci::write_file_atomically(blob, write(files(), compression).blob);
    if (installed(program)) {
      CHECK(runs(fmt::format("{} -t < {}", program, blob.string())));
    }
  }
}

TEST_CASE("GNU tar and bsdtar unpack what we meant") {
  for (const char* program : {"tar", "bsdtar"}) {
    if (!installed(program)) continue;
    const Folder folder;
    oci::write_file_atomically(folder / "l.tar", write(files(), Compression::none).blob);
    fs::create_directory(folder / "out");
    CHECK(runs(fmt::format("LC_ALL=C.UTF-8 {} -xf {} -C {}", program,
                           (folder / "l.tar").string(), (folder / "out").string())));
    const fs::path out = folder / "out";
    CHECK(oci::read_file(out / "a" / k_long, 10) == "long");
    CHECK(fs::equivalent(out / "a/z-hard", out / "a" / k_long));
    CHECK(oci::read_file(out / "caf\xe9", 10) == "latin");
    CHECK(fs::read_symlink(out / "soft") == "../" + k_long);
    CHECK(fs::file_size(out / "big") == 9'000'000);
  }
}
