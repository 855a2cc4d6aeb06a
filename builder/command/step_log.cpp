#include "builder/command/step_log.h"

#include <fcntl.h>
#include <utility>

namespace lithify {

namespace {

constexpr std::size_t k_last_lines = 12;
constexpr std::size_t k_longest_line = 400;

}  // namespace

StepLog::StepLog(const std::filesystem::path& file, std::vector<std::string> secrets,
                 oci::Activity& activity)
    : path_(file),
      fd_(oci::open_file(file, O_WRONLY | O_CREAT | O_TRUNC, 0600)),
      mask_(std::move(secrets)),
      activity_(activity) {}

void StepLog::end() {
  tell(mask_.rest());
  if (!line_.empty()) end_line();
}

void StepLog::tell(std::string_view text) {
  oci::write_all(fd_.get(), oci::as_bytes(text), path_.string());
  for (;;) {
    const std::size_t end = text.find('\n');
    if (line_.size() < k_longest_line)
      line_.append(text.substr(0, end).substr(0, k_longest_line));
    if (end == std::string_view::npos) return;
    end_line();
    text.remove_prefix(end + 1);
  }
}

void StepLog::end_line() {
  activity_.output(line_);
  last_.push_back(std::move(line_));
  line_.clear();
  if (last_.size() > k_last_lines) last_.pop_front();
}

}  // namespace lithify
