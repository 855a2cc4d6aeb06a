// named_store: the build store as a repository; a tag is a small file.
#include <algorithm>
#include <cerrno>
#include <unistd.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/error.h"
#include "oci/base/json.h"
#include "oci/image/descriptor_json.h"
#include "oci/image/layout.h"
#include "oci/image/manifest_graph.h"
#include "oci/store/directory_store.h"
#include "oci/store/temporary_file.h"

namespace oci {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t k_max_name = 200;
constexpr std::uint64_t k_max_file = 64 * 1024;

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         c == '.' || c == '_' || c == '-';
}

// A file name for any tag: "a/b" is "a%2Fb". A dot in front is escaped too, which keeps
// "." and ".." and hidden files out.
std::string escape(std::string_view tag) {
  std::string name;
  for (const char c : tag) {
    if (is_plain(c) && !(c == '.' && name.empty())) {
      name += c;
    } else {
      name += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  if (name.empty() || name.size() > k_max_name) {
    throw Error(Errc::bad_input,
                fmt::format("`{}` is no name for an image in the store: 1 to {} "
                            "characters are allowed, others than A-Z a-z 0-9 . _ - "
                            "count three",
                            tag.substr(0, k_max_name), k_max_name));
  }
  return name;
}

// nullopt if escape() would not have written this.
std::optional<std::string> unescape(std::string_view name) {
  std::string tag;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] != '%') {
      tag += name[i];
      continue;
    }
    const std::string_view hex = name.substr(i + 1, 2);
    if (hex.size() != 2 ||
        hex.find_first_not_of("0123456789ABCDEF") != std::string_view::npos) {
      return std::nullopt;
    }
    tag += static_cast<char>(std::stoi(std::string(hex), nullptr, 16));
    i += 2;
  }
  if (tag.empty() || escape(tag) != name) return std::nullopt;
  return tag;
}

class NamedStore final : public Repository {
 public:
  explicit NamedStore(DirectoryStore& store)
      : store_(store), names_(store.root() / "names") {
    make_directories(names_);
  }

  bool has(const Digest& digest) const override { return store_.has(digest); }
  std::unique_ptr<Source> open(const BlobRef& blob) const override {
    return store_.open(blob);
  }
  std::unique_ptr<Source> open_range(const BlobRef& blob, std::uint64_t offset,
                                     std::uint64_t size) const override {
    return store_.open_range(blob, offset, size);
  }
  std::unique_ptr<BlobWriter> create() override { return store_.create(); }

  std::string manifest(const Descriptor& which) const override {
    return read_manifest(store_, which);
  }
  bool has_manifest(const Digest& digest) const override { return store_.has(digest); }
  void put_manifest(const Descriptor& which, Bytes content) override {
    write_manifest(store_, which, content);
  }

  std::optional<Descriptor> resolve(std::string_view tag) const override {
    const fs::path path = names_ / escape(tag);
    if (::access(path.c_str(), F_OK) != 0) return std::nullopt;
    try {
      const auto json = parse_json(read_file(path, k_max_file), path.string());
      return parse_descriptor(DocumentNode(json, path.string()));
    } catch (const Error& e) {
      if (e.code() != Errc::bad_input) throw;
      throw Error(
          Errc::mismatch,
          fmt::format("what `{}` names is not known: {} is damaged", tag, path.string()))
          .add_hint("build the image again, or forget the name: `lithify cache prune`");
    }
  }

  void set_tag(std::string_view tag, const Descriptor& manifest) override {
    const fs::path path = names_ / escape(tag);
    const std::string content = canonical_json(json_of(manifest));
    if (!has_manifest(manifest.digest)) {
      throw Error(Errc::not_found,
                  fmt::format("no manifest {} in {} to be named `{}`",
                              manifest.digest.str(), store_.root().string(), tag));
    }
    if (file_says(path, content)) return;
    TemporaryFile file(store_.root() / "tmp");
    file.write(as_bytes(content));
    file.publish(path, 0644);
  }

  std::vector<std::string> tags() const override {
    std::vector<std::string> tags;
    for (const fs::path& path : files_in(names_)) {
      if (auto tag = unescape(path.filename().string())) tags.push_back(std::move(*tag));
    }
    std::sort(tags.begin(), tags.end());
    return tags;
  }

 private:
  DirectoryStore& store_;
  fs::path names_;
};

}  // namespace

std::unique_ptr<Repository> named_store(DirectoryStore& store) {
  return std::make_unique<NamedStore>(store);
}

bool remove_name(DirectoryStore& store, std::string_view tag) {
  const fs::path path = store.root() / "names" / escape(tag);
  if (::unlink(path.c_str()) == 0) return true;
  if (errno == ENOENT) return false;
  throw write_error(errno, "removing " + path.string());
}

}  // namespace oci
