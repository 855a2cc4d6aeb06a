// wiring: the outside of the program: clock, store, network, and which concrete classes a
// command works with. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "oci/base/activity.h"
#include "oci/base/worker_pool.h"
#include "oci/image/repository.h"
#include "oci/registry/download.h"
#include "oci/registry/http_client.h"
#include "oci/store/directory_store.h"

#include "builder/cli/console.h"
#include "builder/cli/environment.h"
#include "builder/cli/import_witness.h"
#include "builder/cli/options.h"
#include "builder/cli/recorded.h"
#include "builder/cli/registry_access.h"
#include "builder/cli/registry_caches.h"
#include "builder/command/run_step.h"
#include "builder/plan/lock.h"
#include "builder/plan/recipe.h"
#include "builder/remember/step_cache.h"
#include "builder/resolve/resolver.h"
#include "builder/run/executor.h"
#include "builder/run/recheck.h"
#include "builder/tree/layer_cache.h"
#include "builder/tree/stat_cache.h"

namespace lithify {

// What performs the steps of a build, and what remembers them. The session outlives it.
struct Workshop {
  std::unique_ptr<oci::WorkerPool> workers;
  std::unique_ptr<oci::Downloader> downloader;  // none with --offline
  std::unique_ptr<Executor> executor;
  std::unique_ptr<StepCache> steps;
};

// -C: makes the directory the working directory; Errc::bad_input if it is none.
void enter_directory(const Options& options);

// What every command works with: how it tells, and the world it acts in. One for each run
// of the program.
class Session : public Console {
 public:
  Session(Options options, Environment environment);
  ~Session();

  const Options& options() const { return options_; }
  const Environment& environment() const { return environment_; }

  // Makes this a session that builds again what another build built.
  void build_again(Recorded recorded) { recorded_ = std::move(recorded); }
  const Recorded* recorded() const { return recorded_ ? &*recorded_ : nullptr; }

  void stop_with(std::stop_token stop) { stop_ = std::move(stop); }
  std::stop_token stop() const { return stop_; }
  std::int64_t now() const;  // seconds since 1970; never part of a result
  unsigned jobs() const;
  bool is_root() const;

  // Where the store is, and the store itself, made when first asked for.
  std::filesystem::path store_path() const;
  oci::DirectoryStore& store();
  oci::Repository& images();  // the store with names
  // The registries; Errc::unavailable with --offline.
  RegistryAccess& registries();
  // The store, and behind it the registries that layers of bases come from.
  oci::Repository& images_with_bases();
  // Where a layer of a base is, "host/path": to fetch it from, or to mount it.
  void know_layer(const oci::Digest& layer, const std::string& repository);
  const std::map<oci::Digest, std::string>& known_layers() const { return known_layers_; }
  // Puts a blob of a registry's repository into the store.
  void bring(const std::string& repository, const oci::BlobRef& blob,
             oci::Activity& activity);
  // What resolving may see of the world.
  World world();
  // Commands are performed twice where `rechecks`, if any, demands it.
  Workshop workshop(const Recipe& recipe, Rechecks* rechecks = nullptr);
  RunTools run_tools();  // what commands run with
  // How many were started with them.
  std::size_t commands_performed() const { return commands_performed_; }
  // What the workshops' executors imported.
  const ImportRecord& imports() const { return imports_; }
  // What commands with network: pinned made that no lock knew, once.
  std::vector<LockedOutput> take_pins();
  // nullptr with --no-cache, unless there is a cache to write.
  LayerCache* layer_cache();
  // Those in registries; nullptr without --cache-from and --cache-to, and with --offline.
  RegistryCaches* caches();
  // The store, with what caches in registries owe it.
  oci::Repository& contents();
  CacheDatabase& database();  // what the store remembers beside its blobs

 private:
  oci::HttpClient* http();  // nullptr with --offline
  AptEnvironment apt_environment() const;
  // As --secret gives it; nullopt if it does not.
  std::optional<std::string> secret(const std::string& id) const;

  Options options_;
  Environment environment_;
  std::optional<Recorded> recorded_;
  std::atomic<std::size_t> commands_performed_ = 0;
  std::mutex pins_mutex_;
  std::vector<LockedOutput> pins_;
  ImportRecord imports_;
  std::stop_token stop_;
  std::unique_ptr<oci::DirectoryStore> store_;
  std::unique_ptr<oci::Repository> images_;
  std::unique_ptr<oci::HttpClient> http_;
  std::unique_ptr<RegistryAccess> registries_;
  std::unique_ptr<oci::Repository> images_with_bases_;
  std::unique_ptr<RegistryCaches> caches_;
  std::map<oci::Digest, std::string> known_layers_;
  std::unique_ptr<CacheDatabase> database_;
  std::unique_ptr<StatCache> stats_;
  std::unique_ptr<LayerCache> layers_;
};

}  // namespace lithify
