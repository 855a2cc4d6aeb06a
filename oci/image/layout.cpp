// layout: OCI image-spec, image-layout.md, with writers that do not trip over each other.
#include "oci/image/layout.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/error.h"
#include "oci/base/json.h"
#include "oci/image/layout_index.h"
#include "oci/image/manifest_graph.h"
#include "oci/store/directory_store.h"
#include "oci/store/temporary_file.h"

namespace oci {

namespace fs = std::filesystem;

namespace {

class Layout final : public ReferringRepository {
 public:
  Layout(fs::path directory, bool writable, const DirectoryStore* blobs_from)
      : directory_(std::move(directory)),
        writable_(writable),
        blobs_from_(blobs_from),
        blobs_(std::make_unique<BlobDirectory>(BlobDirectory::Places{
            directory_ / "blobs/sha256", directory_, "", writable})) {}

  // Brings the blob here if the store has it, so that replicate() finds nothing to copy.
  bool has(const Digest& digest) const override {
    const auto here = blobs_->size_of(digest);
    const auto there = blobs_from_ != nullptr ? blobs_from_->size_of(digest) : here;
    if (here && (!there || (here == there && is_believable({digest, *here}))))
      return true;
    if (!there) return false;
    blobs_->share(blobs_from_->blobs(), {digest, *there});
    return true;
  }
  std::unique_ptr<Source> open(const BlobRef& blob) const override {
    return blobs_->open(blob);
  }
  std::unique_ptr<Source> open_range(const BlobRef& blob, std::uint64_t offset,
                                     std::uint64_t size) const override {
    return blobs_->open_range(blob, offset, size);
  }
  std::unique_ptr<BlobWriter> create() override {
    check_writable();
    return blobs_->create();
  }

  std::string manifest(const Descriptor& which) const override {
    return read_manifest(*blobs_, which);
  }

  // True only if all it is made of is here too and has its size: what another tool left
  // half written is written again.
  bool has_manifest(const Digest& digest) const override {
    const auto size = blobs_->size_of(digest);
    if (!size || *size > k_max_manifest) return false;
    Descriptor which{std::string(media_type::k_manifest), digest, *size};
    try {
      const std::string content = read_manifest(*blobs_, which);
      if (parse_json(content, "manifest").contains("manifests"))
        which.media_type = media_type::k_index;
      return holds_children(which, content, 0);
    } catch (const Error&) {
      return false;
    }
  }

  void put_manifest(const Descriptor& which, Bytes content) override {
    check_writable();
    const std::string text(reinterpret_cast<const char*>(content.data()), content.size());
    if (!is_index(which.media_type)) {
      for (const Descriptor& child : children(which, text))
        require_blob(child);
    }
    write_manifest(*blobs_, which, content);
  }

  std::optional<Descriptor> resolve(std::string_view tag) const override {
    return LayoutIndex::read(index_path()).find(tag);
  }
  void set_tag(std::string_view tag, const Descriptor& manifest) override {
    check_writable();
    if (!blobs_->has(manifest.digest)) {
      throw Error(Errc::not_found,
                  fmt::format("no manifest {} in {} to be named `{}`",
                              manifest.digest.str(), directory_.string(), tag));
    }
    change_index([&](LayoutIndex& index) { index.set(tag, manifest); });
  }
  std::vector<std::string> tags() const override {
    return LayoutIndex::read(index_path()).tags();
  }

  std::optional<std::string> manifest_of(std::string_view tag) const override {
    const auto which = resolve(tag);
    return which ? std::optional(manifest(*which)) : std::nullopt;
  }

  std::vector<Descriptor> referrers(const Digest& subject,
                                    std::string_view artifact_type) const override {
    std::vector<Descriptor> found;
    for (Descriptor& which : LayoutIndex::read(index_path()).manifests()) {
      const auto document = referring(which);
      if (!document || document->subject->digest != subject) continue;
      // A descriptor may leave out what the manifest says.
      which.artifact_type = document->artifact_type.empty() ? document->config.media_type
                                                            : document->artifact_type;
      which.annotations = document->annotations;
      if (artifact_type.empty() || which.artifact_type == artifact_type)
        found.push_back(std::move(which));
    }
    return found;
  }

  void put_referrer(const Descriptor& which, Bytes content,
                    const Descriptor& /*subject*/) override {
    put_manifest(which, content);
    change_index([&](LayoutIndex& index) { index.add_nameless(which); });
  }

  // Under the lock, so once.
  void change_tag(std::string_view tag, std::string_view media_type,
                  const TagChanger& change) override {
    check_writable();
    change_index([&](LayoutIndex& index) {
      const auto before = index.find(tag);
      const auto next = change(before ? std::optional(manifest(*before)) : std::nullopt);
      if (!next) return;
      const Descriptor which = describe(*next, media_type);
      put_manifest(which, as_bytes(*next));
      index.set(tag, which);
    });
  }

  // Makes what is missing; fine if it is all there.
  static void prepare(const fs::path& directory) {
    make_directories(directory);
    const Fd lock = lock_directory(directory);
    refuse_strangers(directory);
    remove_dead_temporaries(directory);
    make_directories(directory / "blobs/sha256");
    if (!fs::exists(fs::symlink_status(directory / "index.json")))
      write_whole(directory / "index.json", LayoutIndex().str());
    if (!fs::exists(fs::symlink_status(directory / "oci-layout")))
      write_whole(directory / "oci-layout", k_layout_marker);
  }

 private:
  fs::path index_path() const { return directory_ / "index.json"; }

  void check_writable() const {
    if (!writable_) {
      throw Error(Errc::internal, directory_.string() + " was opened for reading only");
    }
  }

  template <class Change>
  void change_index(Change change) {
    const Fd lock = lock_directory(directory_);
    LayoutIndex index = LayoutIndex::read(index_path());
    change(index);
    write_whole(index_path(), index.str());
  }

  // The manifest if it has a subject. What cannot be read may be anybody's and about
  // anything: it must not hide what can.
  std::optional<Manifest> referring(const Descriptor& which) const {
    if (!is_document(which.media_type) || is_index(which.media_type)) return std::nullopt;
    try {
      auto document = Manifest::parse(manifest(which), which.digest.brief());
      if (document.subject) return document;
    } catch (const Error& e) {
      if (e.code() == Errc::machine) throw;
    }
    return std::nullopt;
  }

  // A lock on the directory itself: no further file, and gone with its process.
  static Fd lock_directory(const fs::path& directory) {
    Fd fd = open_file(directory, O_RDONLY | O_DIRECTORY);
    while (::flock(fd.get(), LOCK_EX) != 0) {
      if (errno != EINTR) throw errno_error(errno, "locking " + directory.string());
    }
    return fd;
  }

  static void write_whole(const fs::path& path, std::string_view content) {
    if (file_says(path, content)) return;
    TemporaryFile file(path.parent_path());
    file.write(as_bytes(content));
    file.publish(path, 0644);
  }

  // Somebody's home directory is not the place to make a layout in.
  static void refuse_strangers(const fs::path& directory) {
    if (fs::exists(fs::symlink_status(directory / "oci-layout"))) return;
    for (const fs::path& path : files_in(directory)) {
      const std::string name = path.filename().string();
      if (name != "blobs" && name != "index.json" && name.rfind(".tmp-", 0) != 0) {
        throw Error(Errc::bad_input, fmt::format("{} is no image layout, and not empty: "
                                                 "it has `{}`",
                                                 directory.string(), name))
            .add_hint("name a directory that is empty, or not there yet");
      }
    }
  }

  // A file here may be one that the store had too, until it was found lying and made
  // anew; all that share() took from the store is its file or a later one. What is small
  // is looked into, but a build that changed nothing must not read everything.
  bool is_believable(const BlobRef& blob) const {
    if (blobs_from_ == nullptr) return true;
    if (blob.size <= BlobDirectory::k_small) return blobs_->is_right(blob);
    return !blobs_from_->blobs().is_newer_than_in(*blobs_, blob.digest);
  }

  // Opening looks at kind and size, and takes a liar out of the way.
  bool holds(const Descriptor& which, int depth) const {
    blobs_->open({which.digest, which.size});
    if (!is_believable({which.digest, which.size})) return false;
    if (!is_document(which.media_type)) return true;
    return depth < k_max_index_depth &&
           holds_children(which, read_manifest(*blobs_, which), depth + 1);
  }

  bool holds_children(const Descriptor& which, const std::string& content,
                      int depth) const {
    const std::vector<Descriptor> all = children(which, content);
    return std::all_of(all.begin(), all.end(),
                       [&](const Descriptor& child) { return holds(child, depth); });
  }

  void require_blob(const Descriptor& which) const {
    try {
      blobs_->open({which.digest, which.size});
    } catch (Error& e) {
      if (e.code() == Errc::mismatch)
        e.add_hint(
            "run it again: the damaged blob was removed, and will be written anew");
      e.add_context("completing a manifest in " + directory_.string());
      throw;
    }
  }

  fs::path directory_;
  bool writable_;
  const DirectoryStore* blobs_from_;
  std::unique_ptr<BlobDirectory> blobs_;
};

bool is_real_directory(const fs::path& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

void check_is_layout(const fs::path& directory) {
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0) {
    throw errno_error(errno, "opening the image layout " + directory.string());
  }
  if (!S_ISDIR(status.st_mode)) {
    throw Error(Errc::bad_input, directory.string() + " is no directory, so no layout");
  }
  if (::stat((directory / "oci-layout").c_str(), &status) != 0) {
    throw Error(Errc::not_found, fmt::format("no image layout in {}: there is no file "
                                             "`oci-layout`",
                                             directory.string()));
  }
  check_layout_marker(read_file(directory / "oci-layout", 4096), directory.string());
  for (const char* name : {"blobs", "blobs/sha256"}) {
    if (!is_real_directory(directory / name)) {
      throw Error(Errc::bad_input, (directory / name).string() + " is no directory");
    }
  }
}

}  // namespace

std::unique_ptr<ReferringRepository> open_layout(const fs::path& directory) {
  check_is_layout(directory);
  auto layout = std::make_unique<Layout>(directory, false, nullptr);
  layout->tags();  // an index.json that cannot be read shows here
  return layout;
}

std::unique_ptr<ReferringRepository> create_layout(const fs::path& directory,
                                                   const DirectoryStore* blobs_from) {
  Layout::prepare(directory);
  check_is_layout(directory);
  return std::make_unique<Layout>(directory, true, blobs_from);
}

}  // namespace oci
