// small_deb: a .deb for tests. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "oci/base/worker_pool.h"
#include "oci/layer/layer_writer.h"
#include "oci/store/memory_store.h"

namespace lithify::testing {

inline std::string ar_member(std::string_view name, std::string_view bytes) {
  std::string text = fmt::format("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", name, 0, 0, 0,
                                 "100644", bytes.size());
  text += bytes;
  if (bytes.size() % 2 != 0) text += '\n';
  return text;
}

// `files` are paths, in byte order, and their texts.
inline std::string small_tar(
    const std::vector<std::pair<std::string, std::string>>& files) {
  oci::MemoryStore store;
  oci::WorkerPool workers(1);
  oci::LayerWriter writer(store, oci::Compression::none, workers);
  for (const auto& [path, text] : files) {
    oci::Entry entry;
    entry.path = path;
    entry.attributes.mode = 0755;
    entry.attributes.mtime = 1600000000;
    entry.size = text.size();
    oci::StringSource source(text);
    writer.add(entry, source);
  }
  const oci::Layer layer = std::move(writer).finish();
  const auto source = store.open({layer.blob.digest, layer.blob.size});
  return oci::read_all(*source, 1 << 20, "layer");
}

inline std::string small_deb(
    const std::string& control,
    const std::vector<std::pair<std::string, std::string>>& files) {
  return "!<arch>\n" + ar_member("debian-binary", "2.0\n") +
         ar_member("control.tar", small_tar({{"control", control}})) +
         ar_member("data.tar", small_tar(files));
}

}  // namespace lithify::testing
