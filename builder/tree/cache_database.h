// CacheDatabase: cache.sqlite of the store, tables of keys and values that may be lost.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace lithify {

// What it holds can always be made again, so a damaged file is set aside (as
// "<file>.damaged") and a new one begun, and a lookup that fails for another reason is a
// miss. Safe for several threads and for several processes on one file. A full or
// read-only disk is Errc::machine.
class CacheDatabase {
 public:
  enum class Table { steps, files, layers };

  explicit CacheDatabase(std::filesystem::path file);
  ~CacheDatabase();
  CacheDatabase(const CacheDatabase&) = delete;
  CacheDatabase& operator=(const CacheDatabase&) = delete;

  std::optional<std::string> get(Table table, std::string_view key);
  // Replaces what was there. While another process writes for long, it is left undone.
  void put(Table table, std::string_view key, std::string_view value);
  void remove(Table table, std::string_view key);

  // Removes the rows that `keep` does not want; it sees the first 8 kB of their values.
  void prune(Table table, const std::function<bool(std::string_view beginning)>& keep);
  // Gives the room of removed rows back to the disk.
  void compact();

 private:
  struct Connection;
  template <class Body>
  auto attempt(Body body) -> decltype(body(std::declval<Connection&>()));
  void set_aside();

  std::filesystem::path file_;
  std::mutex mutex_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace lithify
