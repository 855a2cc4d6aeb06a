// linkage: programs of this machine, and files that only look like programs.
#include "builder/test/linkage.h"

#include <fcntl.h>

#include "oci/base/fd.h"

#include "tests/support/catch.h"

namespace lithify {
namespace {

Linkage of_text(std::string text) {
  oci::StringSource source(std::move(text));
  return linkage_of(source);
}

std::string put(std::string text, std::size_t at, std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i)
    text[at + i] = static_cast<char>(value >> (8 * i));
  return text;
}

// A 64-bit header with one segment of this type right behind it.
std::string small_program(std::uint32_t type) {
  std::string text(64 + 56, '\0');
  text.replace(0, 6,
               std::string("\x7f"
                           "ELF\x02\x01",
                           6));
  text = put(text, 32, 64, 8);
  text = put(text, 54, 56, 2);
  text = put(text, 56, 1, 2);
  text = put(text, 64, type, 4);
  text = put(text, 64 + 8, 120, 8);
  return put(text, 64 + 32, 32, 8);
}

}  // namespace

TEST_CASE("a program of this machine that names a loader is dynamic") {
  CHECK(of_text(oci::read_file("/bin/ls", 64 << 20)) == Linkage::dynamic);
}

TEST_CASE("a program that needs nothing is static") {
  CHECK(of_text(oci::read_file("/bin/busybox", 64 << 20)) == Linkage::fixed);
}

TEST_CASE("a library that needs another is dynamic, though it names no loader") {
  const std::string needed = put(std::string(32, '\0'), 0, 1, 8);
  CHECK(of_text(small_program(2) + needed) == Linkage::dynamic);
  const std::string other = put(std::string(32, '\0'), 0, 5, 8);
  CHECK(of_text(small_program(2) + other) == Linkage::fixed);
  CHECK(of_text(small_program(3)) == Linkage::dynamic);
  CHECK(of_text(small_program(1)) == Linkage::fixed);
}

TEST_CASE("what is no program, or a damaged one, has no linkage or an answer") {
  CHECK(of_text("") == Linkage::none);
  CHECK(of_text("#!/bin/sh\n") == Linkage::none);
  CHECK(of_text(std::string("\x7f"
                            "ELF\x02\x01",
                            6)) == Linkage::none);
  CHECK(of_text(put(small_program(2), 54, 8, 2)) == Linkage::none);
  // A table and a section far behind the end of the file.
  CHECK(of_text(put(small_program(3), 32, ~0ULL, 8)) == Linkage::fixed);
  CHECK(of_text(put(small_program(2), 72, ~0ULL, 8)) == Linkage::fixed);
}

}  // namespace lithify
