// spdx: https://spdx.github.io/spdx-spec/v2.3/ and its JSON schema.
#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>

#include "oci/base/error.h"

#include "builder/attest/sbom.h"
#include "builder/attest/sbom_text.h"

namespace lithify {

namespace {

using nlohmann::json;

constexpr const char* k_document = "SPDXRef-DOCUMENT";
constexpr const char* k_image = "SPDXRef-Image";
constexpr const char* k_nothing_said = "NOASSERTION";

json relation(const std::string& from, const char* kind, const std::string& to) {
  return {
      {"spdxElementId", from}, {"relationshipType", kind}, {"relatedSpdxElement", to}};
}

json checksum(const char* algorithm, std::string value) {
  return {{"algorithm", algorithm}, {"checksumValue", std::move(value)}};
}

json purl_reference(const std::string& url) {
  return {{"referenceCategory", "PACKAGE-MANAGER"},
          {"referenceType", "purl"},
          {"referenceLocator", url}};
}

std::string file_id(std::size_t number) {
  return fmt::format("SPDXRef-File-{}", number);
}

// "Name <address>" as SPDX has it; empty for what would not read back.
std::string supplier(const std::string& maintainer) {
  const std::size_t open = maintainer.find(" <");
  if (open == std::string::npos || open == 0 || !maintainer.ends_with('>')) return "";
  const std::string name = maintainer.substr(0, open);
  const std::string address = maintainer.substr(open + 2, maintainer.size() - open - 3);
  constexpr std::string_view k_special = "()<>\n";
  if (name.find_first_of(k_special) != std::string::npos || address.empty() ||
      address.find_first_of(k_special) != std::string::npos)
    return "";
  return json_text(fmt::format("Person: {} ({})", name, address));
}

class SpdxWriter {
 public:
  SpdxWriter(const Inventory& inventory, const SbomSubject& subject, SbomFiles files,
             oci::Sink& to)
      : inventory_(inventory),
        subject_(subject),
        with_files_(files == SbomFiles::list),
        owners_(inventory),
        out_(to) {
    for (const InventoryPackage& package : inventory.packages)
      ids_.push_back(package_id(package));
  }

  void write() {
    out_.member("SPDXID", k_document);
    out_.member("creationInfo", creation());
    out_.member("dataLicense", "CC0-1.0");
    out_.member("documentNamespace",
                "https://spdx.org/spdxdocs/lithify-sha256-" + subject_.digest.hex());
    if (with_files_) write_files();
    write_licences();
    out_.member("name", json_text(subject_.name));
    write_packages();
    write_relations();
    out_.member("spdxVersion", "SPDX-2.3");
    out_.end();
  }

 private:
  json creation() const {
    json made = {{"created", subject_.created},
                 {"creators", json::array({"Tool: lithify"})}};
    if (!with_files_) {
      made["comment"] = fmt::format(
          "the {} files of the image are left out: they are "
          "more than an attestation holds",
          inventory_.files.size());
    }
    return made;
  }

  void write_files() {
    out_.begin_list("files");
    for (std::size_t i = 0; i < inventory_.files.size(); ++i) {
      const InventoryFile& file = inventory_.files[i];
      out_.item({{"SPDXID", file_id(i)},
                 {"fileName", "./" + json_text(file.path)},
                 {"checksums", json::array({checksum("SHA1", hex_of(file.sha1)),
                                            checksum("SHA256", hex_of(file.sha256))})}});
    }
    out_.end_list();
  }

  void write_licences() {
    std::map<std::string, json> texts;
    for (const InventoryPackage& package : inventory_.packages) {
      if (!package.licence) continue;
      for (const LicenceReference& one : package.licence->references) {
        const std::string name = json_text(one.name);
        texts.try_emplace(one.id,
                          json{{"licenseId", one.id},
                               {"name", name},
                               {"extractedText",
                                fmt::format("what /{} of the image calls `{}`",
                                            json_text(package.copyright_file), name)}});
      }
    }
    if (texts.empty()) return;
    out_.begin_list("hasExtractedLicensingInfos");
    for (const auto& [id, text] : texts)
      out_.item(text);
    out_.end_list();
  }

  // Letters, digits, dots and dashes; a number behind it where two would be the same.
  std::string package_id(const InventoryPackage& package) {
    std::string id = "SPDXRef-Package-" + package.name + "-" + package.architecture;
    for (char& c : id) {
      const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                         (c >= 'A' && c <= 'Z') || c == '-' || c == '.';
      if (!plain) c = '.';
    }
    std::string free = id;
    for (int i = 2; !taken_.insert(free).second; ++i)
      free = fmt::format("{}-{}", id, i);
    return free;
  }

  std::string part_id(std::size_t part) const {
    return inventory_.parts[part].is_base ? "SPDXRef-Base"
                                          : fmt::format("SPDXRef-Step-{}", part);
  }

  // "Package verification code", 7.9: the SHA-1 of the SHA-1s of all files in order.
  std::string verification_code(const std::vector<std::uint32_t>& files) const {
    std::vector<std::string> sums;
    for (const std::uint32_t file : files)
      sums.push_back(hex_of(inventory_.files[file].sha1));
    std::sort(sums.begin(), sums.end());
    std::string all;
    for (const std::string& sum : sums)
      all += sum;
    std::array<std::byte, 20> code{};
    EVP_Digest(all.data(), all.size(), reinterpret_cast<unsigned char*>(code.data()),
               nullptr, EVP_sha1(), nullptr);
    return hex_of(code);
  }

  json element(const std::string& id, const std::string& name,
               const std::vector<std::uint32_t>& files) const {
    const bool analyzed = with_files_ && !files.empty();
    json made = {{"SPDXID", id},
                 {"name", json_text(name)},
                 {"downloadLocation", k_nothing_said},
                 {"filesAnalyzed", analyzed},
                 {"licenseConcluded", k_nothing_said},
                 {"licenseDeclared", k_nothing_said},
                 {"copyrightText", k_nothing_said}};
    if (!analyzed) return made;
    json ids = json::array();
    for (const std::uint32_t file : files)
      ids.push_back(file_id(file));
    made["hasFiles"] = std::move(ids);
    made["packageVerificationCode"] = {
        {"packageVerificationCodeValue", verification_code(files)}};
    return made;
  }

  void write_packages() {
    out_.begin_list("packages");
    json image = element(k_image, subject_.name, {});
    image["primaryPackagePurpose"] = "CONTAINER";
    image["versionInfo"] = subject_.digest.str();
    image["checksums"] = json::array({checksum("SHA256", subject_.digest.hex())});
    image["externalRefs"] = json::array({purl_reference(image_url(subject_))});
    out_.item(image);
    for (std::size_t i = 0; i < inventory_.parts.size(); ++i) {
      json part = element(part_id(i), inventory_.parts[i].text, owners_.of_part[i]);
      part["primaryPackagePurpose"] = inventory_.parts[i].is_base ? "CONTAINER" : "OTHER";
      part["comment"] =
          inventory_.parts[i].is_base ? "the image it stands on" : "a step of the build";
      out_.item(part);
    }
    for (std::size_t i = 0; i < inventory_.packages.size(); ++i)
      out_.item(package(i));
    out_.end_list();
  }

  json package(std::size_t number) const {
    const InventoryPackage& one = inventory_.packages[number];
    json made = element(ids_[number], one.name, owners_.of_package[number]);
    made["versionInfo"] = json_text(one.version);
    made["externalRefs"] = json::array({purl_reference(package_url(inventory_, one))});
    made["sourceInfo"] = json_text(fmt::format("built from the source package {} {}",
                                               one.source, one.source_version));
    if (const std::string person = supplier(one.maintainer); !person.empty())
      made["supplier"] = person;
    if (one.licence) made["licenseDeclared"] = one.licence->expression;
    if (!one.copyright_file.empty()) {
      made["licenseComments"] =
          fmt::format("see /{} of the image", json_text(one.copyright_file));
    }
    if (one.locked) {
      made["checksums"] = json::array({checksum("SHA256", one.locked->sha256.hex())});
      made["packageFileName"] = json_text(one.locked->path);
    }
    return made;
  }

  void write_relations() {
    out_.begin_list("relationships");
    out_.item(relation(k_document, "DESCRIBES", k_image));
    for (std::size_t i = 0; i < inventory_.parts.size(); ++i)
      out_.item(relation(k_image, "CONTAINS", part_id(i)));
    for (std::size_t i = 0; i < inventory_.packages.size(); ++i)
      out_.item(relation(part_id(inventory_.packages[i].part), "CONTAINS", ids_[i]));
    out_.end_list();
  }

  const Inventory& inventory_;
  const SbomSubject& subject_;
  bool with_files_;
  FileOwners owners_;
  ObjectWriter out_;
  std::set<std::string> taken_;
  std::vector<std::string> ids_;  // of the packages
};

}  // namespace

void write_spdx(const Inventory& inventory, const SbomSubject& subject, SbomFiles files,
                oci::Sink& to) {
  SpdxWriter(inventory, subject, files, to).write();
}

}  // namespace lithify
