// Reading .debs: real shape, every refusal, and streams that end too early.
#include "builder/debian/deb_archive.h"

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/base/worker_pool.h"
#include "oci/layer/layer_writer.h"
#include "oci/store/memory_store.h"

#include "builder/debian/debian_install.h"

#include "tests/support/catch.h"

namespace lithify {
namespace {

using oci::Compression;
using oci::Entry;
using oci::FileType;

std::string member(std::string_view name, std::string_view bytes) {
  std::string text = fmt::format("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", name, 0, 0, 0,
                                 "100644", bytes.size());
  text += bytes;
  if (bytes.size() % 2 != 0) text += '\n';
  return text;
}

struct File {
  Entry entry;
  std::string text;
};

std::string tar(const std::vector<File>& files,
                Compression compression = Compression::none) {
  oci::MemoryStore store;
  oci::WorkerPool workers(1);
  oci::LayerWriter writer(store, compression, workers);
  for (const File& file : files) {
    Entry entry = file.entry;
    entry.size = file.text.size();
    if (entry.type == FileType::regular) {
      oci::StringSource source(file.text);
      writer.add(entry, source);
    } else {
      writer.add(entry);
    }
  }
  const oci::Layer layer = std::move(writer).finish();
  const auto source = store.open({layer.blob.digest, layer.blob.size});
  return oci::read_all(*source, 1 << 20, "layer");
}

File file(std::string path, std::string text, std::uint32_t mode = 0644) {
  File made;
  made.entry.path = std::move(path);
  made.entry.attributes.mode = mode;
  made.entry.attributes.mtime = 1600000000;
  made.text = std::move(text);
  return made;
}

File link(std::string path, std::string to, FileType type) {
  File made = file(std::move(path), "");
  made.entry.type = type;
  made.entry.link = std::move(to);
  return made;
}

std::string control() {
  return tar({file("control", "Package: a\n")});
}

std::string deb(const std::string& members) {
  return "!<arch>\n" + member("debian-binary", "2.0\n") + members;
}

Tree unpack(const std::string& bytes, oci::BlobStore& store) {
  oci::SilentReporter reporter;
  oci::Activity activity(reporter, "test");
  Tree::Nodes nodes;
  Node node;
  const oci::BlobRef blob = oci::put(store, bytes);
  node.content = Slice{blob, 0, blob.size};
  nodes["a.deb"] = node;
  return unpack_deb({0, "a"}, Tree(nodes), {store, activity, 0, 0, {}});
}

std::string refusal(const std::string& bytes) {
  oci::MemoryStore store;
  try {
    unpack(bytes, store);
  } catch (const oci::Error& error) {
    CHECK(error.code() == oci::Errc::bad_input);
    CHECK(!error.context().empty());
    return error.what();
  }
  return "(accepted)";
}

}  // namespace

TEST_CASE("a package becomes nodes below control and data, and one blob") {
  oci::MemoryStore store;
  const std::vector<File> files = {file("usr/bin/a", "hello", 04755),
                                   link("usr/bin/b", "usr/bin/a", FileType::hardlink),
                                   link("usr/bin/c", "a", FileType::symlink),
                                   file("usr/empty", "")};
  for (const auto& [suffix, compression] :
       std::vector<std::pair<std::string, Compression>>{{"", Compression::none},
                                                        {".gz", Compression::gzip},
                                                        {".zst", Compression::zstd}}) {
    CAPTURE(suffix);
    const Tree tree = unpack(deb(member("control.tar", control()) +
                                 member("data.tar" + suffix, tar(files, compression))),
                             store);
    const Node* a = tree.find("data/usr/bin/a");
    REQUIRE(a != nullptr);
    CHECK(a->attributes.mode == 04755);
    CHECK(a->attributes.mtime == 1600000000);
    CHECK(a->origin == "a");
    const Slice& slice = std::get<Slice>(a->content.value());
    CHECK(oci::read_all(*open_content(slice, store), 100, "a") == "hello");
    CHECK(slice.offset == std::string("Package: a\n").size());
    const Node* b = tree.find("data/usr/bin/b");
    REQUIRE(b != nullptr);
    CHECK(b->file_id != 0);
    CHECK(b->file_id == a->file_id);
    CHECK(tree.find("data/usr/bin/c")->link == "a");
    CHECK(size_of(tree.find("data/usr/empty")->content.value()) == 0);
    CHECK(tree.find("data/usr")->implied);
    REQUIRE(tree.find("control/control") != nullptr);
    check_sound(tree.nodes());
  }
}

TEST_CASE("what is no .deb is refused with its reason") {
  const std::string good = member("control.tar", control());
  const std::string data = member("data.tar", tar({file("f", "x")}));
  CHECK(refusal("") == "the package is no ar archive");
  CHECK(refusal("!<arch>\n") == "the package is empty");
  CHECK(refusal("!<arch>\n" + good) ==
        "the package's first member is 'control.tar', not debian-binary");
  CHECK(refusal("!<arch>\n" + member("debian-binary", "3.0\n") + good + data) ==
        "the package's format is not 2.0");
  CHECK(refusal(deb("")) == "the package has no control.tar");
  CHECK(refusal(deb(good)) == "the package has no data.tar");
  CHECK(refusal(deb(data + good)) ==
        "the package has a member 'data.tar' where control.tar belongs");
  CHECK(refusal(deb(good + data + data)) ==
        "the package has an unexpected member 'data.tar'");
  CHECK(refusal(deb(good + member("data.tar.rar", "x"))) ==
        "the package has a member 'data.tar.rar' where data.tar belongs");
  CHECK(refusal(deb(member("control.tar.bz2", "BZh") + data)) ==
        "the package has a member 'control.tar.bz2' where control.tar belongs");
  CHECK(refusal(deb(good + member("data.tar.xz", tar({file("f", "x")})))) ==
        "the package's member data.tar.xz is not in the format its name says");
  CHECK(refusal(deb(good + member("data.tar", "PK\3\4"))) ==
        "the package's member data.tar is not in the format its name says");
  CHECK(refusal(deb(member("_ignored", "x") + good + data + member("_sig", "y"))) ==
        "(accepted)");
}

TEST_CASE("packages that end early or whose headers lie are refused") {
  const std::string whole =
      deb(member("control.tar", control()) +
          member("data.tar.zst",
                 tar({file("f", std::string(5000, 'x'))}, Compression::zstd)));
  for (std::size_t cut = 8; cut + 1 < whole.size(); cut += 37) {
    CAPTURE(cut);
    CHECK(refusal(whole.substr(0, cut)) != "(accepted)");
  }
  // The ar member is whole, the stream in it is not.
  for (const Compression compression : {Compression::gzip, Compression::zstd}) {
    const std::string data = tar({file("f", std::string(5000, 'x'))}, compression);
    const std::string name =
        compression == Compression::gzip ? "data.tar.gz" : "data.tar.zst";
    CHECK(refusal(deb(member("control.tar", control()) +
                      member(name, data.substr(0, data.size() - 5)))) != "(accepted)");
  }
  std::string lying = whole;
  lying.replace(8 + 48, 10, "99999999x ");
  CHECK(refusal(lying) == "an ar member has no decimal size");
  lying = whole;
  lying[8 + 58] = 'x';
  CHECK(refusal(lying) == "an ar member header is malformed");
}

TEST_CASE("control members are files and nothing else") {
  const std::string data = member("data.tar", tar({file("f", "x")}));
  const std::string linked = tar(
      {file("control", "Package: a\n"), link("postinst", "/bin/sh", FileType::symlink)});
  CHECK(refusal(deb(member("control.tar", linked) + data)) ==
        "the control member 'postinst' is no file");
}

}  // namespace lithify
