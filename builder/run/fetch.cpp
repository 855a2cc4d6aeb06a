#include "builder/run/fetch.h"

#include <fcntl.h>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"

#include "builder/run/fetched_tree.h"

namespace lithify {

using oci::Errc;
using oci::Error;

namespace {

constexpr const char* k_move_lock =
    "if it has changed on purpose: `lithify lock --update`";
constexpr const char* k_move_or_repacked =
    "`lithify lock --update`; or, if it is an archive that may only have been packed "
    "anew, `lithify build --allow-repacked`";

// What follows `prefix`; nullopt if `text` begins otherwise.
std::optional<std::string> after(std::string_view text, std::string_view prefix) {
  if (text.substr(0, prefix.size()) != prefix) return std::nullopt;
  return std::string(text.substr(prefix.size()));
}

void put_file(oci::Fd file, const std::string& name, const Fetch& fetch,
              oci::BlobStore& store) {
  try {
    const auto bytes =
        oci::verified(std::make_unique<oci::FileSource>(std::move(file), name),
                      fetch.expected, fetch.size, name);
    oci::put(store, *bytes);
  } catch (Error& e) {
    if (e.code() == Errc::mismatch) e.add_hint(k_move_lock);
    throw;
  }
}

void copy_local(const std::string& path, const Fetch& fetch, oci::BlobStore& store) {
  put_file(oci::open_file(path, O_RDONLY | O_NONBLOCK), path, fetch, store);
}

void copy_from_layout(const std::string& directory, const Fetch& fetch,
                      oci::BlobStore& store) {
  const std::string blob = "blobs/sha256/" + fetch.expected.hex();
  const oci::Fd root = oci::open_file(directory, O_RDONLY | O_DIRECTORY);
  oci::Fd file = oci::during(
      [&] { return fmt::format("reading {} of the layout {}", blob, directory); },
      [&] { return oci::open_beneath(root, blob, O_RDONLY | O_NONBLOCK); });
  put_file(std::move(file), directory + '/' + blob, fetch, store);
}

// "<source>/<pool path>", where a source's key may hold slashes itself.
std::vector<std::string> mirror_urls(const std::string& location,
                                     const Mirrors& mirrors) {
  std::vector<std::string> urls;
  for (const auto& [source, bases] : mirrors) {
    const auto path = after(location, source + '/');
    if (!path) continue;
    for (const std::string& base : bases)
      urls.push_back(base + (base.empty() || base.back() != '/' ? "/" : "") + *path);
  }
  return urls;
}

oci::Error offline(const std::string& what) {
  return Error(Errc::unavailable,
               fmt::format("{} is not in the store and cannot be fetched offline", what))
      .add_hint("build once without --offline");
}

void bring_from_registry(const std::string& repository, const Fetch& fetch,
                         const FetchTools& tools, oci::Activity& activity,
                         std::stop_token stop) {
  const std::string what =
      fmt::format("{} {} of {}", fetch.file_name, fetch.expected.brief(), repository);
  if (!tools.bring_blob) throw offline(what);
  oci::during([&] { return "fetching " + what; },
              [&] {
                tools.bring_blob(repository, {fetch.expected, fetch.size}, activity,
                                 std::move(stop));
              });
}

void download(std::vector<std::string> urls, const Fetch& fetch, const FetchTools& tools,
              oci::Activity& activity, std::stop_token stop) {
  if (!tools.downloader) throw offline(fetch.file_name);
  if (urls.empty()) {
    throw Error(Errc::bad_input, fmt::format("no mirror is known for {}", fetch.location))
        .add_hint("set LITHIFY_APT_MIRROR, or give the source a `uri`");
  }
  const bool package = after(fetch.location, "apt:").has_value();
  const oci::DownloadRequest request{std::move(urls),
                                     {fetch.expected, fetch.size},
                                     fetch.file_name,
                                     package ? k_move_lock : k_move_or_repacked};
  tools.downloader->fetch(request, activity, std::move(stop));
}

void bring(const Fetch& fetch, const FetchTools& tools, oci::Activity& activity,
           std::stop_token stop) {
  if (const auto path = after(fetch.location, "file:")) {
    copy_local(*path, fetch, tools.store);
  } else if (const auto directory = after(fetch.location, "layout:")) {
    copy_from_layout(*directory, fetch, tools.store);
  } else if (const auto repository = after(fetch.location, "image:")) {
    bring_from_registry(*repository, fetch, tools, activity, std::move(stop));
  } else if (const auto package = after(fetch.location, "apt:")) {
    download(mirror_urls(*package, tools.mirrors), fetch, tools, activity,
             std::move(stop));
  } else if (after(fetch.location, "http://") || after(fetch.location, "https://")) {
    download({fetch.location}, fetch, tools, activity, std::move(stop));
  } else {
    throw Error(Errc::internal,
                fmt::format("\"{}\" is no place to fetch from", fetch.location));
  }
}

}  // namespace

Tree perform_fetch(const Fetch& fetch, const FetchTools& tools, oci::Activity& activity,
                   std::stop_token stop) {
  if (!tools.store.has(fetch.expected)) bring(fetch, tools, activity, std::move(stop));
  return fetched_tree(fetch);
}

}  // namespace lithify
