// apt_index: fetch compressed, keep plain, so that the next look costs one read.
#include "builder/resolve/apt_index.h"

#include <algorithm>
#include <exception>

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/registry/download.h"

namespace lithify {

using oci::Errc;
using oci::Error;

namespace {

// The largest of Debian's is 60 MB.
constexpr std::uint64_t k_max_packages = 512 << 20;

struct FreeArchive {
  void operator()(archive* reader) const { archive_read_free(reader); }
};

// Feeds a Source to libarchive; what it throws waits until the C frames are gone.
struct Feed {
  oci::Source& from;
  std::vector<std::byte> buffer = std::vector<std::byte>(256 * 1024);
  std::exception_ptr failure = nullptr;

  static la_ssize_t read(archive* reader, void* self, const void** data) {
    Feed& feed = *static_cast<Feed*>(self);
    try {
      *data = feed.buffer.data();
      return static_cast<la_ssize_t>(feed.from.read(feed.buffer));
    } catch (...) {
      feed.failure = std::current_exception();
      archive_set_error(reader, -1, "%s", "the source failed");
      return -1;
    }
  }
};

constexpr const char* k_endings[] = {".xz", ".gz", ""};

bool contains(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

}  // namespace

std::string decompress(oci::Source& from, std::uint64_t limit, const std::string& what) {
  const std::unique_ptr<archive, FreeArchive> reader(archive_read_new());
  if (!reader) throw Error(Errc::machine, "libarchive has no memory");
  Feed feed{from};
  const auto check = [&](int code) {
    if (code >= ARCHIVE_WARN) return;
    if (feed.failure) std::rethrow_exception(feed.failure);
    const char* why = archive_error_string(reader.get());
    throw Error(Errc::bad_input, fmt::format("{} cannot be decompressed: {}", what,
                                             why == nullptr ? "no reason given" : why));
  };
  check(archive_read_support_filter_xz(reader.get()));
  check(archive_read_support_filter_gzip(reader.get()));
  check(archive_read_support_format_raw(reader.get()));
  check(archive_read_support_format_empty(reader.get()));
  check(archive_read_open(reader.get(), &feed, nullptr, &Feed::read, nullptr));
  archive_entry* entry = nullptr;
  const int header = archive_read_next_header(reader.get(), &entry);
  std::string text;
  if (header == ARCHIVE_EOF) return text;
  check(header);
  while (true) {
    const std::size_t before = text.size();
    text.resize(before + (1 << 20));
    const la_ssize_t got = archive_read_data(reader.get(), text.data() + before, 1 << 20);
    check(static_cast<int>(std::min<la_ssize_t>(got, 0)));
    text.resize(before + static_cast<std::size_t>(got));
    if (got == 0) return text;
    if (text.size() > limit) {
      throw Error(Errc::bad_input, fmt::format("{} has more than {} bytes", what, limit));
    }
  }
}

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
    std::string text =
        decompress(*store.open(file->second), k_max_packages, request.what);
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
