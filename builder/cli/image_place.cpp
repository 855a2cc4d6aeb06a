#include "builder/cli/image_place.h"

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/image/archive.h"
#include "oci/image/layout.h"
#include "oci/image/referring_repository.h"

#include "builder/tell/text.h"

namespace lithify {

namespace {

namespace fs = std::filesystem;
using Kind = ImagePlace::Kind;

struct Prefix {
  std::string_view text;
  Kind kind;
};
constexpr Prefix k_prefixes[] = {{"oci:", Kind::layout},
                                 {"oci-archive:", Kind::oci_archive},
                                 {"docker-archive:", Kind::docker_archive},
                                 {"store:", Kind::store},
                                 {"docker://", Kind::registry}};

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}
bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

bool looks_like_path(const std::string& text) {
  return starts_with(text, "/") || starts_with(text, "./") || starts_with(text, "../") ||
         text == "." || text == "..";
}

bool is_there(const fs::path& path) {
  std::error_code problem;
  return fs::exists(path, problem);
}

// "PATH:NAME": the colon that counts is the last one behind the last slash, unless the
// whole is there as a file.
std::pair<fs::path, std::string> split(const std::string& text) {
  const std::size_t slash = text.rfind('/');
  const std::size_t colon = text.rfind(':');
  const bool named = colon != std::string::npos &&
                     (slash == std::string::npos || colon > slash) && colon > 0;
  if (!named || is_there(text)) return {text, ""};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

ImagePlace at_path(Kind kind, const std::string& text) {
  ImagePlace place;
  place.kind = kind;
  std::tie(place.path, place.name) = split(text);
  if (place.path.empty()) {
    throw oci::Error(oci::Errc::bad_input, "a place for an image needs a path");
  }
  return place;
}

ImagePlace at_registry(const std::string& text) {
  ImagePlace place;
  place.reference = oci::Reference::parse(text);
  return place;
}

std::optional<ImagePlace> with_prefix(const std::string& text) {
  for (const Prefix& prefix : k_prefixes) {
    if (!starts_with(text, prefix.text)) continue;
    const std::string rest = text.substr(prefix.text.size());
    if (prefix.kind == Kind::registry) return at_registry(rest);
    if (prefix.kind != Kind::store) return at_path(prefix.kind, rest);
    ImagePlace place;
    place.kind = Kind::store;
    place.name = rest;
    return place;
  }
  return std::nullopt;
}

// Without those of signatures.
std::vector<std::string> image_names(const oci::Repository& images) {
  std::vector<std::string> names = images.tags();
  std::erase_if(names,
                [](const std::string& name) { return oci::is_attachment_tag(name); });
  return names;
}

// Why `place` without a name is no answer.
oci::Error not_one(const std::string& place, const oci::Repository& images) {
  std::string names;
  for (const std::string& name : image_names(images))
    names += (names.empty() ? "" : ", ") + visible(name);
  if (names.empty()) {
    return oci::Error(oci::Errc::not_found, place + " holds no image that has a name");
  }
  return oci::Error(oci::Errc::bad_input, place + " holds several images")
      .add_hint(fmt::format("write `{}:NAME`; the names are {}", place, names));
}

FoundImage find_in(std::unique_ptr<oci::Repository> images, ImagePlace place) {
  const oci::Descriptor root = find_in_layout(place, *images);
  oci::Repository* const pointer = images.get();
  return {std::move(images), pointer, root};
}

FoundImage find_in_layout_directory(const ImagePlace& place) {
  auto layout = oci::open_layout(place.path);
  const oci::ReferringRepository* const pointer = layout.get();
  FoundImage found = find_in(std::move(layout), place);
  found.referring = pointer;
  return found;
}

FoundImage find_in_store(Session& session, const ImagePlace& place) {
  const auto root = session.images().resolve(place.name);
  if (root) return {nullptr, &session.images(), *root};
  throw oci::Error(oci::Errc::not_found,
                   "there is no image `" + place.name + "`, as a file or in the store")
      .add_hint("`lithify cache ls` lists the names in the store");
}

FoundImage find_at_registry(Session& session, const oci::Reference& reference) {
  auto client = session.registries().open(reference.name(), oci::Access::pull);
  const oci::Descriptor root = root_at(*client, reference);
  oci::RegistryClient* const pointer = client.get();
  return {std::move(client), pointer, root, pointer, pointer};
}

}  // namespace

std::string ImagePlace::str() const {
  if (kind == Kind::registry) return reference->str();
  if (kind == Kind::store) return "store:" + name;
  return path.string() + (name.empty() ? "" : ":" + name);
}

ImagePlace parse_place(Session& session, const std::string& text) {
  if (auto place = with_prefix(text)) return std::move(*place);
  ImagePlace place = at_path(Kind::layout, text);
  if (looks_like_path(text) || is_there(place.path)) {
    std::error_code problem;
    if (!fs::is_directory(place.path, problem)) place.kind = Kind::oci_archive;
    return place;
  }
  if (session.images().resolve(text)) {
    place.kind = Kind::store;
    place.name = text;
    return place;
  }
  if (text.find('/') == std::string::npos) {
    throw oci::Error(oci::Errc::not_found,
                     "there is no image `" + text + "`, as a file or in the store")
        .add_hint(fmt::format("`lithify cache ls` lists the names in the store; for "
                              "docker.io write `docker://{}`",
                              text));
  }
  return at_registry(text);
}

ImagePlace parse_destination(const std::string& text) {
  if (auto place = with_prefix(text)) return std::move(*place);
  if (looks_like_path(text) || is_there(split(text).first)) {
    const ImagePlace place = at_path(Kind::layout, text);
    const bool archive = ends_with(place.path.string(), ".tar");
    return at_path(archive ? Kind::oci_archive : Kind::layout, text);
  }
  return at_registry(text);
}

oci::Reference parse_reference(std::string text) {
  constexpr std::string_view k_scheme = "docker://";
  if (starts_with(text, k_scheme)) text.erase(0, k_scheme.size());
  return oci::Reference::parse(text);
}

oci::Descriptor root_at(const oci::RegistryClient& client,
                        const oci::Reference& reference) {
  const auto root =
      client.resolve(reference.digest ? reference.digest->str() : reference.tag);
  if (root) return *root;
  throw oci::Error(oci::Errc::not_found,
                   fmt::format("there is no image {}", reference.str()))
      .add_hint(fmt::format("`lithify doctor {}` shows who was asked, and as whom",
                            reference.str()));
}

oci::Descriptor find_in_layout(ImagePlace& place, const oci::Repository& images) {
  auto root = images.resolve(place.name);
  const std::vector<std::string> names = image_names(images);
  if (place.name.empty() && names.size() == 1) {
    if (!root) root = images.resolve(names.front());
    if (root && root == images.resolve(names.front())) place.name = names.front();
  }
  if (root) return *root;
  if (place.name.empty()) throw not_one(place.path.string(), images);
  throw oci::Error(oci::Errc::not_found,
                   fmt::format("{} has no image `{}`", place.path.string(), place.name));
}

FoundImage find_image(Session& session, const ImagePlace& place) {
  switch (place.kind) {
    case Kind::layout:
      return find_in_layout_directory(place);
    case Kind::oci_archive:
    case Kind::docker_archive:
      return find_in(oci::open_archive(place.path), place);
    case Kind::store:
      return find_in_store(session, place);
    case Kind::registry:
      break;
  }
  return find_at_registry(session, *place.reference);
}

}  // namespace lithify
