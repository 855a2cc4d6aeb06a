#include "builder/attest/inventory.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <tuple>

#include <fmt/format.h>
#include <openssl/evp.h>

#include "oci/base/error.h"
#include "oci/base/stream.h"

#include "builder/attest/dpkg_database.h"

namespace lithify {

namespace {

constexpr std::uint64_t k_max_copyright = std::uint64_t{4} << 20;
constexpr std::uint64_t k_max_os_release = std::uint64_t{64} << 10;
constexpr std::size_t k_unmarked = ~std::size_t{0};

// A part's number and the package, in a node's origin; no package has a slash in its
// name.
std::string mark(std::size_t part, std::string_view origin) {
  return fmt::format("{}/{}", part, origin);
}

struct Mark {
  std::size_t part = k_unmarked;
  std::string_view origin;
};

Mark read_mark(std::string_view text) {
  Mark mark;
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return mark;
  std::from_chars(text.data(), text.data() + slash, mark.part);
  mark.origin = text.substr(slash + 1);
  return mark;
}

// SHA-1 and SHA-256 of what goes by. SPDX demands the first; nothing here trusts it.
class TwoHashes final : public oci::Sink {
 public:
  TwoHashes() : sha1_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    if (!sha1_ || EVP_DigestInit_ex(sha1_.get(), EVP_sha1(), nullptr) != 1) {
      throw oci::Error(oci::Errc::machine,
                       "OpenSSL offers no SHA-1, which SPDX wants of every file");
    }
  }
  void write(oci::Bytes data) override {
    EVP_DigestUpdate(sha1_.get(), data.data(), data.size());
    sha256_.update(data);
  }
  void finish(InventoryFile& file) && {
    EVP_DigestFinal_ex(sha1_.get(), reinterpret_cast<unsigned char*>(file.sha1.data()),
                       nullptr);
    file.sha256 = std::move(sha256_).finish().raw();
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> sha1_;
  oci::Hasher sha256_;
};

// "ID=debian", perhaps in quotes; what has other characters in it is nobody's name.
std::string os_release_value(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.starts_with(key) || line.size() <= key.size() || line[key.size()] != '=')
      continue;
    line.remove_prefix(key.size() + 1);
    if (line.size() >= 2 && (line.front() == '"' || line.front() == '\'') &&
        line.back() == line.front()) {
      line = line.substr(1, line.size() - 2);
    }
    constexpr std::string_view k_plain = "abcdefghijklmnopqrstuvwxyz0123456789._-";
    if (line.find_first_not_of(k_plain) == std::string_view::npos && line.size() <= 64)
      return std::string(line);
  }
  return "";
}

using PackageKey = std::tuple<std::string, std::string, std::string>;

// "name:architecture=version"
PackageKey key_of(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::size_t equals = text.find('=', colon);
  if (colon == std::string_view::npos || equals == std::string_view::npos) {
    throw oci::Error(oci::Errc::internal,
                     fmt::format("`{}` names no installed package", text));
  }
  return {std::string(text.substr(0, colon)),
          std::string(text.substr(colon + 1, equals - colon - 1)),
          std::string(text.substr(equals + 1))};
}

class InventoryTaker {
 public:
  InventoryTaker(Tree root, std::vector<ImagePart> parts, const oci::BlobStore& store)
      : store_(store) {
    made_.root = std::move(root);
    made_.parts = std::move(parts);
    if (!made_.parts.empty() && made_.parts.front().is_base) base_ = 0;
  }

  Inventory take(const Lock& lock, const std::stop_token& stop) && {
    read_system();
    add_installed();
    add_found();
    sort_packages();
    for (InventoryPackage& package : made_.packages)
      read_copyright(package);
    find_locked(lock);
    index_packages();
    add_files(stop);
    return std::move(made_);
  }

 private:
  const Node* find(const std::string& path) const { return made_.root.find(path); }

  void read_system() {
    for (const char* path : {"etc/os-release", "usr/lib/os-release"}) {
      const auto text = read_text(made_.root, path, k_max_os_release, store_);
      if (!text) continue;
      made_.system = os_release_value(*text, "ID");
      made_.system_version = os_release_value(*text, "VERSION_ID");
      return;
    }
  }

  void add_installed() {
    for (std::size_t part = 0; part < made_.parts.size(); ++part) {
      for (const std::string& text : made_.parts[part].packages)
        package_at(key_of(text)).part = part;
    }
  }

  InventoryPackage& package_at(const PackageKey& key) {
    const auto [at, fresh] = by_key_.try_emplace(key);
    InventoryPackage& package = at->second;
    if (fresh) {
      std::tie(package.name, package.architecture, package.version) = key;
      package.source = package.name;
      package.source_version = package.version;
      package.part = k_unmarked;
    }
    return package;
  }

  void add_found() {
    for (DatabasePackage& found : read_database(made_.root, store_)) {
      InventoryPackage& package =
          package_at({found.name, found.architecture, found.version});
      if (!found.source.empty()) package.source = std::move(found.source);
      if (!found.source_version.empty())
        package.source_version = std::move(found.source_version);
      package.maintainer = std::move(found.maintainer);
      if (package.part == k_unmarked) package.part = part_of_database(package);
    }
  }

  // What brought dpkg's record of a package that no step has installed.
  std::size_t part_of_database(const InventoryPackage& package) const {
    const std::string records[] = {
        fmt::format("var/lib/dpkg/info/{}.list", package.name),
        fmt::format("var/lib/dpkg/info/{}:{}.list", package.name, package.architecture),
        fmt::format("var/lib/dpkg/status.d/{}", package.name)};
    for (const std::string& record : records) {
      if (const Node* node = find(record)) return part_of(*node);
    }
    return base_ == k_unmarked ? 0 : base_;
  }

  std::size_t part_of(const Node& node) const {
    const std::size_t part = read_mark(node.origin).part;
    if (part == k_unmarked && base_ == k_unmarked) {
      throw oci::Error(oci::Errc::internal, "a file that no step of the image has made");
    }
    return part == k_unmarked ? base_ : part;
  }

  void sort_packages() {
    for (auto& [key, package] : by_key_)
      made_.packages.push_back(std::move(package));
    by_key_.clear();
  }

  void read_copyright(InventoryPackage& package) {
    const auto path =
        made_.root.resolve(fmt::format("usr/share/doc/{}/copyright", package.name));
    const auto text =
        path ? read_text(made_.root, *path, k_max_copyright, store_) : std::nullopt;
    if (!text) return;
    package.copyright_file = *path;
    package.licence = read_licence(*text, package.name);
  }

  void find_locked(const Lock& lock) {
    std::map<PackageKey, const LockedPackage*> locked;
    for (const LockedPackage& one : lock.packages)
      locked.try_emplace({one.name, one.architecture, one.version}, &one);
    for (InventoryPackage& package : made_.packages) {
      const auto found =
          locked.find({package.name, package.architecture, package.version});
      if (found != locked.end() && !made_.parts[package.part].is_base)
        package.locked = *found->second;
    }
  }

  void index_packages() {
    for (std::size_t i = 0; i < made_.packages.size(); ++i) {
      const InventoryPackage& package = made_.packages[i];
      names_.try_emplace({package.part, package.name}, i);
      names_.try_emplace({package.part, package.name + ":" + package.architecture}, i);
    }
    lists_ = read_file_lists(made_.root, store_);
  }

  // The package that owns the node, if its part has one of that name.
  std::size_t package_of(const std::string& path, const Node& node,
                         std::size_t part) const {
    std::string name(read_mark(node.origin).origin);
    if (name.empty()) {
      const auto listed = lists_.find(path);
      if (listed == lists_.end()) return Inventory::k_no_package;
      name = listed->second;
    }
    const auto found = names_.find({part, name});
    return found == names_.end() ? Inventory::k_no_package : found->second;
  }

  void add_files(const std::stop_token& stop) {
    for (const auto& [path, node] : made_.root.nodes()) {
      if (node.type != oci::FileType::regular) continue;
      if (stop.stop_requested()) throw oci::Cancelled();
      InventoryFile file;
      file.path = path;
      file.part = part_of(node);
      file.package = package_of(path, node, file.part);
      TwoHashes hashes;
      if (node.content) oci::copy(*open_content(*node.content, store_), hashes);
      std::move(hashes).finish(file);
      made_.files.push_back(file);
    }
  }

  const oci::BlobStore& store_;
  Inventory made_;
  std::size_t base_ = k_unmarked;
  std::map<PackageKey, InventoryPackage> by_key_;
  std::map<std::pair<std::size_t, std::string>, std::size_t> names_;
  std::map<std::string, std::string> lists_;
};

}  // namespace

Tree marked(const Tree& change, std::size_t part) {
  Tree::Nodes nodes = change.nodes();
  for (auto& [path, node] : nodes)
    node.origin = mark(part, node.origin);
  return Tree(std::move(nodes));
}

Inventory take_inventory(Tree root, std::vector<ImagePart> parts, const Lock& lock,
                         const oci::BlobStore& store, std::stop_token stop) {
  return InventoryTaker(std::move(root), std::move(parts), store).take(lock, stop);
}

}  // namespace lithify
