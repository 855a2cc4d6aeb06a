// TarReader: the members of an uncompressed tar as they stand there, strictly.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "oci/base/stream.h"
#include "oci/layer/entry.h"
#include "oci/layer/layer_reader.h"

namespace oci {

// Whether a text of which these are the first 512 bytes may be a tar; nothing at all is
// an empty one.
bool begins_as_tar(std::string_view first);

// Reads what GNU tar, bsdtar, Go, Python and we write: v7, ustar, pax, GNU long names and
// base-256 numbers. Where two readers could see different members, it refuses with
// Errc::bad_input: two sizes for one member, sparse members, content behind a link, an
// extension header before another of its kind or before none, a lone zero block. Names
// are bytes and stay as they are, whatever the locale.
class TarReader {
 public:
  // `from` must outlive it; `name` stands for the tar in messages.
  TarReader(Source& from, std::string name, const ArchiveLimits& limits);

  // The next member, its path and link untouched and unchecked but for length and NUL.
  // Skips what is left of the last one's content. At the end it reads `from` to its end.
  std::optional<Entry> next();
  // Content of the last member; 0 at its end.
  std::size_t read(std::span<std::byte> into);
  // Whether the tar has the zero blocks that end it; one without may have lost members.
  bool saw_end_mark() const { return saw_end_mark_; }

 private:
  using Block = std::array<char, 512>;
  using PaxRecords = std::map<std::string, std::string, std::less<>>;
  // What came before a member's own header.
  struct Extensions {
    PaxRecords pax;
    bool has_pax = false;
    std::optional<std::string> long_name;
    std::optional<std::string> long_link;
    bool any() const { return has_pax || long_name || long_link; }
  };

  [[noreturn]] void refuse(const std::string& what) const;
  bool read_block(Block& block);
  bool at_end_mark(const Block& block);
  void drain();
  std::string read_extension(const Block& block, std::uint64_t limit);
  void add_extension(const Block& block, Extensions& extensions);
  PaxRecords parse_pax(std::string_view text) const;
  void check_global(const PaxRecords& records) const;

  Entry member(const Block& block, Extensions& extensions) const;
  void apply_pax(const Block& block, const PaxRecords& pax, Entry& entry) const;
  void apply_pax_size(const Block& block, std::string_view value, Entry& entry) const;
  std::int64_t number(const Block& block, std::size_t offset, std::size_t length) const;
  std::uint64_t size_of(const Block& block) const;

  Source& from_;
  std::string name_;
  ArchiveLimits limits_;
  std::uint64_t left_ = 0;      // of the member's content
  std::size_t padding_ = 0;     // behind it
  std::uint64_t position_ = 0;  // for messages
  bool ended_ = false;
  bool saw_end_mark_ = false;
};

}  // namespace oci
