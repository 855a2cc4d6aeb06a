// smallest_program: the numbers are those of the ELF specification's supplements for each
// processor, and of the kernel's tables of system calls.
#include "builder/command/smallest_program.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <elf.h>

namespace lithify {

namespace {

constexpr std::uint16_t k_loongarch = 258;  // glibc before 2.36 does not know it
constexpr std::uint64_t k_address = 0x400000;
constexpr std::uint64_t k_alignment = 0x10000;  // the largest pages that any of them has

enum class Order { little, big };

struct Processor {
  std::string_view architecture;
  std::uint16_t number;
  unsigned bits;
  Order order;
  std::uint32_t flags;  // which of its binary interfaces
  // The number of exit and its argument to their registers, and the call.
  std::array<std::uint32_t, 3> words;
};

// Instructions of four bytes each.
constexpr Processor k_processors[] = {
    {"arm64", EM_AARCH64, 64, Order::little, 0, {0xd2800ba8, 0xd2800540, 0xd4000001}},
    {"arm", EM_ARM, 32, Order::little, 0x05000000, {0xe3a07001, 0xe3a0002a, 0xef000000}},
    {"loong64",
     k_loongarch,
     64,
     Order::little,
     0x43,
     {0x0281740b, 0x0280a804, 0x002b0000}},
    {"mips", EM_MIPS, 32, Order::big, 0x50001005, {0x24020fa1, 0x2404002a, 0x0000000c}},
    {"mips64", EM_MIPS, 64, Order::big, 0x80000007, {0x240213c2, 0x2404002a, 0x0000000c}},
    {"mips64le",
     EM_MIPS,
     64,
     Order::little,
     0x80000007,
     {0x240213c2, 0x2404002a, 0x0000000c}},
    {"mipsle",
     EM_MIPS,
     32,
     Order::little,
     0x50001005,
     {0x24020fa1, 0x2404002a, 0x0000000c}},
    {"ppc64", EM_PPC64, 64, Order::big, 2, {0x38000001, 0x3860002a, 0x44000002}},
    {"ppc64le", EM_PPC64, 64, Order::little, 2, {0x38000001, 0x3860002a, 0x44000002}},
    {"riscv64", EM_RISCV, 64, Order::little, 4, {0x05d00893, 0x02a00513, 0x00000073}},
    // lghi %r1,1; lghi %r2,42; svc 0, and two bytes that are not reached.
    {"s390x", EM_S390, 64, Order::big, 0, {0xa7190001, 0xa729002a, 0x0a000707}},
    // Instructions of any length: mov $1,%eax; mov $42,%bl; int $0x80; and of 64 bits,
    // push $60; pop %rax; push $42; pop %rdi; syscall; each with what fills it up.
    {"386", EM_386, 32, Order::little, 0, {0x000001b8, 0xcd2ab300, 0x90909080}},
    {"amd64", EM_X86_64, 64, Order::little, 0, {0x6a583c6a, 0x050f5f2a, 0x90909090}},
};

// Numbers as a processor has them, one behind the other.
class Writer {
 public:
  explicit Writer(const Processor& processor) : processor_(processor) {}

  void number(std::uint64_t value, unsigned size) {
    for (unsigned i = 0; i < size; ++i) {
      const unsigned byte = processor_.order == Order::little ? i : size - 1 - i;
      bytes_ += static_cast<char>(value >> (8 * byte) & 0xff);
    }
  }
  void half(std::uint64_t value) { number(value, 2); }
  void word(std::uint64_t value) { number(value, 4); }
  // An address, or what is as wide as one.
  void wide(std::uint64_t value) { number(value, processor_.bits / 8); }
  void text(std::string_view bytes) { bytes_ += bytes; }

  std::string take() && { return std::move(bytes_); }

 private:
  const Processor& processor_;
  std::string bytes_;
};

void write_header(Writer& to, const Processor& processor, std::uint64_t code) {
  const bool wide = processor.bits == 64;
  to.text(ELFMAG);
  to.number(wide ? ELFCLASS64 : ELFCLASS32, 1);
  to.number(processor.order == Order::little ? ELFDATA2LSB : ELFDATA2MSB, 1);
  to.number(EV_CURRENT, 1);
  to.text(std::string(9, '\0'));
  to.half(ET_EXEC);
  to.half(processor.number);
  to.word(EV_CURRENT);
  to.wide(k_address + code);
  to.wide(wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr));
  to.wide(0);  // no sections
  to.word(processor.flags);
  to.half(wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr));
  to.half(wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr));
  to.half(1);
  for (int i = 0; i < 3; ++i)
    to.half(0);
}

// All of the file, for reading and executing. The flags stand elsewhere in 32 bits.
void write_segment(Writer& to, const Processor& processor, std::uint64_t size) {
  const bool wide = processor.bits == 64;
  to.word(PT_LOAD);
  if (wide) to.word(PF_R | PF_X);
  to.wide(0);
  to.wide(k_address);
  to.wide(k_address);
  to.wide(size);
  to.wide(size);
  if (!wide) to.word(PF_R | PF_X);
  to.wide(k_alignment);
}

}  // namespace

std::optional<std::string> smallest_program(std::string_view architecture) {
  const auto* found = std::find_if(
      std::begin(k_processors), std::end(k_processors),
      [&](const Processor& one) { return one.architecture == architecture; });
  if (found == std::end(k_processors)) return std::nullopt;
  const std::uint64_t code = found->bits == 64 ? sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr)
                                               : sizeof(Elf32_Ehdr) + sizeof(Elf32_Phdr);
  Writer file(*found);
  write_header(file, *found, code);
  write_segment(file, *found, code + 4 * found->words.size());
  for (const std::uint32_t instruction : found->words)
    file.word(instruction);
  return std::move(file).take();
}

}  // namespace lithify
