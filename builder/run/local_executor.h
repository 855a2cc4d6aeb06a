// LocalExecutor: steps performed by this process.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "builder/command/run_step.h"
#include "builder/run/executor.h"
#include "builder/run/fetch.h"
#include "builder/run/import.h"
#include "builder/run/pinned.h"
#include "builder/tree/capture.h"

namespace lithify {

struct LocalTools {
  oci::BlobStore& store;
  StatCache& stats;
  oci::WorkerPool& workers;               // for hashing; never the scheduler's threads
  oci::Downloader* downloader = nullptr;  // nullptr: --offline
  Mirrors mirrors = {};
  std::function<std::int64_t()> now_ns;  // the clock, for files' ages alone
  GitIndex git_index = {};               // for `modes: git`
  BringBlob bring_blob = {};             // empty: --offline
  RunTools run = {};
  PinTools pins = {};
};

class LocalExecutor final : public Executor {
 public:
  explicit LocalExecutor(LocalTools tools) : tools_(std::move(tools)) {}
  Tree execute(const Step& step, std::span<Tree> inputs, oci::Activity& activity,
               std::stop_token stop) override;

 private:
  LocalTools tools_;
};

}  // namespace lithify
