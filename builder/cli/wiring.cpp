#include "builder/cli/wiring.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "oci/base/fd.h"
#include "oci/image/layout.h"
#include "oci/store/blob_range.h"

#include "builder/cli/bringing_repository.h"
#include "builder/cli/git.h"
#include "builder/cli/no_dumps.h"
#include "builder/cli/verifying.h"
#include "builder/remember/stored_step_cache.h"
#include "builder/root/work_directory.h"
#include "builder/run/local_executor.h"

namespace lithify {

namespace {

constexpr std::int64_t k_keep_roots = 3 * 24 * 3600;  // seconds after the last use
constexpr std::uint64_t k_max_secret = 1024 * 1024;
constexpr std::uint64_t k_max_resolver = 64 * 1024;

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// A source without a mirror is left out: a build whose packages are all in the store
// needs none, and another one is told what is missing when it wants a package.
Mirrors mirrors_of(const Recipe& recipe, const AptEnvironment& environment) {
  Mirrors mirrors;
  for (const auto& [key, source] : recipe.sources) {
    const auto* apt = std::get_if<AptSource>(&source.kind);
    if (apt == nullptr) continue;
    try {
      mirrors[key] = mirror_bases(*apt, environment);
    } catch (const oci::Error& error) {
      if (error.code() != oci::Errc::not_found) throw;
    }
  }
  return mirrors;
}

// For steps with `network: pinned`, which look names up as this machine does.
std::string resolver_of_machine() {
  std::error_code problem;
  if (!std::filesystem::exists("/etc/resolv.conf", problem)) return {};
  return oci::read_file("/etc/resolv.conf", k_max_resolver);
}

bool runs_no_steps(std::string_view command) {
  constexpr std::string_view k_commands[] = {"attest", "copy",  "doctor", "inspect",
                                             "join",   "login", "pull",   "sbom",
                                             "sign",   "tag",   "verify"};
  return std::find(std::begin(k_commands), std::end(k_commands), command) !=
         std::end(k_commands);
}

}  // namespace

void enter_directory(const Options& options) {
  if (options.directory.empty()) return;
  if (chdir(options.directory.c_str()) == 0) return;
  const int error_number = errno;
  if (error_number == ENOENT || error_number == ENOTDIR) {
    throw oci::Error(
        oci::Errc::bad_input,
        fmt::format("there is no directory `{}` to go to", options.directory))
        .add_hint("-C takes the directory of a project");
  }
  throw oci::errno_error(error_number, "going to " + options.directory);
}

Session::Session(Options options, Environment environment)
    : Console(options, environment),
      options_(std::move(options)),
      environment_(std::move(environment)) {}

Session::~Session() = default;

std::int64_t Session::now() const {
  return now_ns() / 1'000'000'000;
}

unsigned Session::jobs() const {
  if (options_.jobs > 0) return options_.jobs;
  return std::max(1U, std::thread::hardware_concurrency());
}

bool Session::is_root() const {
  return geteuid() == 0;
}

std::filesystem::path Session::store_path() const {
  if (!options_.cache_dir.empty()) return std::filesystem::absolute(options_.cache_dir);
  if (const auto store = value_of(environment_, "LITHIFY_STORE")) {
    return std::filesystem::absolute(*store);
  }
  if (const auto cache = value_of(environment_, "XDG_CACHE_HOME")) {
    return std::filesystem::path(*cache) / "lithify";
  }
  if (const auto home = value_of(environment_, "HOME")) {
    return std::filesystem::path(*home) / ".cache/lithify";
  }
  throw oci::Error(oci::Errc::machine, "no place for the store: HOME is not set")
      .add_hint("set LITHIFY_STORE to a directory");
}

oci::DirectoryStore& Session::store() {
  if (store_ == nullptr) store_ = std::make_unique<oci::DirectoryStore>(store_path());
  return *store_;
}

oci::Repository& Session::images() {
  if (images_ == nullptr) images_ = oci::named_store(store());
  return *images_;
}

oci::HttpClient* Session::http() {
  if (options_.offline) return nullptr;
  if (http_ == nullptr) http_ = oci::curl_http_client();
  return http_.get();
}

RegistryAccess& Session::registries() {
  if (registries_ != nullptr) return *registries_;
  if (http() == nullptr) {
    throw oci::Error(oci::Errc::unavailable, "--offline forbids asking a registry")
        .add_hint("leave --offline out");
  }
  // Tokens will be in memory.
  if (runs_no_steps(options_.command)) {
    forbid_dumps();
  } else {
    forbid_core_files();
  }
  RegistryOptions wanted;
  wanted.auth_file = options_.auth_file;
  wanted.chunk_size = options_.chunk_size;
  wanted.stop = stop_;
  wanted.warn = [this](const std::string& sentence) {
    progress().warned(0, sentence);  // activities go on meanwhile
  };
  registries_ = std::make_unique<RegistryAccess>(*http(), environment_, wanted);
  return *registries_;
}

void Session::know_layer(const oci::Digest& layer, const std::string& repository) {
  known_layers_.emplace(layer, repository);
}

void Session::bring(const std::string& repository, const oci::BlobRef& blob,
                    oci::Activity& activity) {
  registries()
      .open(repository, oci::Access::pull)
      ->fetch(blob, store(), store().root() / "partial", activity);
}

oci::Repository& Session::images_with_bases() {
  if (images_with_bases_ != nullptr) return *images_with_bases_;
  images_with_bases_ =
      std::make_unique<BringingRepository>(images(), [this](const oci::BlobRef& blob) {
        const auto known = known_layers_.find(blob.digest);
        if (known == known_layers_.end()) {
          throw oci::no_such_blob(blob.digest, "the store");
        }
        oci::Activity activity(progress(), "fetch layer " + blob.digest.brief());
        bring(known->second, blob, activity);
        activity.end(oci::Outcome::done);
      });
  return *images_with_bases_;
}

CacheDatabase& Session::database() {
  if (database_ == nullptr) {
    database_ = std::make_unique<CacheDatabase>(store().root() / "cache.sqlite");
  }
  return *database_;
}

RegistryCaches* Session::caches() {
  const bool wanted = !options_.cache_from.empty() || !options_.cache_to.empty();
  if (!wanted || http() == nullptr) return nullptr;
  if (caches_ == nullptr) {
    caches_ = std::make_unique<RegistryCaches>(*http(), environment_, options_, images(),
                                               stop_);
  }
  return caches_.get();
}

oci::Repository& Session::contents() {
  return caches() != nullptr ? caches()->contents() : images();
}

LayerCache* Session::layer_cache() {
  if (layers_ != nullptr) return layers_.get();
  RegistryCaches* const shared = caches();
  if (options_.no_cache && shared == nullptr) return nullptr;
  layers_ = std::make_unique<StoredLayerCache>(database(), store());
  if (shared != nullptr) {
    layers_ = std::make_unique<SharedLayerCache>(std::move(layers_), shared->shared(),
                                                 !options_.no_cache);
  }
  return layers_.get();
}

RunTools Session::run_tools() {
  const std::filesystem::path root = store().root();
  RunTools tools{root / "work", root / "caches", root / "logs"};
  tools.blobs = &store().blobs();
  tools.program = std::filesystem::read_symlink("/proc/self/exe");
  tools.secret = [this](const std::string& id) { return secret(id); };
  tools.resolver = resolver_of_machine();
  tools.performed = &commands_performed_;
  tools.offline = options_.offline;
  tools.keep_failed = options_.keep_failed;
  tools.runner = parse_runner(options_.sandbox).value();
  if (value_of(environment_, "LITHIFY_ROOTS") != "copy")
    tools.shared = std::make_shared<SharedRoots>(root / "roots");
  remove_dead_work(tools.work, [&](const std::filesystem::path& work) {
    return remove_all_of(work) || remove_laid_out(work, probe_sandbox(), tools.program);
  });
  const std::int64_t oldest = now() - k_keep_roots;
  prune_roots(
      root / "roots", [&](std::int64_t last_used) { return last_used < oldest; },
      tools.program);
  return tools;
}

std::vector<LockedOutput> Session::take_pins() {
  const std::lock_guard lock(pins_mutex_);
  return std::exchange(pins_, {});
}

std::optional<std::string> Session::secret(const std::string& id) const {
  for (const SecretOption& given : options_.secrets) {
    if (given.id != id) continue;
    if (given.file.empty()) {
      const auto value = environment_.find(given.variable);
      if (value == environment_.end()) {
        throw oci::Error(oci::Errc::bad_input,
                         fmt::format("the variable {} of the secret `{}` is not set",
                                     given.variable, id));
      }
      return value->second;
    }
    return oci::during([&] { return "reading the secret " + id; },
                       [&] { return oci::read_file(given.file, k_max_secret); });
  }
  return std::nullopt;
}

Workshop Session::workshop(const Recipe& recipe, Rechecks* rechecks) {
  if (stats_ == nullptr) stats_ = std::make_unique<StatCache>(database());
  Workshop workshop;
  workshop.workers = std::make_unique<oci::WorkerPool>(jobs());
  Mirrors mirrors;
  BringBlob bring_blob;
  if (oci::HttpClient* client = http()) {
    bring_blob = [this](const std::string& repository, const oci::BlobRef& blob,
                        oci::Activity& activity,
                        const std::stop_token&) { bring(repository, blob, activity); };
    workshop.downloader =
        std::make_unique<oci::Downloader>(*client, store(), store().root() / "partial");
    mirrors = mirrors_of(recipe, apt_environment());
  }
  const auto lookup =
      options_.no_cache ? StoredStepCache::Lookup::no : StoredStepCache::Lookup::yes;
  auto steps = std::make_unique<StoredStepCache>(database(), store(), lookup);
  RunTools run = run_tools();
  run.rechecks = rechecks;
  PinTools pins;
  pins.found = [this](const std::string& key, const oci::Digest& tree) {
    const std::lock_guard lock(pins_mutex_);
    pins_.push_back({key, tree});
  };
  pins.made_before = [kept = steps.get()](const oci::Digest& tree) {
    return kept->made_before(tree);
  };
  workshop.steps = std::move(steps);
  workshop.executor = std::make_unique<LocalExecutor>(
      LocalTools{contents(), *stats_, *workshop.workers, workshop.downloader.get(),
                 std::move(mirrors), now_ns, git_index, std::move(bring_blob),
                 std::move(run), std::move(pins)});
  workshop.executor =
      std::make_unique<ImportWitness>(std::move(workshop.executor), imports_);
  if (RegistryCaches* const shared = caches()) {
    workshop.steps =
        std::make_unique<SharedStepCache>(std::move(workshop.steps), shared->shared());
  }
  if (rechecks != nullptr) {
    workshop.steps = std::make_unique<RecheckCache>(std::move(workshop.steps), *rechecks);
  }
  return workshop;
}

World Session::world() {
  World world{http(), store(), apt_environment()};
  if (!options_.offline) {
    world.open_registry = [this](const std::string& name) {
      return registries().open(name, oci::Access::pull);
    };
    world.verify_base = [this](const BaseToVerify& base) {
      return lithify::verify_base(*this, base);
    };
  }
  return world;
}

AptEnvironment Session::apt_environment() const {
  AptEnvironment apt;
  apt.mirror = value_of(environment_, "LITHIFY_APT_MIRROR").value_or("");
  if (const auto config = value_of(environment_, "XDG_CONFIG_HOME")) {
    apt.config_file = *config + "/lithify/config.toml";
  } else if (const auto home = value_of(environment_, "HOME")) {
    apt.config_file = *home + "/.config/lithify/config.toml";
  }
  apt.now = now();
  return apt;
}

}  // namespace lithify
