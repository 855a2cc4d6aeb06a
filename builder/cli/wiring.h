// wiring: the outside of the program: environment, clock, terminal, and which concrete
// classes a command works with. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "oci/base/activity.h"
#include "oci/base/stream.h"
#include "oci/base/worker_pool.h"
#include "oci/image/repository.h"
#include "oci/registry/download.h"
#include "oci/registry/http_client.h"
#include "oci/store/directory_store.h"

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
#include "builder/tell/progress.h"
#include "builder/tell/render_error.h"
#include "builder/tree/layer_cache.h"
#include "builder/tree/stat_cache.h"

namespace lithify {

Environment read_environment();

// The value of a variable; nullopt if it is not set or empty.
std::optional<std::string> value_of(const Environment& environment,
                                    const std::string& name);

// A file descriptor as a sink that may be a terminal. Not buffered. Throws Reported when
// its reader went away: that is nothing to tell.
class Stream final : public oci::Sink {
 public:
  Stream(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}
  void write(oci::Bytes data) override;
  bool is_terminal() const;
  ProgressView::Size size() const;  // of the terminal; 100 columns if it is none

 private:
  int fd_;
  std::string name_;
};

// Thrown after what is wrong has been told: the process ends with this code.
struct Reported {
  int exit;
};

// What performs the steps of a build, and what remembers them. The session outlives it.
struct Workshop {
  std::unique_ptr<oci::WorkerPool> workers;
  std::unique_ptr<oci::Downloader> downloader;  // none with --offline
  std::unique_ptr<Executor> executor;
  std::unique_ptr<StepCache> steps;
};

// -C: makes the directory the working directory; Errc::bad_input if it is none.
void enter_directory(const Options& options);

// What every command works with. One for each run of the program.
class Session {
 public:
  Session(Options options, Environment environment);
  ~Session();

  const Options& options() const { return options_; }
  const Environment& environment() const { return environment_; }
  SourceTexts& texts() { return texts_; }

  // Makes this a session that builds again what another build built.
  void build_again(Recorded recorded) { recorded_ = std::move(recorded); }
  const Recorded* recorded() const { return recorded_ ? &*recorded_ : nullptr; }

  // Standard output: what was asked for, and nothing else.
  void print(std::string_view text);
  bool has_printed() const { return printed_; }
  void leave_printing() { printed_ = true; }  // to another process
  // Standard error, below the progress; as JSON lines with --progress json. What cannot
  // be told is lost: telling must not break doing. The same error is told once, a warning
  // not at all with -qq.
  void tell(std::string_view text) noexcept;
  void tell(const oci::Error& error, Problem::Severity severity) noexcept;
  const std::vector<oci::Error>& errors() const { return errors_; }  // that were told
  bool wants_summary() const { return options_.quiet == 0; }
  // Asks a person at the terminal; where there is none, or with --yes, it is agreed.
  bool confirms(const std::string& what);

  // Progress is drawn from the first call until end_progress() or the end.
  oci::ProgressReporter& progress();
  void end_progress();
  // From any thread: the user asked for the end.
  void stopping() noexcept;

  void stop_with(std::stop_token stop) { stop_ = std::move(stop); }
  std::stop_token stop() const { return stop_; }
  std::chrono::milliseconds elapsed() const;
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

  Style style() const;

 private:
  bool colour() const;
  ProgressKind progress_kind() const;
  void tell_event(nlohmann::json event);
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
  std::chrono::steady_clock::time_point start_;
  Stream out_;
  Stream err_;
  SourceTexts texts_;
  bool printed_ = false;
  std::set<std::string> told_;  // errors and warnings
  std::vector<oci::Error> errors_;
  std::stop_token stop_;
  std::mutex progress_mutex_;
  std::unique_ptr<Progress> progress_;
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

// Seconds since 1970 for `created`: SOURCE_DATE_EPOCH, else the build file's rule, else
// the time of the git commit of its directory, else 1980-01-01. `origin` says which.
struct Epoch {
  std::int64_t seconds = 315532800;
  std::string origin;
};
Epoch epoch_of(const EpochRule& rule, const std::string& directory,
               const Environment& environment);

}  // namespace lithify
