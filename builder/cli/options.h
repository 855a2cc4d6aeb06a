// options: the command line as a value, and the tables it is read by.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "builder/plan/recipe.h"

namespace lithify {

enum class When { automatic, always, never };
enum class ProgressKind { automatic, tty, plain, quiet, json };

// A secret of a run step, by the id that the build file uses: in a file or in a variable
// of the environment, one of the two.
struct SecretOption {
  std::string id;
  std::string file;
  std::string variable;
};

struct Options {
  std::string command;  // empty: none given
  std::vector<std::string> operands;

  std::string directory;  // all -C joined; empty: where we are
  std::string file = k_build_file;
  std::vector<std::pair<std::string, std::string>> arguments;  // --arg, in order
  std::vector<std::string> platforms;
  std::vector<SecretOption> secrets;    // --secret, ids unique
  std::vector<std::string> outputs;     // "oci=DIR", as written
  std::vector<std::string> cache_from;  // --cache-from, as "host/path"
  std::string cache_to;                 // the same of --cache-to; empty: none
  std::vector<std::string> caches;      // --cache, ids
  std::string cache_dir;                // empty: LITHIFY_STORE, then the default
  std::string metadata_file;
  std::string digest_file;
  std::string junit;                   // --junit, a file
  std::vector<std::string> structure;  // --structure, files
  unsigned jobs = 0;                   // 0: as many as there are processors
  int quiet = 0;
  int verbose = 0;
  When colour = When::automatic;
  ProgressKind progress = ProgressKind::automatic;
  bool locked = false;
  bool offline = false;
  bool no_cache = false;
  bool keep_failed = false;
  bool skip_tests = false;
  std::string sandbox = "own";              // --sandbox, a name that parse_runner() knows
  bool after = false;                       // of shell
  bool rebuild_check = false;               // of all commands
  std::vector<std::string> rebuild_checks;  // of these
  bool allow_repacked = false;
  bool push = false;
  bool push_by_digest = false;
  bool dry_run = false;
  bool no_sign = false;
  bool move = false;
  bool referrers = false;
  bool password_stdin = false;
  std::vector<std::string> tags;  // --tag, as written
  std::string expect;             // a digest, or "absent"
  std::string auth_file;
  std::vector<std::string> keys;                                 // --key, as written
  std::vector<std::pair<std::string, std::string>> annotations;  // --annotation
  std::string key_type = "p256";
  std::string predicate_type;  // --type of verify and attest; empty: an image signature
  std::string predicate_file;
  std::string as;               // --as: the name that signatures bind
  std::string policy;           // --policy, a file
  std::string passphrase_file;  // --passphrase-file
  unsigned threshold = 0;       // 0: not given
  std::string format;           // --format of sbom; empty: spdx
  std::string provenance;       // of build: to write; of reproduce: to read
  bool twice = false;
  bool attest = false;                     // of reproduce
  std::vector<std::string> source_places;  // --source, as written
  std::vector<std::string> reproduced_by;  // keys, as written
  std::string username;
  std::uint64_t chunk_size = 0;  // bytes; 0: by the host
  bool json = false;
  bool update = false;
  bool check = false;
  bool all = false;
  bool yes = false;
  bool help = false;
  bool version = false;

  std::vector<std::string> words;  // all of the above as it was given
  std::string inside;              // builder/cli/inside.h; empty: we are outside
};

// Which commands take a flag, as bits.
enum Takers : unsigned {
  k_every = ~0U,
  k_build = 1U << 0,
  k_lock = 1U << 1,
  k_check = 1U << 2,
  k_plan = 1U << 3,
  k_inspect = 1U << 4,
  k_cache = 1U << 5,
  k_push = 1U << 7,
  k_copy = 1U << 8,  // copy, pull
  k_tag = 1U << 9,
  k_join = 1U << 10,
  k_login = 1U << 11,
  k_doctor = 1U << 12,
  k_key = 1U << 13,
  k_sign = 1U << 14,
  k_verify = 1U << 15,
  k_attest = 1U << 16,
  k_sbom = 1U << 17,
  k_diff = 1U << 20,
  k_reproduce = 1U << 21,
  k_test = 1U << 22,
  k_shell = 1U << 23,
  k_others = 1U << 6,  // schema, version, help: global flags only
};

struct Flag {
  char letter;            // 0: none
  std::string_view name;  // with its dashes; empty: a letter alone
  // What stands for the value in help; empty: takes none; "[=…]": may have one, behind
  // the equals sign.
  std::string_view value;
  unsigned takers;
  std::string_view help;
  // Puts the flag into the options; throws Error for a value that makes no sense.
  void (*apply)(Options& options, std::string_view value);
};

struct CommandText {
  std::string_view name;
  unsigned taker;
  std::string_view operands;  // "[IMAGE…]"
  std::size_t most_operands;
  std::string_view summary;
  std::string_view details;  // a paragraph below the usage line
};

std::span<const Flag> all_flags();
std::span<const CommandText> all_commands();
const CommandText* find_command(std::string_view name);

// Reads the words after the program's name. Flags may stand before and after the command;
// "--" ends them. Mistakes are Errc::bad_input with a hint.
Options parse_options(std::span<const std::string> words);

// The help of one command, or of the program for an empty name.
std::string help_text(std::string_view command);

}  // namespace lithify
