#include "builder/deliver/output.h"

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/base/stoppable_sink.h"
#include "oci/image/archive.h"
#include "oci/image/layout.h"

#include "builder/deliver/directories_made.h"

namespace lithify {

namespace fs = std::filesystem;

namespace {

constexpr unsigned k_parallel = 4;  // blobs: more is no faster, from disks or servers

// Runs `write` on a file that takes its place only when it is complete.
template <class Write>
void write_whole(const fs::path& file, Write write) {
  oci::during([&] { return "writing " + file.string(); },
              [&] {
                DirectoriesMade above(file.parent_path());
                oci::AtomicFile out(file);
                write(out);
                out.commit();
                above.keep();
              });
}

bool is_nothing(const fs::path& directory) {
  std::error_code problem;
  return !fs::exists(fs::symlink_status(directory, problem)) ||
         (fs::is_directory(directory, problem) && fs::is_empty(directory, problem));
}

// Takes back a layout that was begun where nothing was. One that holds an image by now is
// a neighbour's.
void take_back_layout(const fs::path& directory, bool was_there) {
  try {
    if (!oci::open_layout(directory)->tags().empty()) return;
  } catch (const oci::Error&) {
    // Not even begun properly.
  }
  std::error_code ignored;
  for (const char* name : {"blobs", "index.json", "oci-layout"})
    fs::remove_all(directory / name, ignored);
  if (!was_there) fs::remove(directory, ignored);
}

}  // namespace

void deliver_layout(const Delivery& what, const fs::path& directory,
                    const oci::DirectoryStore& store, oci::Activity& activity) {
  const bool fresh = is_nothing(directory);
  const bool was_there = fs::exists(fs::symlink_status(directory));
  oci::during([&] { return "writing the layout " + directory.string(); },
              [&] {
                DirectoriesMade above(directory.parent_path());
                try {
                  const auto layout = oci::create_layout(directory, &store);
                  oci::replicate(what.from, what.root, *layout, activity, what.stop,
                                 k_parallel);
                  layout->set_tag(what.name, what.root);
                } catch (...) {
                  if (fresh) take_back_layout(directory, was_there);
                  throw;
                }
                above.keep();
              });
}

void deliver_oci_archive(const Delivery& what, const fs::path& file) {
  write_whole(file, [&](oci::Sink& to) {
    oci::write_oci_archive(what.from, what.root, what.name, to, what.stop);
  });
}

void deliver_docker_archive(const Delivery& what, const fs::path& file) {
  write_whole(file, [&](oci::Sink& to) {
    oci::write_docker_archive(what.from, what.root, what.name + ":latest", to, what.stop);
  });
}

void deliver_file(const fs::path& file, const std::function<void(oci::Sink&)>& write) {
  write_whole(file, write);
}

void deliver_blob(const oci::BlobStore& store, const oci::BlobRef& blob,
                  const fs::path& file, std::stop_token stop) {
  write_whole(file, [&](oci::Sink& to) {
    oci::StoppableSink stoppable(to, stop);
    try {
      oci::copy(*store.open(blob), stoppable);
    } catch (oci::Error& error) {
      if (error.code() == oci::Errc::machine)
        error.add_note(fmt::format("the file has {} bytes", blob.size));
      throw;
    }
  });
}

}  // namespace lithify
