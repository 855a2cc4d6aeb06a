// hostile_tar: tars as no honest program writes them, block by block.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "oci/base/error.h"
#include "oci/layer/layer_reader.h"

namespace layer_test {

struct RawHeader {
  std::string name;
  char type = '0';
  std::string content = {};
  std::string link = {};
  std::string size = {};  // the field's text, if it is not the content's size
  std::string magic = std::string("ustar\00000", 8);
  std::string prefix = {};
  std::string mtime = "00000000000";
  std::string major = "0000000";
  std::string minor = "0000000";
};

inline void put(std::string& block, std::size_t at, const std::string& text) {
  block.replace(at, text.size(), text);
}

inline std::string octal(std::uint64_t value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%0*llo", digits,
                static_cast<unsigned long long>(value));
  return text;
}

inline std::string raw(const RawHeader& h) {
  std::string block(512, '\0');
  put(block, 0, h.name);
  put(block, 100, "0000644");
  put(block, 108, "0000000");
  put(block, 116, "0000000");
  put(block, 124, h.size.empty() ? octal(h.content.size(), 11) : h.size);
  put(block, 136, h.mtime);
  put(block, 148, "        ");
  block[156] = h.type;
  put(block, 157, h.link);
  put(block, 257, h.magic);
  put(block, 329, h.major);
  put(block, 337, h.minor);
  put(block, 345, h.prefix);
  unsigned sum = 0;
  for (const char c : block)
    sum += static_cast<unsigned char>(c);
  put(block, 148, octal(sum, 6) + std::string("\0 ", 2));
  return block + h.content + std::string((512 - h.content.size() % 512) % 512, '\0');
}

inline std::string record(const std::string& keyword, const std::string& value) {
  std::size_t length = keyword.size() + value.size() + 4;
  while (std::to_string(length).size() + keyword.size() + value.size() + 3 != length)
    ++length;
  return std::to_string(length) + " " + keyword + "=" + value + "\n";
}

inline std::string pax(const std::string& records, char type = 'x') {
  return raw({.name = "PaxHeader", .type = type, .content = records});
}

inline std::string end() {
  return std::string(1024, '\0');
}

// All members with their contents; the content is in the second.
using Members = std::vector<std::pair<oci::Entry, std::string>>;

inline Members read_members(oci::ArchiveReader& reader) {
  Members members;
  while (auto entry = reader.next()) {
    std::string content = oci::read_all(reader.content(), 64U << 20, "a member");
    members.emplace_back(std::move(*entry), std::move(content));
  }
  return members;
}

inline Members layer_members(const std::string& blob,
                             const oci::ArchiveLimits& limits = {}) {
  return read_members(
      *oci::read_layer(std::make_unique<oci::StringSource>(blob), "the layer", limits));
}

inline Members archive_members(const std::string& blob,
                               const oci::ArchiveLimits& limits = {}) {
  return read_members(
      *oci::read_archive(std::make_unique<oci::StringSource>(blob), "a.tar", limits));
}

// The message of the refusal; empty if nothing was refused. Other errors escape.
template <class Read>
std::string refusal(Read read) {
  try {
    read();
  } catch (const oci::Error& error) {
    if (error.code() != oci::Errc::bad_input) throw;
    return error.what();
  }
  return "";
}

inline std::string layer_refusal(const std::string& tar,
                                 const oci::ArchiveLimits& limits = {}) {
  return refusal([&] { layer_members(tar, limits); });
}
inline std::string archive_refusal(const std::string& tar,
                                   const oci::ArchiveLimits& limits = {}) {
  return refusal([&] { archive_members(tar, limits); });
}

}  // namespace layer_test
