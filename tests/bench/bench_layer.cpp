// bench_layer: writes a directory as one layer and prints what it took.
//
//   bench_layer DIR zstd|gzip|none JOBS [FILE]
//
// The blob goes to FILE (not synced), or is hashed and forgotten. One line of JSON on
// standard output.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/layer/layer_writer.h"

namespace {

namespace fs = std::filesystem;

// Gives blobs their names and, if there is a file, keeps the last one's bytes.
class BenchStore final : public oci::BlobStore {
 public:
  explicit BenchStore(std::optional<fs::path> file) : file_(std::move(file)) {}
  bool has(const oci::Digest&) const override { return false; }
  std::unique_ptr<oci::Source> open(const oci::BlobRef& blob) const override {
    throw oci::Error(oci::Errc::not_found, blob.digest.str() + " was forgotten");
  }
  std::unique_ptr<oci::Source> open_range(const oci::BlobRef& blob, std::uint64_t,
                                          std::uint64_t) const override {
    return open(blob);
  }
  std::unique_ptr<oci::BlobWriter> create() override {
    return std::make_unique<Writer>(file_);
  }

 private:
  class Writer final : public oci::BlobWriter {
   public:
    explicit Writer(const std::optional<fs::path>& file) {
      if (file) fd_ = oci::open_file(*file, O_WRONLY | O_CREAT | O_TRUNC);
    }
    void write(oci::Bytes data) override {
      hasher_.update(data);
      size_ += data.size();
      if (fd_.valid()) oci::write_all(fd_.get(), data, "the layer");
    }
    oci::BlobRef commit() override { return {std::move(hasher_).finish(), size_}; }

   private:
    oci::Fd fd_;
    oci::Hasher hasher_;
    std::uint64_t size_ = 0;
  };

  std::optional<fs::path> file_;
};

oci::FileType type_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return oci::FileType::directory;
    case S_IFLNK:
      return oci::FileType::symlink;
    case S_IFCHR:
      return oci::FileType::char_device;
    case S_IFBLK:
      return oci::FileType::block_device;
    case S_IFIFO:
      return oci::FileType::fifo;
    default:
      return oci::FileType::regular;
  }
}

oci::Entry entry_of(const fs::path& at, std::string path) {
  struct stat info {};
  if (::lstat(at.c_str(), &info) != 0) throw oci::errno_error(errno, at.string());
  oci::Entry entry;
  entry.path = std::move(path);
  entry.type = type_of(info.st_mode);
  entry.attributes = {info.st_mode & 07777U, info.st_uid, info.st_gid, 315532800, {}};
  if (entry.type == oci::FileType::regular) {
    entry.size = static_cast<std::uint64_t>(info.st_size);
  } else if (entry.type == oci::FileType::symlink) {
    entry.link = fs::read_symlink(at).string();
  } else {
    entry.device_major = major(info.st_rdev);
    entry.device_minor = minor(info.st_rdev);
  }
  return entry;
}

std::vector<oci::Entry> entries_below(const fs::path& root) {
  std::vector<oci::Entry> entries;
  const std::size_t skip = root.string().size() + 1;
  for (const auto& item : fs::recursive_directory_iterator(root)) {
    if (item.is_socket()) continue;
    entries.push_back(entry_of(item.path(), item.path().string().substr(skip)));
  }
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  return entries;
}

oci::Layer write_layer(const fs::path& root, oci::Compression compression, unsigned jobs,
                       std::optional<fs::path> file) {
  BenchStore store(std::move(file));
  oci::WorkerPool workers(jobs);
  oci::LayerWriter writer(store, compression, workers);
  for (const oci::Entry& entry : entries_below(root)) {
    if (entry.type != oci::FileType::regular) {
      writer.add(entry);
      continue;
    }
    const fs::path at = root / entry.path;
    oci::FileSource content(oci::open_file(at, O_RDONLY), at.string());
    writer.add(entry, content);
  }
  return std::move(writer).finish();
}

int run(int argc, char** argv) {
  const std::map<std::string, oci::Compression> compressions{
      {"zstd", oci::Compression::zstd},
      {"gzip", oci::Compression::gzip},
      {"none", oci::Compression::none}};
  if (argc < 4 || argc > 5 || compressions.count(argv[2]) == 0) {
    fmt::print(stderr, "usage: bench_layer DIR zstd|gzip|none JOBS [FILE]\n");
    return 2;
  }
  const auto start = std::chrono::steady_clock::now();
  const oci::Layer layer = write_layer(
      argv[1], compressions.at(argv[2]), static_cast<unsigned>(std::stoul(argv[3])),
      argc == 5 ? std::optional<fs::path>(argv[4]) : std::nullopt);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  fmt::print(
      "{{\"seconds\":{:.3f},\"mb_per_second\":{:.0f},\"peak_rss_mb\":{:.0f},"
      "\"tar_bytes\":{},\"blob_bytes\":{},\"digest\":\"{}\"}}\n",
      took.count(), static_cast<double>(layer.uncompressed_size) / 1e6 / took.count(),
      static_cast<double>(usage.ru_maxrss) / 1e3, layer.uncompressed_size,
      layer.blob.size, layer.blob.digest.str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    fmt::print(stderr, "bench_layer: {}\n", e.what());
    return 1;
  }
}
