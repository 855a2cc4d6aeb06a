// cache_archive: a stranger's archive goes nowhere but into caches.
#include <cstdio>
#include <functional>

#include "oci/layer/tar.h"

#include "builder/caches/cache_archive.h"

#include "tests/builder/caches/cache_store.h"
#include "tests/support/golden.h"

using namespace cache_test;
using lithify::CacheIndex;
using oci::Entry;
using oci::FileType;

namespace {

// A tar that says what it is told.
class Forged {
 public:
  explicit Forged(const std::string& index = R"({"caches":[{"id":"c"}],"format":1})") {
    file(std::string(CacheIndex::k_member), index);
  }
  Forged& add(const Entry& entry) {
    tar_ += oci::tar_header(entry, oci::TarOf::files);
    return *this;
  }
  Forged& directory(const std::string& path) {
    return add(of(path, FileType::directory));
  }
  Forged& file(const std::string& path, const std::string& text) {
    Entry entry = of(path, FileType::regular);
    entry.size = text.size();
    add(entry);
    tar_ += text + std::string(oci::tar_padding(text.size()), '\0');
    return *this;
  }
  Forged& link(const std::string& path, FileType type, const std::string& to) {
    Entry entry = of(path, type);
    entry.link = to;
    return add(entry);
  }
  // What no Entry may have is written over: the name of the last member.
  Forged& renamed(const std::string& name) {
    const std::size_t header = tar_.size() - 512;
    std::fill_n(tar_.begin() + static_cast<std::ptrdiff_t>(header), 100, '\0');
    std::copy(name.begin(), name.end(),
              tar_.begin() + static_cast<std::ptrdiff_t>(header));
    return summed(header);
  }
  Forged& linked(const std::string& to) {
    const std::size_t header = tar_.size() - 512;
    std::fill_n(tar_.begin() + static_cast<std::ptrdiff_t>(header + 157), 100, '\0');
    std::copy(to.begin(), to.end(),
              tar_.begin() + static_cast<std::ptrdiff_t>(header + 157));
    return summed(header);
  }
  std::string text() const { return tar_ + std::string(1024, '\0'); }
  std::string cut() const { return tar_; }

  static Entry of(const std::string& path, FileType type) {
    Entry entry;
    entry.path = path;
    entry.type = type;
    entry.attributes = {0755, 0, 0, 1'000'000'000, {}};
    return entry;
  }

 private:
  Forged& summed(std::size_t header) {
    std::fill_n(tar_.begin() + static_cast<std::ptrdiff_t>(header + 148), 8, ' ');
    unsigned sum = 0;
    for (std::size_t at = header; at < header + 512; ++at)
      sum += static_cast<unsigned char>(tar_[at]);
    char digits[8] = {};
    std::snprintf(digits, sizeof digits, "%06o", sum);
    std::copy_n(digits, 7, tar_.begin() + static_cast<std::ptrdiff_t>(header + 148));
    return *this;
  }
  std::string tar_;
};

}  // namespace

TEST_CASE("hostile archives are refused by name, and nothing of them stays") {
  struct Case {
    const char* title;
    std::string archive;
  };
  const std::string c = "caches/c";
  const auto begun = [&] { return Forged().directory(c); };
  const auto device = [&](FileType type) {
    return begun().add(Forged::of(c + "/x", type)).text();
  };
  const std::vector<Case> cases = {
      {"nothing at all", ""},
      {"no archive", "this is a text, and a short one"},
      {"another tar", oci::tar_header(Forged::of("blobs", FileType::directory)) +
                          std::string(1024, '\0')},
      {"no JSON", Forged("no JSON").text()},
      {"no format", Forged(R"({"caches":[]})").text()},
      {"an older format", Forged(R"({"caches":[],"format":0})").text()},
      {"a newer format", Forged(R"({"format":2,"stuff":[]})").text()},
      {"a name that leads out", Forged(R"({"caches":[{"id":".."}],"format":1})").text()},
      {"a number", Forged(R"({"caches":[{"id":"c","number":64}],"format":1})").text()},
      {"twice the same",
       Forged(R"({"caches":[{"id":"c"},{"id":"c"}],"format":1})").text()},
      {"a cache without members", Forged().text()},
      {"cut off between members", begun().file(c + "/x", "x").cut()},
      {"cut off in a member",
       begun().file(c + "/x", std::string(2000, 'x')).cut().substr(0, 3000)},
      {"a member of no cache", begun().file("caches/d/x", "x").text()},
      {"a file before its cache", Forged().file(c + "/x", "x").text()},
      {"a cache that is a file", Forged().file(c, "x").text()},
      {"a cache that is a symlink", Forged().link(c, FileType::symlink, "/etc").text()},
      {"a cache twice", begun().directory(c).text()},
      {"a way out", begun().directory(c + "/x").renamed(c + "/../../x/").text()},
      {"a way out by a slash", begun().directory(c + "/x").renamed("/etc/x/").text()},
      {"no order", begun().file(c + "/b", "").file(c + "/a", "").text()},
      {"a name twice", begun().file(c + "/a", "").file(c + "/a", "").text()},
      {"no parent", begun().file(c + "/a/b", "").text()},
      {"a file as parent", begun().file(c + "/a", "").file(c + "/a/b", "").text()},
      {"a symlink as parent",
       begun().link(c + "/a", FileType::symlink, "/tmp").file(c + "/a/b", "").text()},
      {"a link to nothing", begun().link(c + "/b", FileType::hardlink, c + "/a").text()},
      {"a link to a directory",
       begun().directory(c + "/a").link(c + "/b", FileType::hardlink, c + "/a").text()},
      {"a link to a symlink", begun()
                                  .link(c + "/a", FileType::symlink, "/etc/passwd")
                                  .link(c + "/b", FileType::hardlink, c + "/a")
                                  .text()},
      {"a link through a symlink",
       begun()
           .link(c + "/a", FileType::symlink, "/etc")
           .link(c + "/b", FileType::hardlink, c + "/a/passwd")
           .text()},
      {"a link out", begun()
                         .file(c + "/a", "")
                         .link(c + "/b", FileType::hardlink, c + "/a")
                         .linked("../../../etc/passwd")
                         .text()},
      {"a link to another cache",
       Forged(R"({"caches":[{"id":"b"},{"id":"c"}],"format":1})")
           .directory("caches/b")
           .file("caches/b/x", "")
           .directory(c)
           .link(c + "/x", FileType::hardlink, "caches/b/x")
           .text()},
      {"a device", device(FileType::char_device)},
      {"a disk", device(FileType::block_device)},
      {"a pipe", device(FileType::fifo)},
  };
  Store store;
  write(store.cache("c").data() / "mine", "mine");
  std::string all;
  for (const Case& one : cases) {
    all += std::string(one.title) + "\n" + refusal(store, one.archive) + "\n";
    CHECK(names_below(store.cache("c").data()) == std::vector<std::string>{"mine"});
    CHECK(store.left_nothing());
  }
  CHECK(all.find("no refusal") == std::string::npos);
  check_golden("caches/hostile.txt", all);
}

TEST_CASE("limits hold for everything together") {
  const std::string archive = Forged()
                                  .directory("caches/c")
                                  .file("caches/c/a", "12345")
                                  .file("caches/c/b", "12345")
                                  .text();
  const auto read = [&](const oci::ArchiveLimits& limits) {
    CacheArchiveReader reader(std::make_unique<oci::StringSource>(archive), "a", limits);
    std::size_t members = 0;
    while (reader.next())
      ++members;
    return members;
  };
  oci::ArchiveLimits limits = CacheArchiveReader::limits();
  CHECK(read(limits) == 3);
  limits.entries = 3;
  limits.content = 10;
  limits.depth = 3;
  limits.path = 10;
  CHECK(read(limits) == 3);
  for (const auto& tighten : std::vector<std::function<void(oci::ArchiveLimits&)>>{
           [](auto& l) { l.entries = 2; }, [](auto& l) { l.content = 9; },
           [](auto& l) { l.depth = 2; }, [](auto& l) { l.path = 9; }}) {
    oci::ArchiveLimits tight = limits;
    tighten(tight);
    CHECK_THROWS_AS(read(tight), oci::Error);
  }
}
