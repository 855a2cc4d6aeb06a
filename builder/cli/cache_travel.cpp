#include "builder/cli/cache_travel.h"

#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/base/json.h"

#include "builder/caches/pack_caches.h"
#include "builder/caches/unpack_caches.h"
#include "builder/cli/inside.h"
#include "builder/tell/text.h"

namespace lithify {

namespace {

constexpr const char* k_stream = "-";
constexpr unsigned k_mode = 0600;  // commands may have put anything into their caches
constexpr int k_look_ms = 200;     // how long a stop may go unnoticed

// Inside, the ids of files are those that commands see.
OwnerMap ids_inside(std::string_view owners) {
  std::uint32_t count = 1;
  const std::size_t dash = owners.find('-');
  if (dash != std::string_view::npos)
    std::from_chars(owners.data() + dash + 1, owners.data() + owners.size(), count);
  const IdMap ids{0, 1, count};
  return {ids, ids};
}

CachesOf caches_here(Session& session) {
  const Options& options = session.options();
  const OwnerMap ids =
      options.inside.empty() ? probe_sandbox().owners : ids_inside(options.inside);
  return {session.store().root() / "caches", owners_of_caches(session), ids,
          options.caches};
}

// Where an archive goes: a file that appears whole, or standard output.
class Target final : public oci::Sink {
 public:
  Target(Session& session, const std::string& name) : session_(session) {
    if (name != k_stream) file_.emplace(name, k_mode);
  }
  void write(oci::Bytes data) override {
    if (file_) return file_->write(data);
    session_.print({reinterpret_cast<const char*>(data.data()), data.size()});
  }
  void commit() {
    if (file_) file_->commit();
  }

 private:
  Session& session_;
  std::optional<oci::AtomicFile> file_;
};

// Where an archive comes from: a file, or a pipe to which somebody may write slowly.
class Origin final : public oci::Source {
 public:
  Origin(const std::string& name, oci::Activity& activity, std::stop_token stop)
      : name_(name == k_stream ? "standard input" : name),
        activity_(activity),
        stop_(std::move(stop)) {
    if (name != k_stream) file_ = open(name);
    struct stat info {};
    if (::fstat(fd(), &info) != 0) throw oci::errno_error(errno, "reading " + name_);
    if (S_ISDIR(info.st_mode))
      throw oci::Error(oci::Errc::bad_input, name_ + " is a directory, and no archive");
    if (S_ISREG(info.st_mode)) total_ = static_cast<std::uint64_t>(info.st_size);
  }
  const std::string& name() const { return name_; }

  std::size_t read(std::span<std::byte> into) override {
    for (;;) {
      if (stop_.stop_requested()) throw oci::Cancelled();
      pollfd readable = {fd(), POLLIN, 0};
      // A signal ends the wait, and reading would wait on regardless of it.
      if (::poll(&readable, 1, k_look_ms) <= 0) continue;
      const ssize_t got = ::read(fd(), into.data(), into.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw oci::errno_error(errno, "reading " + name_);
      done_ += static_cast<std::uint64_t>(got);
      activity_.advance(done_, total_);
      return static_cast<std::size_t>(got);
    }
  }

 private:
  static oci::Fd open(const std::string& name) {
    try {
      return oci::open_file(name, O_RDONLY | O_NOCTTY);
    } catch (oci::Error& error) {
      if (error.code() == oci::Errc::not_found)
        error.add_hint(
            "`lithify cache export` writes it; a first job has none to import");
      throw;
    }
  }
  int fd() const { return file_.valid() ? file_.get() : STDIN_FILENO; }

  const std::string name_;
  oci::Activity& activity_;
  const std::stop_token stop_;
  oci::Fd file_;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;  // 0: nobody knows
};

nlohmann::json document_of(const std::vector<TravelledCache>& caches) {
  nlohmann::json list = nlohmann::json::array();
  for (const TravelledCache& cache : caches) {
    list.push_back({{"bytes", cache.bytes},
                    {"files", cache.files},
                    {"id", cache.name.id},
                    {"number", cache.name.number}});
  }
  return list;
}

// "2 caches, 31 MB in 812 files".
std::string summary_of(const std::vector<TravelledCache>& caches) {
  if (caches.empty()) return "no caches";
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  for (const TravelledCache& cache : caches) {
    files += cache.files;
    bytes += cache.bytes;
  }
  return fmt::format("{} {}, {} in {}", caches.size(),
                     caches.size() == 1 ? "cache" : "caches", human_size(bytes),
                     files_text(files));
}

void require_commands(const Session& session) {
  if (!owners_of_caches(session).empty()) return;
  throw oci::Error(oci::Errc::machine,
                   "caches are for commands, and this machine runs none")
      .add_hint("`lithify doctor` tells what is missing");
}

void check_stream(const Session& session, const std::string& name) {
  if (name != k_stream) return;
  if (session.options().json)
    throw oci::Error(oci::Errc::bad_input,
                     "--json and `-` both want standard output for themselves")
        .add_hint("name a file, or leave --json out");
  if (::isatty(STDOUT_FILENO) == 1)
    throw oci::Error(oci::Errc::bad_input, "a terminal can do nothing with an archive")
        .add_hint("send it on: `lithify cache export - | …`, or name a file");
}

}  // namespace

std::string files_text(std::uint64_t files) {
  return files == 1 ? "1 file" : fmt::format("{} files", files);
}

namespace {

struct Exported {
  std::vector<TravelledCache> caches;
  std::uint64_t size = 0;
  oci::Digest digest;
};

Exported write_archive(Session& session, const std::string& name) {
  const CachesOf which = caches_here(session);
  Target target(session, name);
  oci::HashingSink archive(target);
  oci::WorkerPool workers(session.jobs());
  oci::Activity activity(session.progress(), "export caches");
  std::vector<TravelledCache> caches =
      pack_caches(which, archive, workers, activity, session.stop());
  target.commit();
  activity.end(oci::Outcome::done);
  const std::uint64_t size = archive.size();
  return {std::move(caches), size, std::move(archive).finish()};
}

// Ctrl-C also ends whoever writes to our standard input: then the archive ends too soon,
// and that is not what the user wants to know.
template <class Body>
auto stoppable(const Session& session, Body body) {
  try {
    return body();
  } catch (const oci::Error&) {
    if (session.stop().stop_requested()) throw oci::Cancelled();
    throw;
  }
}

std::vector<TravelledCache> read_archive(Session& session, const std::string& name) {
  const CachesOf which = caches_here(session);
  oci::Activity activity(session.progress(), "import caches");
  auto origin = std::make_unique<Origin>(name, activity, session.stop());
  const std::string shown = origin->name();
  CacheArchiveReader archive(std::move(origin), shown);
  std::vector<TravelledCache> caches = unpack_caches(
      which, archive, session.store().root() / "work", activity, session.stop());
  activity.end(oci::Outcome::done);
  return caches;
}

}  // namespace

int export_caches(Session& session) {
  const std::string& name = session.options().operands.at(1);
  check_stream(session, name);
  require_commands(session);
  if (may_go_inside(session)) return run_inside(session);
  const Exported exported = write_archive(session, name);
  session.end_progress();
  if (session.options().json) {
    session.print(oci::canonical_json({{"schema", "lithify.cache-export/1"},
                                       {"archive", name},
                                       {"bytes", exported.size},
                                       {"caches", document_of(exported.caches)},
                                       {"digest", exported.digest.str()}}) +
                  "\n");
  } else if (session.wants_summary()) {
    session.tell(fmt::format("exported {}{} ({})\n", summary_of(exported.caches),
                             name == k_stream ? "" : ", to " + visible(name),
                             human_size(exported.size)));
  }
  return exits::k_ok;
}

int import_caches(Session& session) {
  const std::string& name = session.options().operands.at(1);
  require_commands(session);
  if (may_go_inside(session)) return run_inside(session);
  const std::vector<TravelledCache> caches =
      stoppable(session, [&] { return read_archive(session, name); });
  session.end_progress();
  if (session.options().json) {
    session.print(oci::canonical_json({{"schema", "lithify.cache-import/1"},
                                       {"archive", name},
                                       {"caches", document_of(caches)}}) +
                  "\n");
  } else if (session.wants_summary()) {
    session.tell(fmt::format("imported {}\n", summary_of(caches)));
  }
  return exits::k_ok;
}

}  // namespace lithify
