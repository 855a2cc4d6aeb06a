// render_error: one failure as people read it: message, snippet, reasons, what to type.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "oci/base/error.h"

#include "builder/plan/recipe.h"

namespace lithify {

// The texts that snippets are cut from, by file name as Place has it.
class SourceTexts {
 public:
  void add(const std::string& file, std::string text) { texts_[file] = std::move(text); }
  // Line `number`, counted from 1, without its end.
  std::optional<std::string_view> line(const std::string& file, int number) const;
  // All of it; Errc::internal if it was never read.
  const std::string& whole(const std::string& file) const;

 private:
  std::map<std::string, std::string> texts_;
};

struct Style {
  bool colour = false;
  int width = 100;  // columns; text of ours is wrapped at this or at 100
};

// The shape: "error[L####]: message", " --> file:line:column", the line with a caret,
// further places, "= note:" for each reason and circle of context, "= help:". Ends with a
// newline. Nothing in it can steer a terminal, whatever the error quotes.
std::string render_error(const oci::Error& error, const SourceTexts& texts,
                         const Style& style = {},
                         Problem::Severity severity = Problem::Severity::error);

// What the process returns when `error` ends it.
int exit_code(const oci::Error& error);

namespace exits {
inline constexpr int k_ok = 0;
inline constexpr int k_step_failed = 1;
inline constexpr int k_usage = 2;    // or the build file
inline constexpr int k_refused = 3;  // by tests, policy, or a tag that stays
inline constexpr int k_mismatch = 4;
inline constexpr int k_stale_lock = 5;
inline constexpr int k_network = 6;
inline constexpr int k_machine = 7;
inline constexpr int k_internal = 70;
inline constexpr int k_interrupted = 130;  // 128 + SIGINT
inline constexpr int k_reader_gone = 141;  // 128 + SIGPIPE
}  // namespace exits

}  // namespace lithify
