// sbom_text: what both forms of an SBOM are written with.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "oci/base/stream.h"

#include "builder/attest/inventory.h"

namespace lithify {

// Writes one object piece by piece, so that a list of all files is never in memory.
// Members must come in ascending order of their names (Errc::internal otherwise), as
// canonical JSON has them.
class ObjectWriter {
 public:
  explicit ObjectWriter(oci::Sink& to);
  void member(std::string_view name, const nlohmann::json& value);
  // A member that is a list: its items, then end_list().
  void begin_list(std::string_view name);
  void item(const nlohmann::json& value);
  // An item that is an object: its members, then end_item().
  void begin_item();
  void end_item();
  void end_list();
  void end();

 private:
  // An object, and the list that is open in it.
  struct Level {
    bool first = true;
    std::string last = {};  // name
    bool first_item = true;
  };
  void begin_member(std::string_view name);
  void separate_item();
  void put(std::string_view text);
  void flush();

  oci::Sink& to_;
  std::string buffer_;
  std::vector<Level> open_;
};

std::string hex_of(std::span<const std::byte> bytes);

// Bytes that are no UTF-8 as %XX, a percent sign among them as %25: names of files may be
// any bytes, JSON has text alone. Well-formed text comes back as it is.
std::string json_text(std::string_view bytes);

// Numbers of files, in their order, by what owns them: those of each package, and those
// of each part that no package has.
struct FileOwners {
  explicit FileOwners(const Inventory& inventory);
  std::vector<std::vector<std::uint32_t>> of_package;
  std::vector<std::vector<std::uint32_t>> of_part;
};

}  // namespace lithify
