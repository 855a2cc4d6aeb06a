// RunMounts: what a command sees beside its root, laid out on the disk.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "oci/base/activity.h"
#include "oci/base/fd.h"

#include "builder/caches/cache_mounts.h"
#include "builder/command/run_step.h"
#include "builder/plan/step.h"
#include "builder/root/step_root.h"
#include "builder/sandbox/sandbox.h"

namespace lithify {

// The mounts of one run. Lives as long as its command: caches are held until then.
class RunMounts {
 public:
  struct Request {
    const Run& run;
    std::span<const Tree> inputs;
    const RunTools& tools;
    const RootTools& root;
    std::filesystem::path directory;  // the work directory
  };

  // Lays out source trees, all of them 0:0's, takes caches and reads secrets.
  // Errc::bad_input names a secret that was not given, and a path that its source does
  // not have.
  RunMounts(const Request& request, oci::Activity& activity, std::stop_token stop);

  std::vector<SandboxMount> take() && { return std::move(mounts_); }
  // Variables that hold secrets, "NAME=value".
  const std::vector<std::string>& secret_env() const { return secret_env_; }
  // What the secrets are.
  const std::vector<std::string>& secrets() const { return secrets_; }

 private:
  std::filesystem::path lay_out_tree(const Tree& tree, bool write);
  void add_tree(const RunMount& mount, const Tree& source);
  CacheMount take_cache(const RunMount& mount);
  void add_cache(const RunMount& mount);
  void add_secret(const RunMount& mount);
  void add_temporary(const RunMount& mount);

  const Request& request_;
  oci::Activity& activity_;
  const std::stop_token stop_;
  std::vector<SandboxMount> mounts_;
  std::vector<std::string> secret_env_;
  std::vector<std::string> secrets_;
  std::vector<oci::Fd> held_;  // locks of caches and of shared trees
};

}  // namespace lithify
