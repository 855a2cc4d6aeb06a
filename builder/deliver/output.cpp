#include "builder/deliver/output.h"

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/image/archive.h"
#include "oci/image/layout.h"

namespace lithify {

namespace fs = std::filesystem;

namespace {

void make_directories(const fs::path& directory) {
  if (directory.empty()) return;
  std::error_code problem;
  fs::create_directories(directory, problem);
  if (problem) {
    throw oci::write_error(problem.value(), "making directory " + directory.string());
  }
}

// Runs `write` on a file that takes its place only when it is complete.
template <class Write>
void write_whole(const fs::path& file, Write write) {
  oci::during([&] { return "writing " + file.string(); },
              [&] {
                make_directories(file.parent_path());
                oci::AtomicFile out(file);
                write(out);
                out.commit();
              });
}

}  // namespace

void deliver_layout(const Delivery& what, const fs::path& directory,
                    const oci::DirectoryStore& store, oci::Activity& activity) {
  oci::during([&] { return "writing the layout " + directory.string(); },
              [&] {
                make_directories(directory.parent_path());
                const auto layout = oci::create_layout(directory, &store);
                oci::replicate(what.from, what.root, *layout, activity);
                layout->set_tag(what.name, what.root);
              });
}

void deliver_oci_archive(const Delivery& what, const fs::path& file) {
  write_whole(file, [&](oci::Sink& to) {
    oci::write_oci_archive(what.from, what.root, what.name, to);
  });
}

void deliver_docker_archive(const Delivery& what, const fs::path& file) {
  write_whole(file, [&](oci::Sink& to) {
    oci::write_docker_archive(what.from, what.root, what.name + ":latest", to);
  });
}

void deliver_blob(const oci::BlobStore& store, const oci::BlobRef& blob,
                  const fs::path& file) {
  write_whole(file, [&](oci::Sink& to) { oci::copy(*store.open(blob), to); });
}

}  // namespace lithify
