#include "oci/store/checked_later.h"

#include <algorithm>
#include <exception>
#include <system_error>
#include <thread>

#include "oci/store/blob_range.h"

namespace oci {

// A blob that is read and hashed through one descriptor, so that both see one file.
struct CheckedLater::Check {
  Check(const BlobRef& of, BlobDirectory::SharedFile opened, const BlobDirectory& blobs,
        std::stop_token stop)
      : blob(of), file(std::move(opened)), thread([this, &blobs, stop] {
          try {
            blobs.check(blob, file, stop);
          } catch (...) {
            failure = std::current_exception();
          }
        }) {}

  const BlobRef blob;
  const BlobDirectory::SharedFile file;
  std::exception_ptr failure;
  std::jthread thread;  // last: it uses the others
};

namespace {

// A smaller blob is hashed by whoever asks for it, which costs less than a thread.
constexpr std::uint64_t k_worth_a_thread = 8 << 20;
constexpr std::size_t k_most_threads = 4;

}  // namespace

CheckedLater::CheckedLater(BlobStore& store, const BlobDirectory* files,
                           const std::stop_token& stop)
    : store_(store), files_(files), on_stop_(stop, [this] { ends_.request_stop(); }) {}

CheckedLater::~CheckedLater() {
  ends_.request_stop();
}

std::unique_ptr<Source> CheckedLater::open_range(const BlobRef& blob,
                                                 std::uint64_t offset,
                                                 std::uint64_t size) const {
  auto file = file_under_check(blob);
  if (!file) return store_.open_range(blob, offset, size);
  check_range(blob, offset, size);
  return std::make_unique<FileSource>(std::move(file), offset, size);
}

// Empty if the store itself is to be asked.
BlobDirectory::SharedFile CheckedLater::file_under_check(const BlobRef& blob) const {
  if (files_ == nullptr || blob.size < k_worth_a_thread) return nullptr;
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(checks_.begin(), checks_.end(),
                                  [&](const auto& one) { return one->blob == blob; });
  if (found != checks_.end()) return (*found)->file;
  if (checks_.size() == k_most_threads || files_->is_checked(blob.digest) ||
      !files_->size_of(blob.digest))
    return nullptr;
  try {
    checks_.push_back(std::make_unique<Check>(blob, files_->open_unchecked(blob), *files_,
                                              ends_.get_token()));
  } catch (const std::system_error&) {
    return nullptr;  // there are no more threads
  }
  return checks_.back()->file;
}

void CheckedLater::finish() {
  for (const auto& check : checks_)
    check->thread.join();
  for (const auto& check : checks_) {
    if (check->failure) std::rethrow_exception(check->failure);
  }
}

}  // namespace oci
