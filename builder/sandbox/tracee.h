// Tracee: one stopped process or thread of a sandbox, its registers and its memory.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>

namespace lithify {

// A view that owns nothing; to be used by the thread that traces, while the tracee is in
// a stop. What is false or nullopt could not be had: it is gone, or its memory is not
// ours to see.
class Tracee {
 public:
  explicit Tracee(pid_t id) : id_(id) {}
  pid_t id() const { return id_; }

  // Of the system call that it stopped before: which one the filter says it is (the
  // number of a TracedCall), and its arguments.
  struct Call {
    std::uint32_t which = 0;
    std::array<std::uint64_t, 6> arguments = {};
  };
  std::optional<Call> call() const;
  // What the system call gave that it stopped behind; negative: -errno.
  std::optional<std::int64_t> result() const;

  // Before a call: it is not made, and gives `result`.
  bool answer(std::int64_t result) const;
  bool set_argument(unsigned number, std::uint64_t value) const;
  std::optional<std::uint64_t> stack_pointer() const;

  bool read(std::uint64_t address, void* to, std::size_t size) const;
  // A text that ends with a zero, the first `limit` bytes of it.
  std::optional<std::string> read_text(std::uint64_t address, std::size_t limit) const;
  bool write(std::uint64_t address, const void* from, std::size_t size) const;

  // Right after execve: the program does not find the page from which it would read the
  // time without a system call, and so makes one.
  bool hide_vdso() const;

 private:
  pid_t id_;
};

}  // namespace lithify
