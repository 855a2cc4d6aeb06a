// apt_index: fetch compressed, keep plain, so that the next look costs one read.
#include "builder/resolve/apt_index.h"

#include <algorithm>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/layer/decompress.h"
#include "oci/registry/download.h"

namespace lithify {

using oci::Errc;
using oci::Error;

namespace {

// The largest of Debian's is 60 MB.
constexpr std::uint64_t k_max_packages = 512 << 20;

constexpr const char* k_endings[] = {".xz", ".gz", ""};

bool contains(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

}  // namespace

std::vector<std::string> IndexLoader::load(const Release& release,
                                           const std::vector<std::string>& components,
                                           const std::string& architecture) {
  if (!contains(release.architectures, architecture)) {
    throw Error(Errc::not_found, fmt::format("the suite {} has no packages for {}",
                                             release.suite, architecture))
        .add_note(fmt::format("it has {}", fmt::join(release.architectures, ", ")));
  }
  std::vector<std::string> directories = {"binary-" + architecture};
  if (release.separate_all) directories.emplace_back("binary-all");
  std::vector<std::string> texts;
  for (const std::string& component : components) {
    for (const std::string& directory : directories)
      texts.push_back(load_one(release, component + "/" + directory));
  }
  return texts;
}

std::string IndexLoader::load_one(const Release& release, const std::string& directory) {
  const std::string plain_path = directory + "/Packages";
  const auto plain = release.files.find(plain_path);
  if (plain != release.files.end() && store.has(plain->second.digest))
    return oci::read_all(*store.open(plain->second), k_max_packages, plain_path);
  for (const char* ending : k_endings) {
    const auto file = release.files.find(plain_path + ending);
    if (file == release.files.end()) continue;
    const std::string at = release.base + "/dists/" + release.suite + "/";
    oci::DownloadRequest request{
        {at + file->first}, file->second, release.suite + " " + file->first, ""};
    if (release.by_hash) {
      request.urls.insert(request.urls.begin(), at + directory + "/by-hash/SHA256/" +
                                                    file->second.digest.hex());
    }
    oci::Downloader downloader(http, store, store.root() / "tmp" / "partial");
    downloader.fetch(request, activity, stop);
    const auto packages = oci::decompressed(store.open(file->second), oci::Filters::all,
                                            request.what, oci::ArchiveLimits());
    std::string text = oci::read_all(*packages, k_max_packages, request.what);
    if (plain != release.files.end()) {
      if (oci::Digest::of(text) != plain->second.digest)
        throw Error(Errc::mismatch, request.what + " unpacks to other bytes than signed");
      oci::put(store, text);
    }
    return text;
  }
  throw Error(Errc::not_found,
              fmt::format("the suite {} has no {}", release.suite, plain_path))
      .add_hint("look at `components:` of the source");
}

}  // namespace lithify
