// tracee: ptrace, and what of it is another thing on each processor.
#include "builder/sandbox/tracee.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <elf.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

namespace lithify {

namespace {

constexpr std::size_t k_page = 4096;
// Words and variables of a program have 6 MiB at most (MAX_ARG_STRLEN aside), so that
// there are fewer pointers in front of the auxiliary vector.
constexpr std::uint64_t k_most_words = 2u << 20;

#if defined(__x86_64__)

using Registers = user_regs_struct;

std::optional<Registers> registers(pid_t id) {
  Registers all = {};
  if (::ptrace(PTRACE_GETREGS, id, nullptr, &all) != 0) return std::nullopt;
  return all;
}
bool set_registers(pid_t id, const Registers& all) {
  return ::ptrace(PTRACE_SETREGS, id, nullptr, &all) == 0;
}
bool skip_call(pid_t id, Registers& all, std::int64_t result) {
  all.orig_rax = ~0ULL;
  all.rax = static_cast<std::uint64_t>(result);
  return set_registers(id, all);
}
void put_argument(Registers& all, unsigned number, std::uint64_t value) {
  unsigned long long* const places[] = {&all.rdi, &all.rsi, &all.rdx,
                                        &all.r10, &all.r8,  &all.r9};
  *places[number] = value;
}
std::uint64_t stack_of(const Registers& all) {
  return all.rsp;
}

#elif defined(__aarch64__)

using Registers = user_regs_struct;

std::optional<Registers> registers(pid_t id) {
  Registers all = {};
  iovec part = {&all, sizeof all};
  if (::ptrace(PTRACE_GETREGSET, id, NT_PRSTATUS, &part) != 0) return std::nullopt;
  return all;
}
bool set_registers(pid_t id, const Registers& all) {
  iovec part = {const_cast<Registers*>(&all), sizeof all};
  return ::ptrace(PTRACE_SETREGSET, id, NT_PRSTATUS, &part) == 0;
}
bool skip_call(pid_t id, Registers& all, std::int64_t result) {
  int none = -1;
  iovec part = {&none, sizeof none};
  constexpr int k_system_call = 0x404;  // NT_ARM_SYSTEM_CALL
  if (::ptrace(PTRACE_SETREGSET, id, k_system_call, &part) != 0) return false;
  all.regs[0] = static_cast<std::uint64_t>(result);
  return set_registers(id, all);
}
void put_argument(Registers& all, unsigned number, std::uint64_t value) {
  all.regs[number] = value;
}
std::uint64_t stack_of(const Registers& all) {
  return all.sp;
}

#else
#error "how registers are called on this processor is not known here"
#endif

enum class Direction { read, write };

// At once where the kernel lets us; word for word it lets a tracer more often.
bool move(pid_t id, std::uint64_t address, iovec ours, Direction direction) {
  iovec theirs = {reinterpret_cast<void*>(address), ours.iov_len};
  const ssize_t moved = direction == Direction::read
                            ? ::process_vm_readv(id, &ours, 1, &theirs, 1, 0)
                            : ::process_vm_writev(id, &ours, 1, &theirs, 1, 0);
  if (moved == static_cast<ssize_t>(ours.iov_len)) return true;
  auto* bytes = static_cast<unsigned char*>(ours.iov_base);
  const std::uint64_t end = address + ours.iov_len;
  for (std::uint64_t at = address & ~7ULL; at < end; at += sizeof(long)) {
    errno = 0;
    long word = ::ptrace(PTRACE_PEEKDATA, id, at, nullptr);
    if (errno != 0) return false;
    auto* const in_word = reinterpret_cast<unsigned char*>(&word);
    const std::uint64_t from = std::max(at, address);
    const std::size_t count = std::min(at + sizeof word, end) - from;
    unsigned char* const there = in_word + (from - at);
    unsigned char* const here = bytes + (from - address);
    std::memcpy(direction == Direction::read ? here : there,
                direction == Direction::read ? there : here, count);
    if (direction == Direction::write && ::ptrace(PTRACE_POKEDATA, id, at, word) != 0)
      return false;
  }
  return true;
}

}  // namespace

std::optional<Tracee::Call> Tracee::call() const {
  __ptrace_syscall_info info = {};
  if (::ptrace(static_cast<__ptrace_request>(PTRACE_GET_SYSCALL_INFO), id_, sizeof info,
               &info) <= 0 ||
      info.op != PTRACE_SYSCALL_INFO_SECCOMP)
    return std::nullopt;
  Call call;
  call.which = info.seccomp.ret_data;
  std::copy(std::begin(info.seccomp.args), std::end(info.seccomp.args),
            call.arguments.begin());
  return call;
}

std::optional<std::int64_t> Tracee::result() const {
  __ptrace_syscall_info info = {};
  if (::ptrace(static_cast<__ptrace_request>(PTRACE_GET_SYSCALL_INFO), id_, sizeof info,
               &info) <= 0 ||
      info.op != PTRACE_SYSCALL_INFO_EXIT)
    return std::nullopt;
  return info.exit.rval;
}

bool Tracee::answer(std::int64_t result) const {
  auto all = registers(id_);
  return all && skip_call(id_, *all, result);
}

bool Tracee::set_argument(unsigned number, std::uint64_t value) const {
  auto all = registers(id_);
  if (!all) return false;
  put_argument(*all, number, value);
  return set_registers(id_, *all);
}

std::optional<std::uint64_t> Tracee::stack_pointer() const {
  const auto all = registers(id_);
  if (!all) return std::nullopt;
  return stack_of(*all);
}

bool Tracee::read(std::uint64_t address, void* to, std::size_t size) const {
  return move(id_, address, {to, size}, Direction::read);
}

std::optional<std::string> Tracee::read_text(std::uint64_t address,
                                             std::size_t limit) const {
  std::string text;
  while (text.size() < limit) {
    // What lies behind the end of the text may not be readable.
    const std::uint64_t at = address + text.size();
    const std::size_t size =
        std::min<std::size_t>(k_page - at % k_page, limit - text.size());
    std::string part(size, '\0');
    if (!read(at, part.data(), size)) return std::nullopt;
    const std::size_t end = part.find('\0');
    text += part.substr(0, end);
    if (end != std::string::npos) break;
  }
  return text;
}

bool Tracee::write(std::uint64_t address, const void* from, std::size_t size) const {
  return move(id_, address, {const_cast<void*>(from), size}, Direction::write);
}

// The stack begins with the number of words, pointers to them, zero, pointers to the
// variables, zero, and pairs of numbers.
bool Tracee::hide_vdso() const {
  const auto start = stack_pointer();
  if (!start) return false;
  std::array<std::uint64_t, k_page / sizeof(std::uint64_t)> page;
  std::uint64_t count = 0;
  unsigned zeros = 0;
  bool is_name = true;
  std::uint64_t at = *start;
  for (std::uint64_t words = 0; words < k_most_words;) {
    const std::size_t size = k_page - at % k_page;
    if (!read(at, page.data(), size)) return false;
    for (std::size_t i = 0; i < size / sizeof(std::uint64_t); ++i, ++words) {
      const std::uint64_t word = page[i];
      if (words == 0) {
        count = word;
      } else if (zeros < 2) {
        if (word == 0 && (zeros == 1 || words == count + 1)) ++zeros;
      } else {
        const std::uint64_t address = at + i * sizeof(std::uint64_t);
        if (is_name && word == AT_NULL) return true;
        constexpr std::uint64_t k_ignore = AT_IGNORE;
        if (is_name && word == AT_SYSINFO_EHDR && !write(address, &k_ignore, sizeof word))
          return false;
        is_name = !is_name;
      }
    }
    at += size;
  }
  return false;
}

}  // namespace lithify
