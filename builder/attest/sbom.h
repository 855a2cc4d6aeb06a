// sbom: an inventory in the two forms that others read. Both are canonical JSON, and name
// no clock, machine or random number.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "oci/base/descriptor.h"
#include "oci/base/stream.h"

#include "builder/attest/inventory.h"

namespace lithify {

// The image that the document is about.
struct SbomSubject {
  std::string name;    // of the image
  oci::Digest digest;  // of its manifest
  oci::Platform platform;
  std::string created;  // the build's epoch, "2023-01-01T00:00:00Z"
};

enum class SbomFiles { list, leave_out };  // left out where all of them are too many

// SPDX 2.3 as JSON. Packages, and steps as packages, own files by `hasFiles`: a relation
// for each file would be a third of the document.
void write_spdx(const Inventory& inventory, const SbomSubject& subject, SbomFiles files,
                oci::Sink& to);

// CycloneDX 1.6 as JSON. Files stand within what owns them.
void write_cyclonedx(const Inventory& inventory, const SbomSubject& subject,
                     SbomFiles files, oci::Sink& to);

// "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14?arch=amd64&distro=debian-12", by the purl
// specification; for the system that os-release names, else Debian.
std::string package_url(const Inventory& inventory, const InventoryPackage& package);
// "pkg:oci/hello@sha256%3A…?arch=amd64"
std::string image_url(const SbomSubject& subject);

}  // namespace lithify
