#include "builder/tree/cache_database.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/base/fd.h"
#include "oci/store/temporary_file.h"

namespace lithify {

using oci::Errc;
using oci::Error;

namespace {

constexpr int k_busy_timeout_ms = 5000;
constexpr int k_max_value = 512 << 20;

// The rows are few and large: stat records of whole directories.
constexpr const char* k_schema =
    "PRAGMA page_size=16384;"
    "PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=NORMAL;"
    "CREATE TABLE IF NOT EXISTS steps (key BLOB PRIMARY KEY, value BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS files (key BLOB PRIMARY KEY, value BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS layers (key BLOB PRIMARY KEY, value BLOB NOT NULL);";

const char* name_of(CacheDatabase::Table table) {
  static constexpr std::array<const char*, 3> k_names = {"steps", "files", "layers"};
  return k_names[static_cast<std::size_t>(table)];
}

// A result of SQLite's that is not what was asked for; the low byte is its kind.
struct Failure {
  explicit Failure(int result) : code(result), message(sqlite3_errstr(result)) {}
  Failure(int result, sqlite3* database)
      : code(result),
        system_error(sqlite3_system_errno(database)),
        message(sqlite3_errmsg(database)) {}

  int code;
  int system_error = 0;  // errno of the call that failed, 0 where SQLite kept none
  std::string message;
  int kind() const { return code & 0xff; }
  bool damaged() const { return kind() == SQLITE_CORRUPT || kind() == SQLITE_NOTADB; }
  bool busy() const { return kind() == SQLITE_BUSY || kind() == SQLITE_LOCKED; }

  // What the operating system would say; 0: it is not to blame.
  int error_number() const {
    switch (kind()) {
      case SQLITE_FULL:
        return ENOSPC;
      case SQLITE_READONLY:
      case SQLITE_PERM:
        return system_error != 0 ? system_error : EACCES;
      default:
        return system_error;
    }
  }
};

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

Error as_error(const Failure& failure, const std::filesystem::path& file) {
  const std::string doing = "writing to the cache " + file.string();
  if (failure.error_number() != 0) return oci::write_error(failure.error_number(), doing);
  return Error(Errc::machine, doing + ": " + failure.message)
      .add_hint("set LITHIFY_STORE to a directory that you can write to");
}

std::optional<struct stat> stat_of(const std::filesystem::path& file) {
  struct stat info {};
  return ::stat(file.c_str(), &info) == 0 ? std::optional(info) : std::nullopt;
}

}  // namespace

struct CacheDatabase::Connection {
  explicit Connection(const std::filesystem::path& file) {
    // SQLite would wait at a pipe.
    const auto before = stat_of(file);
    if (before && !S_ISREG(before->st_mode)) throw Failure(SQLITE_NOTADB);
    sqlite3* raw = nullptr;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    const int code = sqlite3_open_v2(file.c_str(), &raw, flags, nullptr);
    database.reset(raw);
    check(code);
    sqlite3_extended_result_codes(raw, 1);
    sqlite3_limit(raw, SQLITE_LIMIT_LENGTH, k_max_value);
    check(sqlite3_busy_timeout(raw, k_busy_timeout_ms));
    prepare_schema();
    opened = stat_of(file);
  }

  // Going over to WAL does not wait for others as statements do.
  void prepare_schema() {
    for (int attempts = 50;; --attempts) {
      const int code = sqlite3_exec(database.get(), k_schema, nullptr, nullptr, nullptr);
      if (code == SQLITE_OK) return;
      const Failure failure(code, database.get());
      if (!failure.busy() || attempts == 0) throw failure;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  void check(int code) const {
    if (code != SQLITE_OK) throw Failure(code, database.get());
  }

  Statement prepare(const std::string& sql) const {
    sqlite3_stmt* raw = nullptr;
    const int code = sqlite3_prepare_v2(database.get(), sql.c_str(), -1, &raw, nullptr);
    Statement statement(raw);
    check(code);
    return statement;
  }

  void bind(const Statement& statement, int position, std::string_view value) const {
    check(sqlite3_bind_blob64(statement.get(), position, value.data(), value.size(),
                              SQLITE_STATIC));
  }

  // True if there is a row.
  bool step(const Statement& statement) const {
    const int code = sqlite3_step(statement.get());
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    throw Failure(code, database.get());
  }

  static std::string_view column(const Statement& statement, int number) {
    const void* data = sqlite3_column_blob(statement.get(), number);
    const int size = sqlite3_column_bytes(statement.get(), number);
    return {static_cast<const char*>(data), data ? static_cast<std::size_t>(size) : 0};
  }

  void run(const std::string& sql) const {
    check(sqlite3_exec(database.get(), sql.c_str(), nullptr, nullptr, nullptr));
  }

  std::unique_ptr<sqlite3, CloseDatabase> database;
  std::optional<struct stat> opened;  // the file this is, even when it has been set aside
};

CacheDatabase::CacheDatabase(std::filesystem::path file) : file_(std::move(file)) {
  oci::make_directories(file_.parent_path());
  attempt([](Connection&) {});
}

CacheDatabase::~CacheDatabase() = default;

// Runs `body` on a working connection, on a new file if this one is damaged.
template <class Body>
auto CacheDatabase::attempt(Body body) -> decltype(body(std::declval<Connection&>())) {
  const std::lock_guard lock(mutex_);
  for (int tries = 0;; ++tries) {
    try {
      if (!connection_) connection_ = std::make_unique<Connection>(file_);
      return body(*connection_);
    } catch (const Failure& failure) {
      if (!failure.damaged() || tries == 2) throw as_error(failure, file_);
      set_aside();
    }
  }
}

// Another process may have done it already: then there is a new file to open.
void CacheDatabase::set_aside() {
  const std::filesystem::path lock_file = file_.string() + ".lock";
  const oci::Fd lock = oci::open_file(lock_file, O_RDWR | O_CREAT, 0644);
  if (::flock(lock.get(), LOCK_EX) != 0) {
    throw oci::errno_error(errno, "locking " + lock_file.string());
  }
  const auto found = stat_of(file_);
  const bool ours = !connection_ || !connection_->opened ||
                    (found && found->st_ino == connection_->opened->st_ino);
  connection_.reset();
  if (!found || !ours) return;
  std::error_code ignored;  // what is not there need not go
  std::filesystem::remove_all(file_.string() + ".damaged", ignored);
  std::filesystem::rename(file_, file_.string() + ".damaged", ignored);
  std::filesystem::remove(file_.string() + "-wal", ignored);
  std::filesystem::remove(file_.string() + "-shm", ignored);
}

std::optional<std::string> CacheDatabase::get(Table table, std::string_view key) {
  return attempt([&](Connection& connection) -> std::optional<std::string> {
    try {
      const Statement statement = connection.prepare(
          fmt::format("SELECT value FROM {} WHERE key = ?", name_of(table)));
      connection.bind(statement, 1, key);
      if (!connection.step(statement)) return std::nullopt;
      return std::string(Connection::column(statement, 0));
    } catch (const Failure& failure) {
      if (failure.damaged()) throw;
      return std::nullopt;
    }
  });
}

void CacheDatabase::put(Table table, std::string_view key, std::string_view value) {
  attempt([&](Connection& connection) {
    try {
      const Statement statement = connection.prepare(fmt::format(
          "INSERT OR REPLACE INTO {} (key, value) VALUES (?, ?)", name_of(table)));
      connection.bind(statement, 1, key);
      connection.bind(statement, 2, value);
      connection.step(statement);
    } catch (const Failure& failure) {
      if (!failure.busy() && failure.kind() != SQLITE_TOOBIG) throw;
    }
  });
}

void CacheDatabase::remove(Table table, std::string_view key) {
  attempt([&](Connection& connection) {
    try {
      const Statement statement =
          connection.prepare(fmt::format("DELETE FROM {} WHERE key = ?", name_of(table)));
      connection.bind(statement, 1, key);
      connection.step(statement);
    } catch (const Failure& failure) {
      if (!failure.busy()) throw;
    }
  });
}

void CacheDatabase::prune(Table table,
                          const std::function<bool(std::string_view beginning)>& keep) {
  std::vector<std::string> gone;
  attempt([&](Connection& connection) {
    gone.clear();
    const Statement rows = connection.prepare(
        fmt::format("SELECT key, substr(value, 1, 8192) FROM {}", name_of(table)));
    while (connection.step(rows)) {
      if (!keep(Connection::column(rows, 1)))
        gone.emplace_back(connection.column(rows, 0));
    }
  });
  for (const std::string& key : gone)
    remove(table, key);
}

void CacheDatabase::compact() {
  attempt([](Connection& connection) {
    connection.run("VACUUM");
    connection.run("PRAGMA wal_checkpoint(TRUNCATE)");
  });
}

}  // namespace lithify
