// LayoutIndex: the index.json of a layout or an OCI archive: manifests and their names.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "oci/base/descriptor.h"

namespace oci {

inline constexpr std::string_view k_layout_marker = R"({"imageLayoutVersion":"1.0.0"})";

// Throws Errc::bad_input unless the content of `oci-layout` names version 1.
void check_layout_marker(std::string_view content, const std::string& where);

// What other tools wrote of descriptors beyond our knowledge stays: entries are kept as
// their own text.
class LayoutIndex {
 public:
  LayoutIndex() = default;
  static LayoutIndex parse(std::string_view json, const std::string& what);
  static LayoutIndex read(const std::filesystem::path& index_json);

  // Without the name among the annotations. The empty tag stands for the only image, if
  // there is but one: what belongs to an image (signatures, SBOMs) does not count.
  // Errc::bad_input if two different manifests have the name.
  std::optional<Descriptor> find(std::string_view tag) const;
  void set(std::string_view tag, const Descriptor& manifest);
  // Nothing if the manifest is there already, whatever it is called.
  void add_nameless(const Descriptor& manifest);
  std::vector<Descriptor> manifests() const;  // each once
  std::vector<std::string> tags() const;      // sorted, each once
  // Canonical, entries sorted by name and digest: it does not tell who wrote first.
  std::string str() const;

 private:
  struct Entry {
    std::string name;  // empty: none
    Descriptor manifest;
    std::string text;  // canonical JSON of the whole descriptor
    bool is_image() const;
  };
  std::vector<Entry> entries_;
  std::string other_ = "{}";  // the document's members except `manifests`
};

}  // namespace oci
