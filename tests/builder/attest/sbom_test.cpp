// Inventory and the SBOMs written from it: who owns what, and the bytes.
#include "builder/attest/sbom.h"

#include <cstdlib>

#include <nlohmann/json.hpp>

#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/base/json.h"
#include "oci/store/memory_store.h"

#include "builder/attest/dpkg_database.h"
#include "builder/attest/sbom_text.h"

#include "tests/support/catch.h"

using namespace lithify;

namespace {

class Image {
 public:
  // A file with this text, which came from the package.
  static std::pair<std::string, std::string> from(std::string package, std::string text) {
    return {std::move(package), std::move(text)};
  }

  void add(Tree::Nodes& nodes, const std::string& path, const std::string& text,
           const std::string& origin = "") {
    add_implied_parents(nodes, path, k_constant_time);
    Node node;
    node.origin = origin;
    if (!text.empty()) {
      const oci::BlobRef blob = oci::put(store_, text);
      node.content = Slice{blob, 0, text.size()};
    }
    nodes.insert_or_assign(path, std::move(node));
  }
  oci::MemoryStore& store() { return store_; }

 private:
  oci::MemoryStore store_;
};

const std::string k_status =
    "Package: bash\nStatus: install ok installed\nArchitecture: amd64\n"
    "Maintainer: Jane Doe <jane@example.org>\nVersion: 5.2.15-2+b7\n"
    "Source: bash (5.2.15-2)\n\n"
    "Package: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n\n"
    "Package: libstdc++6\nStatus: install ok installed\nArchitecture: amd64\n"
    "Source: gcc-12\nVersion: 12.2.0-14\n\n";

const std::string k_copyright =
    "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n"
    "Files: *\nCopyright: FSF\nLicense: GPL-3+\n\nFiles: doc/*\nLicense: Latex2e\n";

LockedPackage locked(const std::string& name, const std::string& version) {
  return {name,
          "debian",
          "amd64",
          version,
          "pool/main/x/" + name + ".deb",
          7,
          oci::Digest::of(name)};
}

struct Example {
  Image image;
  Tree root;
  std::vector<ImagePart> parts;
  Lock lock;

  Example() {
    Tree::Nodes packages;
    image.add(packages, "usr/bin/bash", "#!", "bash");
    image.add(packages, "usr/lib/libstdc++.so.6", "elf", "libstdc++6");
    image.add(packages, "usr/share/doc/bash/copyright", k_copyright, "bash");
    image.add(packages, "usr/share/doc/libstdc++6/copyright", "GNU, see …\n",
              "libstdc++6");
    image.add(packages, "var/lib/dpkg/status", k_status);
    image.add(packages, "usr/lib/os-release",
              "PRETTY_NAME=\"D\"\nVERSION_ID=\"12\"\nID=debian\n");
    Tree::Nodes site;
    image.add(site, "srv/www/index.html", "<p>");
    image.add(site, "srv/www/empty", "");
    const Tree changes[] = {marked(Tree(std::move(packages)), 0),
                            marked(Tree(std::move(site)), 1)};
    root = merge(changes, false);
    parts = {{"packages bash",
              false,
              {"bash:amd64=5.2.15-2+b7", "libstdc++6:amd64=12.2.0-14"}},
             {"copy site to /srv/www", false, {}}};
    lock.packages = {locked("bash", "5.2.15-2+b7"), locked("libstdc++6", "12.2.0-14")};
  }
  Inventory inventory() { return take_inventory(root, parts, lock, image.store()); }
};

SbomSubject subject() {
  return {"hello",
          oci::Digest::of("manifest"),
          {"linux", "amd64", ""},
          "2023-01-01T00:00:00Z"};
}

using Writer = void (*)(const Inventory&, const SbomSubject&, SbomFiles, oci::Sink&);

std::string written(Writer write, const Inventory& inventory,
                    SbomFiles files = SbomFiles::list) {
  oci::StringSink text;
  write(inventory, subject(), files, text);
  return text.text;
}

void check_golden(const std::string& name, const std::string& text) {
  const std::string file =
      std::string(LITHIFY_SOURCE_DIR) + "/tests/golden/attest/" + name;
  if (std::getenv("LITHIFY_ACCEPT") != nullptr) {
    oci::write_file_atomically(file, text);
    WARN("accepted " << file);
    return;
  }
  INFO("golden file attest/" << name << "; LITHIFY_ACCEPT=1 rewrites it");
  CHECK(oci::read_file(file, 1 << 20) == text);
}

const InventoryFile& file_at(const Inventory& inventory, std::string_view path) {
  for (const InventoryFile& file : inventory.files) {
    if (file.path == path) return file;
  }
  FAIL("no file " << path);
  std::abort();
}

std::string owner_of(const Inventory& inventory, std::string_view path) {
  const InventoryFile& file = file_at(inventory, path);
  return file.package == Inventory::k_no_package ? inventory.parts[file.part].text
                                                 : inventory.packages[file.package].name;
}

}  // namespace

TEST_CASE("an inventory has the installed packages with what the lock knows of them") {
  const Inventory inventory = Example().inventory();
  REQUIRE(inventory.packages.size() == 2);
  const InventoryPackage& bash = inventory.packages[0];
  CHECK(bash.name == "bash");
  CHECK(bash.version == "5.2.15-2+b7");
  CHECK(bash.source_version == "5.2.15-2");
  CHECK(bash.maintainer == "Jane Doe <jane@example.org>");
  CHECK(bash.locked->sha256 == oci::Digest::of("bash"));
  CHECK(bash.copyright_file == "usr/share/doc/bash/copyright");
  CHECK(bash.licence->expression == "GPL-3.0-or-later AND LicenseRef-bash-Latex2e");
  const InventoryPackage& cxx = inventory.packages[1];
  CHECK(cxx.source == "gcc-12");
  CHECK(cxx.source_version == "12.2.0-14");
  CHECK_FALSE(cxx.licence.has_value());
  CHECK(cxx.copyright_file == "usr/share/doc/libstdc++6/copyright");
  CHECK(inventory.system == "debian");
  CHECK(inventory.system_version == "12");
  CHECK(package_url(inventory, cxx) ==
        "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14?arch=amd64&distro=debian-12");
}

TEST_CASE("every file is owned by a package or the step that brought it") {
  const Inventory inventory = Example().inventory();
  CHECK(inventory.files.size() == 8);
  CHECK(owner_of(inventory, "usr/bin/bash") == "bash");
  CHECK(owner_of(inventory, "usr/lib/libstdc++.so.6") == "libstdc++6");
  CHECK(owner_of(inventory, "var/lib/dpkg/status") == "packages bash");
  CHECK(owner_of(inventory, "srv/www/index.html") == "copy site to /srv/www");
  const InventoryFile& file = file_at(inventory, "srv/www/index.html");
  CHECK(hex_of(file.sha1) == "63ada55c0ba212a5b1f8d5a70890788f00972bf4");
  CHECK(hex_of(file.sha256) == oci::Digest::of("<p>").hex());
  CHECK(hex_of(file_at(inventory, "srv/www/empty").sha1) ==
        "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}

TEST_CASE("what a step copies out of a package is the step's own") {
  Example example;
  Tree::Nodes copied;
  example.image.add(copied, "opt/tool", "#!", "sometool");
  const Tree changes[] = {example.root, marked(Tree(std::move(copied)), 1)};
  example.root = merge(changes, false);
  CHECK(owner_of(example.inventory(), "opt/tool") == "copy site to /srv/www");
}

TEST_CASE("files of a base belong to the packages whose lists name them") {
  Image image;
  Tree::Nodes base;
  const std::string all = "Architecture: all\nVersion: 1\nStatus: install ok installed\n";
  image.add(base, "var/lib/dpkg/status", "Package: tool\n" + all);
  image.add(base, "var/lib/dpkg/info/tool.list", "/.\n/bin\n/bin/tool\n/etc/tool.conf\n");
  image.add(base, "usr/bin/tool", "#!");
  image.add(base, "etc/tool.conf", "a=1");
  image.add(base, "etc/hostname", "x");
  image.add(base, "var/lib/dpkg/status.d/static",
            "Package: static\nArchitecture: amd64\nVersion: 2\n");
  image.add(base, "var/lib/dpkg/status.d/static.md5sums",
            std::string(32, 'a') + "  usr/bin/static\n");
  image.add(base, "usr/bin/static", "elf");
  Node link;
  link.type = oci::FileType::symlink;
  link.link = "usr/bin";
  base.emplace("bin", link);
  Tree::Nodes step;
  image.add(step, "etc/tool.conf", "a=2");
  const Tree changes[] = {Tree(std::move(base)), marked(Tree(std::move(step)), 1)};
  const Inventory inventory =
      take_inventory(merge(changes, false),
                     {{"debian@sha256:0", true, {}}, {"file /etc/tool.conf", false, {}}},
                     Lock(), image.store());
  REQUIRE(inventory.packages.size() == 2);
  CHECK(inventory.parts[inventory.packages[1].part].is_base);
  CHECK(owner_of(inventory, "usr/bin/tool") == "tool");
  CHECK(owner_of(inventory, "usr/bin/static") == "static");
  CHECK(owner_of(inventory, "etc/hostname") == "debian@sha256:0");
  CHECK(owner_of(inventory, "etc/tool.conf") == "file /etc/tool.conf");
}

TEST_CASE("packages of a step are listed even where their database is gone") {
  Example example;
  Tree::Nodes nodes = example.root.nodes();
  nodes.erase("var/lib/dpkg/status");
  example.root = Tree(std::move(nodes));
  CHECK(example.inventory().packages.size() == 2);
}

TEST_CASE("a database that cannot be read is no silence") {
  const auto refuses = [](const std::string& status) {
    Image image;
    Tree::Nodes nodes;
    image.add(nodes, "var/lib/dpkg/status", status);
    CHECK_THROWS_AS(read_database(Tree(std::move(nodes)), image.store()), oci::Error);
  };
  refuses("this is no database\n");
  refuses("Package: a\nVersion: 1\n");
  refuses("Version: 1\nArchitecture: all\n");
  refuses(std::string("Package: a\0\n", 12));
}

TEST_CASE("an SBOM has the bytes it is meant to have") {
  const Inventory inventory = Example().inventory();
  check_golden("hello.spdx.json", written(write_spdx, inventory));
  check_golden("hello.cdx.json", written(write_cyclonedx, inventory));
}

TEST_CASE("an SBOM is canonical JSON, twice the same") {
  for (const Writer write : {write_spdx, write_cyclonedx}) {
    for (const SbomFiles files : {SbomFiles::list, SbomFiles::leave_out}) {
      const std::string text = written(write, Example().inventory(), files);
      CHECK(text == oci::canonical_json(oci::parse_json(text, "SBOM")));
      CHECK(text == written(write, Example().inventory(), files));
    }
  }
}

TEST_CASE("an SBOM without its files says so") {
  const Inventory inventory = Example().inventory();
  const std::string spdx = written(write_spdx, inventory, SbomFiles::leave_out);
  CHECK(spdx.find("the 8 files of the image are left out") != std::string::npos);
  CHECK(spdx.find("index.html") == std::string::npos);
  CHECK(spdx.find("\"filesAnalyzed\":true") == std::string::npos);
  const std::string cyclonedx = written(write_cyclonedx, inventory, SbomFiles::leave_out);
  CHECK(cyclonedx.find("8 left out") != std::string::npos);
  CHECK(cyclonedx.find("index.html") == std::string::npos);
}

TEST_CASE("names that are no text are written so that they can be told apart") {
  CHECK(json_text("plain %41 über") == "plain %41 über");
  CHECK(json_text("caf\xe9 100%") == "caf%E9 100%25");
  CHECK(json_text("\xc0\xaf") == "%C0%AF");
  CHECK(json_text("\xed\xa0\x80") == "%ED%A0%80");
  CHECK(json_text("\xf4\x90\x80\x80") == "%F4%90%80%80");
}

TEST_CASE("members out of order are a mistake of ours") {
  oci::StringSink text;
  ObjectWriter writer(text);
  writer.member("b", 1);
  CHECK_THROWS_AS(writer.member("a", 1), oci::Error);
}
