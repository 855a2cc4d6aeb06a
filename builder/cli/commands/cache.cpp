// lithify cache: what the store holds, and less of it.
#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>
#include <span>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/json.h"
#include "oci/image/layout.h"
#include "oci/image/manifest.h"
#include "oci/store/temporary_file.h"

#include "builder/caches/cache_mounts.h"
#include "builder/cli/cache_travel.h"
#include "builder/cli/commands/commands.h"
#include "builder/cli/inside.h"
#include "builder/plan/suggest.h"
#include "builder/remember/stored_step_cache.h"
#include "builder/root/shared_roots.h"
#include "builder/root/work_directory.h"
#include "builder/tell/text.h"

namespace lithify {

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t k_keep_unused = 14LL * 24 * 3600;  // seconds

struct Holdings {
  std::size_t blobs = 0;
  std::uint64_t bytes = 0;
};

Holdings holdings_of(const oci::DirectoryStore& store) {
  Holdings holdings;
  for (const auto& info : store.list()) {
    ++holdings.blobs;
    holdings.bytes += info.blob.size;
  }
  return holdings;
}

struct Name {
  std::string text;
  std::optional<oci::Descriptor> root;  // none: its file is damaged
};

// The names in the store; a warning for each that says nothing.
std::vector<Name> names_in(Session& session) {
  std::vector<Name> names;
  for (const std::string& text : session.images().tags()) {
    try {
      if (auto root = session.images().resolve(text)) names.push_back({text, root});
    } catch (const oci::Error& error) {
      if (error.code() != oci::Errc::mismatch) throw;
      session.tell(error, Problem::Severity::warning);
      names.push_back({text, std::nullopt});
    }
  }
  return names;
}

struct Listing {
  std::string text;
  nlohmann::json document = nlohmann::json::array();
};

Listing images_of(Session& session) {
  Listing images;
  for (const Name& name : names_in(session)) {
    if (!name.root) continue;
    const std::string digest = name.root->digest.str();
    images.document.push_back({{"digest", digest}, {"name", name.text}});
    images.text += fmt::format("{}  {}\n", visible(name.text), digest);
  }
  return images;
}

// nullopt: some of what they hold is only for the root of the sandbox's ids to see.
std::optional<Listing> caches_of(Session& session) {
  Listing caches;
  const auto found = find_caches(session.store_path() / "caches");
  const std::string ours = found.empty() ? "" : owners_of_caches(session);
  for (const CacheMount& cache : found) {
    const DirectoryUsage usage = usage_of(cache.data());
    if (!usage.all_seen && !ours.empty() && may_go_inside(session)) return std::nullopt;
    const bool here = cache.owners == ours;
    caches.document.push_back({{"bytes", usage.bytes},
                               {"files", usage.files},
                               {"here", here},
                               {"id", cache.name.id},
                               {"number", cache.name.number},
                               {"owners", cache.owners}});
    caches.text += fmt::format("{}  cache of commands, {} in {}{}\n", cache.name.str(),
                               human_size(usage.bytes), files_text(usage.files),
                               here ? "" : ", of another sandbox");
  }
  return caches;
}

int list(Session& session) {
  const auto caches = caches_of(session);
  if (!caches) return run_inside(session);
  const Holdings holdings = holdings_of(session.store());
  const Listing images = images_of(session);
  if (session.options().json) {
    session.print(oci::canonical_json({{"schema", "lithify.cache/1"},
                                       {"store", session.store_path().string()},
                                       {"blobs", holdings.blobs},
                                       {"bytes", holdings.bytes},
                                       {"caches", caches->document},
                                       {"images", images.document}}) +
                  "\n");
    return exits::k_ok;
  }
  session.print(images.text + caches->text);
  if (session.wants_summary()) {
    session.tell(fmt::format("{} in {} {} at {}\n", human_size(holdings.bytes),
                             holdings.blobs, holdings.blobs == 1 ? "blob" : "blobs",
                             session.store_path().string()));
  }
  return exits::k_ok;
}

// Everything that the images with names consist of.
class Reachable {
 public:
  Reachable(const oci::DirectoryStore& store, const oci::Repository& images)
      : store_(store), images_(images) {}

  void add(const oci::Descriptor& which) {
    const bool fresh = digests_.insert(which.digest).second;
    if (!fresh || !store_.size_of(which.digest)) return;
    const std::string text = images_.manifest(which);
    if (which.media_type == oci::media_type::k_index ||
        which.media_type == oci::media_type::k_docker_index) {
      for (const auto& entry : oci::Index::parse(text, which.digest.str()).manifests)
        add(entry);
      return;
    }
    const auto manifest = oci::Manifest::parse(text, which.digest.str());
    digests_.insert(manifest.config.digest);
    for (const auto& layer : manifest.layers)
      digests_.insert(layer.digest);
  }
  bool has(const oci::Digest& digest) const { return digests_.count(digest) > 0; }

 private:
  const oci::DirectoryStore& store_;
  const oci::Repository& images_;
  std::set<oci::Digest> digests_;
};

// Bytes that go with a file; a file with further names elsewhere frees none.
std::uint64_t removed(const fs::path& path) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0 || S_ISDIR(status.st_mode)) return 0;
  if (unlink(path.c_str()) != 0) {
    throw oci::write_error(errno, "removing " + path.string());
  }
  return status.st_nlink > 1 ? 0 : static_cast<std::uint64_t>(status.st_size);
}

// The same for a directory and all in it. A user's sandbox may have left files there that
// are nobody's but its root's.
std::uint64_t removed_with_all(const fs::path& directory) {
  const std::uint64_t bytes = usage_of(directory).bytes;
  const bool gone =
      remove_all_of(directory) ||
      remove_laid_out(directory, probe_sandbox(), fs::read_symlink("/proc/self/exe"));
  return gone ? bytes : 0;
}

class Prune {
 public:
  explicit Prune(Session& session)
      : session_(session),
        store_(session.store()),
        all_(session.options().all),
        oldest_(session.now() - k_keep_unused),
        alone_(store_) {}

  std::uint64_t run() {
    const std::vector<Name> names = names_in(session_);
    std::uint64_t freed = prune_blobs(names);
    for (const Name& name : names) {
      if (!name.root || !is_there(name.root->digest)) {
        oci::remove_name(store_, name.text);
      }
    }
    return freed + prune_downloads() + prune_commands() + prune_records();
  }

 private:
  bool is_there(const oci::Digest& digest) const {
    return store_.size_of(digest).has_value();
  }

  std::uint64_t prune_blobs(const std::vector<Name>& names) {
    Reachable reachable(store_, session_.images());
    for (const Name& name : names) {
      if (name.root && !all_) reachable.add(*name.root);
    }
    return store_.prune(alone_, [&](const oci::DirectoryStore::BlobInfo& info) {
      const bool wanted = reachable.has(info.blob.digest) || info.last_used >= oldest_;
      return wanted && !all_;
    });
  }

  // Those that were interrupted; somebody may want to go on with a young one.
  std::uint64_t prune_downloads() const {
    const fs::path directory = store_.root() / "partial";
    std::error_code problem;
    if (!fs::is_directory(directory, problem)) return 0;
    std::uint64_t freed = 0;
    for (const fs::path& path : oci::files_in(directory)) {
      struct stat status {};
      if (lstat(path.c_str(), &status) != 0) continue;
      if (all_ || status.st_mtime < oldest_) freed += removed(path);
    }
    return freed;
  }

  // What commands left: the roots that they ran in, their logs, what they cached for the
  // next of their kind, and, because nobody else uses the store now, roots of those that
  // were killed.
  std::uint64_t prune_commands() const {
    remove_dead_work(store_.root() / "work", [](const fs::path& work) {
      return remove_all_of(work) ||
             remove_laid_out(work, probe_sandbox(), fs::read_symlink("/proc/self/exe"));
    });
    std::uint64_t freed = prune_roots(
        store_.root() / "roots",
        [this](std::int64_t last_used) { return all_ || last_used < oldest_; },
        fs::read_symlink("/proc/self/exe"));
    for (const fs::path& log : entries_of("logs")) {
      if (is_old(log)) freed += removed(log);
    }
    for (const fs::path& kept : entries_of("work")) {  // by --keep-failed
      if (is_old(kept)) freed += removed_with_all(kept);
    }
    for (const fs::path& cache : entries_of("caches")) {
      if (is_old(cache / "lock")) freed += removed_with_all(cache);
    }
    return freed;
  }

  std::vector<fs::path> entries_of(const char* name) const {
    const fs::path directory = store_.root() / name;
    std::error_code problem;
    if (!fs::is_directory(directory, problem)) return {};
    return oci::files_in(directory);
  }

  bool is_old(const fs::path& path) const {
    struct stat status {};
    return all_ || (lstat(path.c_str(), &status) == 0 && status.st_mtime < oldest_);
  }

  std::uint64_t prune_records() {
    const std::uint64_t before = size_of_records();
    if (before == 0) return 0;
    if (all_) {
      for (const char* ending : {"", "-wal", "-shm", ".lock"})
        removed(records(ending));
    } else {
      const auto there = [this](const oci::Digest& digest) { return is_there(digest); };
      CacheDatabase& database = session_.database();
      StoredStepCache(database, store_).prune(there);
      StoredLayerCache(database, store_).prune(there);
      StatCache(database).prune();
      database.compact();
    }
    removed(records(".damaged"));
    const std::uint64_t after = size_of_records();
    return before - std::min(before, after);
  }

  fs::path records(const char* ending) const {
    return store_.root() / (std::string("cache.sqlite") + ending);
  }

  std::uint64_t size_of_records() const {
    std::uint64_t bytes = 0;
    for (const char* ending : {"", "-wal", ".damaged"}) {
      std::error_code problem;
      const auto size = fs::file_size(records(ending), problem);
      bytes += problem ? 0 : size;
    }
    return bytes;
  }

  Session& session_;
  oci::DirectoryStore& store_;
  const bool all_;
  const std::int64_t oldest_;
  const oci::DirectoryStore::ExclusiveLease alone_;
};

int prune(Session& session) {
  const bool all = session.options().all;
  if (all && !session.confirms("remove everything in " + session.store_path().string()))
    return exits::k_ok;
  const std::uint64_t freed = Prune(session).run();
  if (session.options().json) {
    session.print(oci::canonical_json({{"schema", "lithify.prune/1"}, {"freed", freed}}) +
                  "\n");
  } else if (session.wants_summary()) {
    session.tell("freed " + human_size(freed) + "\n");
  }
  return exits::k_ok;
}

struct Forgotten {
  std::vector<std::string> images;
  std::vector<fs::path> caches;  // their homes
};

// An image of that name, or else the caches of commands that are called so, whoever's
// they are.
void add_forgotten(Session& session, const std::string& name, Forgotten& forgotten) {
  std::vector<std::string> known = session.images().tags();
  if (std::find(known.begin(), known.end(), name) != known.end()) {
    forgotten.images.push_back(name);
    return;
  }
  bool found = false;
  for (const CacheMount& cache : find_caches(session.store_path() / "caches")) {
    known.push_back(cache.name.str());
    if (cache.name.id != name && cache.name.str() != name) continue;
    found = true;
    forgotten.caches.push_back(cache.home);
  }
  if (found) return;
  const std::string meant = did_you_mean(name, known);
  throw oci::Error(oci::Errc::not_found,
                   "the store has no image and no cache of commands `" + name + "`")
      .add_hint(meant.empty() ? "`lithify cache ls` lists the names" : meant);
}

// What only images used goes with the next prune; caches go now.
int forget(Session& session, std::span<const std::string> names) {
  Forgotten forgotten;
  for (const std::string& name : names)
    add_forgotten(session, name, forgotten);
  if (!forgotten.caches.empty()) {
    // No command waits for one that is about to go.
    const oci::DirectoryStore::ExclusiveLease alone(session.store());
    for (const fs::path& cache : forgotten.caches) {
      removed_with_all(cache);
      if (fs::exists(cache))
        throw oci::Error(oci::Errc::machine, cache.string() + " cannot be removed");
    }
  }
  for (const std::string& name : forgotten.images)
    oci::remove_name(session.store(), name);
  if (session.options().json) {
    session.print(
        oci::canonical_json({{"schema", "lithify.forget/1"},
                             {"names", std::vector(names.begin(), names.end())}}) +
        "\n");
  }
  return exits::k_ok;
}

oci::Error cannot(const std::vector<std::string>& operands) {
  constexpr const char* k_hint =
      "write `lithify cache ls`, `lithify cache rm NAME`, `lithify cache prune`, "
      "`lithify cache export FILE` or `lithify cache import FILE`";
  if (operands.empty()) {
    return oci::Error(oci::Errc::bad_input, "`lithify cache` needs to know what to do")
        .add_hint(k_hint);
  }
  const std::string& word = operands[0];
  if (word == "rm") {
    return oci::Error(oci::Errc::bad_input, "`lithify cache rm` needs names")
        .add_hint("`lithify cache ls` lists them");
  }
  if (word == "export" || word == "import") {
    return oci::Error(oci::Errc::bad_input,
                      fmt::format("`lithify cache {}` takes one archive", word))
        .add_hint(fmt::format("write `lithify cache {0} caches.tar.zst`, or `lithify "
                              "cache {0} -` for standard {1}put",
                              word, word == "export" ? "out" : "in"));
  }
  if (word == "ls" || word == "prune") {
    return oci::Error(
               oci::Errc::bad_input,
               fmt::format("`lithify cache {}` has no use for `{}`", word, operands[1]))
        .add_hint(fmt::format("write `lithify cache rm {}` to remove one", operands[1]));
  }
  return oci::Error(oci::Errc::bad_input, "`lithify cache` cannot `" + word + "`")
      .add_hint(k_hint);
}

}  // namespace

int run_cache(Session& session) {
  const auto& operands = session.options().operands;
  const std::string word = operands.empty() ? "" : operands[0];
  if (session.options().all && word != "prune") {
    throw oci::Error(oci::Errc::bad_input, "--all is for `lithify cache prune`")
        .add_hint("write `lithify cache prune --all` to remove everything");
  }
  if (!session.options().caches.empty() && word != "export" && word != "import") {
    throw oci::Error(oci::Errc::bad_input,
                     "--cache is for `lithify cache export` and `import`")
        .add_hint("`lithify cache ls` lists the caches");
  }
  if (operands.size() == 2 && word == "export") return export_caches(session);
  if (operands.size() == 2 && word == "import") return import_caches(session);
  if (operands.size() == 1 && word == "ls") return list(session);
  if (operands.size() == 1 && word == "prune") return prune(session);
  if (operands.size() > 1 && word == "rm")
    return forget(session, std::span(operands).subspan(1));
  throw cannot(operands);
}

}  // namespace lithify
