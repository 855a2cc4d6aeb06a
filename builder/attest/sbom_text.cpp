#include "builder/attest/sbom_text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/error.h"
#include "oci/base/json.h"

#include "builder/attest/sbom.h"

namespace lithify {

namespace {

constexpr std::size_t k_buffer = 64 * 1024;

// The length of the well-formed character at the beginning; 0 if there is none.
std::size_t character(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  // Overlong forms, surrogates, and what is beyond Unicode.
  if (lead == 0xe0 && byte(1) < 0xa0) return 0;
  if (lead == 0xed && byte(1) > 0x9f) return 0;
  if (lead == 0xf0 && byte(1) < 0x90) return 0;
  if (lead == 0xf4 && byte(1) > 0x8f) return 0;
  return length;
}

bool is_text(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t length = character(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

// The purl specification, "Character encoding": a colon stays as it is.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                       (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '_' ||
                       c == '~' || c == ':';
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace

ObjectWriter::ObjectWriter(oci::Sink& to) : to_(to), buffer_("{"), open_(1) {}

void ObjectWriter::put(std::string_view text) {
  buffer_ += text;
  if (buffer_.size() >= k_buffer) flush();
}

void ObjectWriter::flush() {
  to_.write(oci::as_bytes(buffer_));
  buffer_.clear();
}

void ObjectWriter::begin_member(std::string_view name) {
  Level& level = open_.back();
  if (!level.first && name <= level.last) {
    throw oci::Error(oci::Errc::internal,
                     fmt::format("`{}` stands behind `{}`", name, level.last));
  }
  put(fmt::format("{}\"{}\":", level.first ? "" : ",", name));
  level.first = false;
  level.last = name;
}

void ObjectWriter::member(std::string_view name, const nlohmann::json& value) {
  begin_member(name);
  put(oci::canonical_json(value));
}

void ObjectWriter::begin_list(std::string_view name) {
  begin_member(name);
  put("[");
  open_.back().first_item = true;
}

void ObjectWriter::separate_item() {
  if (!std::exchange(open_.back().first_item, false)) put(",");
}

void ObjectWriter::item(const nlohmann::json& value) {
  separate_item();
  put(oci::canonical_json(value));
}

void ObjectWriter::begin_item() {
  separate_item();
  put("{");
  open_.emplace_back();
}

void ObjectWriter::end_item() {
  put("}");
  open_.pop_back();
}

void ObjectWriter::end_list() {
  put("]");
}

void ObjectWriter::end() {
  put("}");
  flush();
}

std::string hex_of(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes)
    text += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  return text;
}

std::string json_text(std::string_view bytes) {
  if (is_text(bytes)) return std::string(bytes);
  std::string text;
  while (!bytes.empty()) {
    const std::size_t length = character(bytes);
    if (length == 0 || bytes.front() == '%') {
      text += fmt::format("%{:02X}", static_cast<unsigned char>(bytes.front()));
    } else {
      text += bytes.substr(0, length);
    }
    bytes.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return text;
}

FileOwners::FileOwners(const Inventory& inventory)
    : of_package(inventory.packages.size()), of_part(inventory.parts.size()) {
  for (std::size_t i = 0; i < inventory.files.size(); ++i) {
    const InventoryFile& file = inventory.files[i];
    auto& list = file.package == Inventory::k_no_package ? of_part[file.part]
                                                         : of_package[file.package];
    list.push_back(static_cast<std::uint32_t>(i));
  }
}

std::string package_url(const Inventory& inventory, const InventoryPackage& package) {
  const std::string& system = inventory.system;
  std::string url = fmt::format(
      "pkg:deb/{}/{}@{}?arch={}", system.empty() ? "debian" : escaped(system),
      escaped(package.name), escaped(package.version), escaped(package.architecture));
  if (!system.empty() && !inventory.system_version.empty())
    url +=
        fmt::format("&distro={}-{}", escaped(system), escaped(inventory.system_version));
  return url;
}

std::string image_url(const SbomSubject& subject) {
  // The one place where the specification wants the colon escaped: it stands in a digest.
  return fmt::format("pkg:oci/{}@sha256%3A{}?arch={}", escaped(subject.name),
                     subject.digest.hex(), escaped(subject.platform.architecture));
}

}  // namespace lithify
