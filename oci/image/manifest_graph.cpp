// manifest_graph: the walk over an image's documents.
#include "oci/image/manifest_graph.h"

#include <set>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/base/json.h"

namespace oci {

namespace {

class Walk {
 public:
  explicit Walk(const Repository& of) : of_(of) {}

  void visit(const Descriptor& which, int depth) {
    if (seen_.count(which.digest) != 0) return;
    if (depth > k_max_index_depth) {
      throw Error(Errc::bad_input,
                  fmt::format("indexes nest deeper than {}", k_max_index_depth));
    }
    if (is_document(which.media_type)) {
      for (const Descriptor& child : children(which, of_.manifest(which)))
        visit(child, depth + 1);
    }
    if (seen_.insert(which.digest).second) found_.push_back(which);
  }

  std::vector<Descriptor> take() { return std::move(found_); }

 private:
  const Repository& of_;
  std::set<Digest> seen_;
  std::vector<Descriptor> found_;
};

}  // namespace

bool is_index(std::string_view media_type) {
  return media_type == media_type::k_index || media_type == media_type::k_docker_index;
}

bool is_document(std::string_view media_type) {
  return is_index(media_type) || media_type == media_type::k_manifest ||
         media_type == media_type::k_docker_manifest;
}

bool is_about_another(const Descriptor& entry) {
  return entry.annotations.count("vnd.docker.reference.type") > 0;
}

std::vector<Descriptor> children(const Descriptor& which, std::string_view document) {
  if (is_index(which.media_type)) {
    return Index::parse(document, "index " + which.digest.brief()).manifests;
  }
  Manifest manifest = Manifest::parse(document, "manifest " + which.digest.brief());
  manifest.layers.insert(manifest.layers.begin(), std::move(manifest.config));
  return std::move(manifest.layers);
}

void check_manifest_size(const Descriptor& which) {
  if (which.size > k_max_manifest) {
    throw Error(Errc::bad_input,
                fmt::format("manifest {} has {} bytes, more than the {} allowed",
                            which.digest.brief(), which.size, k_max_manifest));
  }
}

void check_manifest(const Descriptor& which, Bytes content) {
  check_manifest_size(which);
  if (content.size() == which.size && Digest::of(content) == which.digest) return;
  throw Error(
      Errc::mismatch,
      fmt::format(
          "a manifest of {} bytes and digest {} was expected, not of {} bytes and "
          "digest {}",
          which.size, which.digest.brief(), content.size(), Digest::of(content).brief()));
}

std::string read_manifest(const BlobStore& from, const Descriptor& which) {
  check_manifest_size(which);
  return read_all(*from.open({which.digest, which.size}), which.size, "a manifest");
}

void write_manifest(BlobStore& to, const Descriptor& which, Bytes content) {
  check_manifest(which, content);
  const auto writer = to.create();
  writer->write(content);
  writer->commit();
}

Descriptor put_document(Repository& to, std::string_view text,
                        std::string_view media_type) {
  Descriptor which = describe(text, media_type);
  to.put_manifest(which, as_bytes(text));
  return which;
}

std::vector<Descriptor> closure(const Repository& of, const Descriptor& root) {
  Walk walk(of);
  walk.visit(root, 0);
  return walk.take();
}

}  // namespace oci
