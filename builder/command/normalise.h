// normalise: takes out of a step's result what would be another thing each time.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "oci/store/blob_store.h"

#include "builder/tree/tree.h"

namespace lithify {

struct NormaliseRequest {
  const Tree& before;                   // the full tree that the step ran in
  const std::vector<std::string>& off;  // of normaliser_names(): those not wanted
  std::int64_t mtime = k_constant_time;
  // Maintainer scripts make keys and databases on their own: these go. A person's keys
  // are refused, and his databases stay.
  bool maintainer_scripts = false;
};

struct Normalised {
  Tree change;
  std::vector<std::string> notes;  // what was done: "logs: var/log/dpkg.log left out"
};

// The names are those of `normalise:` in a build file (builder/plan: normaliser_names()):
//
//   backups         passwd- and its like, dpkg's and debconf's -old files go
//   caches          apt's package caches and man's index go
//   database-clusters  what packages make of PostgreSQL's and MariaDB's data goes
//   font-caches     fontconfig's hold for directories as old as they are in the image
//   java-keystores  certificates in Java's own have the constant time, and an order
//   ldconfig-cache  /var/cache/ldconfig/aux-cache goes
//   logs            those of apt, dpkg, update-alternatives and fontconfig go
//   machine-id      /etc/machine-id is empty, D-Bus's copy goes
//   network-files   /etc/resolv.conf, /etc/hosts and /etc/hostname stay as they were
//   private-keys    a key made in /etc, /root or /var/lib is Errc::bad_input
//   pycache         byte code held valid by its source's time gets the time that the
//                   source has in the image (PEP 552)
//   python-records  uv_cache.json goes, and its line in RECORD
//   shadow-days     the date of a password's last change is what it was, else empty
//   temporary       what is in /tmp, /var/tmp and /run goes, but for /run/lock
Normalised normalise(Tree change, const NormaliseRequest& request, oci::BlobStore& store);

}  // namespace lithify
