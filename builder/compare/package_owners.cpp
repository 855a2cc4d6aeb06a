// package_owners: deb-control's stanzas, as far as names and versions go.
#include "builder/compare/package_owners.h"

#include "oci/base/error.h"
#include "oci/image/manifest.h"
#include "oci/layer/layer_reader.h"

namespace lithify {

namespace {

constexpr std::string_view k_database = "var/lib/dpkg/";
constexpr std::string_view k_status = "var/lib/dpkg/status";
constexpr std::string_view k_info = "var/lib/dpkg/info/";
constexpr std::string_view k_status_d = "var/lib/dpkg/status.d/";
constexpr std::size_t k_max_file = 32 << 20;
constexpr std::size_t k_max_bytes = 64 << 20;
constexpr std::size_t k_max_paths = 1'000'000;
constexpr std::size_t k_md5sum = 34;  // digits and two spaces

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}
bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

template <class Each>
void each_line(std::string_view text, Each each) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    each(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

// What follows "Name: "; empty: it is another field.
std::string_view field(std::string_view line, std::string_view name) {
  if (!starts_with(line, name)) return {};
  line.remove_prefix(name.size());
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  return line;
}

// "libc6:amd64.list" is of libc6.
std::string package_of(std::string_view file, std::string_view ending) {
  file.remove_suffix(ending.size());
  return std::string(file.substr(0, file.find(':')));
}

}  // namespace

bool PackageOwners::is_interesting(std::string_view path) {
  if (!starts_with(path, k_database)) return false;
  return path == k_status || starts_with(path, k_status_d) ||
         (starts_with(path, k_info) && ends_with(path, ".list"));
}

void PackageOwners::add(std::string_view path, std::string_view text) {
  if (!is_interesting(path) || bytes_ + text.size() > k_max_bytes) return;
  bytes_ += text.size();
  if (path == k_status) return add_status(text);
  const std::string_view file = path.substr(path.rfind('/') + 1);
  if (starts_with(path, k_info)) {
    add_paths(package_of(file, ".list"), text, 0);
  } else if (ends_with(file, ".md5sums")) {
    add_paths(package_of(file, ".md5sums"), text, k_md5sum);
  } else {
    add_status(text);
  }
}

void PackageOwners::add_status(std::string_view text) {
  std::string package;
  each_line(text, [&](std::string_view line) {
    if (line.empty()) package.clear();
    if (const auto name = field(line, "Package:"); !name.empty()) package = name;
    const auto version = field(line, "Version:");
    if (!version.empty() && !package.empty() && versions_.size() < k_max_paths)
      versions_[package] = version;
  });
}

void PackageOwners::add_paths(const std::string& package, std::string_view text,
                              std::size_t skip) {
  each_line(text, [&](std::string_view line) {
    line.remove_prefix(std::min(skip, line.size()));
    while (starts_with(line, "/") || starts_with(line, "./"))
      line.remove_prefix(line.front() == '/' ? 1 : 2);
    // Directories come first, once for every package; their owner matters little.
    if (!line.empty() && line != "." && owners_.size() < k_max_paths)
      owners_.insert_or_assign(std::string(line), package);
  });
}

std::string PackageOwners::owner_of(std::string_view path) const {
  auto found = owners_.find(path);
  if (found == owners_.end() && starts_with(path, "usr/"))
    found = owners_.find(path.substr(4));
  return found != owners_.end() ? found->second : "";
}

std::string PackageOwners::version_of(const std::string& package) const {
  const auto found = versions_.find(package);
  return found != versions_.end() ? found->second : "";
}

PackageOwners PackageOwners::read(const oci::Repository& images,
                                  const oci::Descriptor& manifest, std::stop_token stop) {
  PackageOwners owners;
  const auto document =
      oci::Manifest::parse(images.manifest(manifest), manifest.digest.str());
  for (const oci::Descriptor& layer : document.layers) {
    const auto reader = oci::read_layer(images.open({layer.digest, layer.size}),
                                        "layer " + layer.digest.brief());
    while (const auto entry = reader->next()) {
      if (stop.stop_requested()) throw oci::Cancelled();
      if (entry->type != oci::FileType::regular || entry->size > k_max_file) continue;
      if (!is_interesting(entry->path)) continue;
      // A later layer has the whole list again.
      if (entry->path == k_status) owners.versions_.clear();
      owners.add(entry->path, oci::read_all(reader->content(), k_max_file, entry->path));
    }
  }
  return owners;
}

}  // namespace lithify
