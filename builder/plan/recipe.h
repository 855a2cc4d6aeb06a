// Recipe: what the user wants, checked and with every $(…) expanded. Frontends make it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "oci/base/descriptor.h"
#include "oci/base/error.h"

namespace lithify {

using oci::Place;

// ---- sources: every byte that comes from outside -------------------------------------

struct LocalSource {
  std::string path;  // relative to the build file's directory, or absolute
  std::vector<std::string> include;  // globs; empty: everything
  std::vector<std::string> exclude;
  enum class Modes { fixed, keep, git } modes = Modes::fixed;
};

struct UrlSource {
  std::string url;
  std::optional<oci::Digest> sha256;
};

struct ArchiveSource {
  std::string location;  // a URL, or a path as in LocalSource
  int strip = 0;         // leading components to drop
  std::string subdir;    // what is taken after stripping; empty: all
  std::optional<oci::Digest> sha256;
};

struct LayoutSource {
  std::string path;
  std::string tag;  // empty: the only image there
};

struct ImageSource {
  std::string ref;              // Reference::str(); a digest in it selects
  bool build_platform = false;  // the builder's own instead of the image's
};

struct AptSource {
  std::string uri;  // empty: LITHIFY_APT_MIRROR, user's config, the machine's apt
  std::vector<std::string> suites;
  std::vector<std::string> components;
  std::vector<std::string> keys;  // names of keyrings or paths; empty: Debian's own
};

struct Source {
  std::string name;  // as written
  Place place;
  std::variant<LocalSource, UrlSource, ArchiveSource, LayoutSource, ImageSource,
               AptSource>
      kind;
};

// ---- steps
// -----------------------------------------------------------------------------

struct Owner {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  bool operator==(const Owner&) const = default;
};

struct PackageRequest {
  std::string name;
  std::string version;       // exact, or with a trailing '*'; empty: apt's candidate
  std::string architecture;  // Debian's name; empty: the image's
  Place place;
};

struct PackagesStep {
  // Its place among the packages steps of its image as written, counting those that
  // `when` switches off: the lock knows it by this number, which neither another kind of
  // step nor an argument shifts.
  std::size_t number = 0;
  std::vector<PackageRequest> packages;
  std::string source;  // key of Recipe::sources
  bool recommends = false;
  std::vector<std::string> drop;          // "docs", "man", "locales", "info"
  std::vector<std::string> keep_locales;  // with drop: locales
};

struct CopyStep {
  std::vector<std::string> paths;  // in the source; globs allowed; "." is all of it
  std::string source;              // key of Recipe::sources
  std::string to;                  // becomes exactly this path …
  std::string into;  // … or keeps its name below this directory; one of them is empty
  std::vector<std::string> include;
  std::vector<std::string> exclude;
  bool keep_paths = false;
  Owner owner;
  std::optional<std::uint32_t> mode;
  std::optional<std::uint32_t> dir_mode;
  bool unpack = false;
};

struct FileStep {
  std::string path;
  std::string text;
  Owner owner;
  std::uint32_t mode = 0644;
};

struct DirStep {
  std::string path;
  Owner owner;
  std::uint32_t mode = 0755;
};

struct SymlinkStep {
  std::string path;
  std::string target;
  Owner owner;
};

struct RemoveStep {
  std::vector<std::string> globs;
};

struct AttrsStep {
  std::vector<std::string> globs;
  std::optional<Owner> owner;
  std::optional<std::uint32_t> mode;
  std::optional<std::uint32_t> dir_mode;
  std::map<std::string, std::string> xattrs;
};

struct User {
  std::string name;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;  // the frontend sets it to uid when the file gives none
  std::string gecos;
  std::string home = "/nonexistent";
  std::string shell = "/usr/sbin/nologin";
  std::vector<std::string> groups;  // further groups, which exist by then
  bool create_home = false;
};

struct Group {
  std::string name;
  std::uint32_t gid = 0;
  std::vector<std::string> members;
};

struct UsersStep {
  std::vector<User> users;
};

struct GroupsStep {
  std::vector<Group> groups;
};

using Verb = std::variant<PackagesStep, CopyStep, FileStep, DirStep, SymlinkStep,
                          RemoveStep, AttrsStep, UsersStep, GroupsStep>;

struct RecipeStep {
  Verb verb;
  Place place;        // of the verb's key
  std::string name;   // empty: none given
  std::string layer;  // empty: none given
  std::string text;   // the step in one line, for history and progress: "copy . to /srv"
  bool mtime_epoch = false;  // mtime: epoch
};

// ---- images
// ----------------------------------------------------------------------------

// What the build file says about the configuration, over the base's. An engaged optional
// replaces; a map value of nullopt removes that key.
struct ConfigChange {
  bool inherit = true;
  std::optional<std::vector<std::string>> entrypoint;  // empty list: cleared
  std::optional<std::vector<std::string>> cmd;
  std::map<std::string, std::optional<std::string>> env;
  std::optional<std::string> user;
  std::optional<std::string> workdir;
  std::optional<std::vector<std::string>> ports;  // "80/tcp"
  std::optional<std::vector<std::string>> volumes;
  std::map<std::string, std::optional<std::string>> labels;
  std::optional<std::string> stop_signal;
  struct Health {
    std::vector<std::string> test;  // docker's form; empty: none ("NONE")
    std::int64_t interval = 0;      // nanoseconds
    std::int64_t timeout = 0;
    std::int64_t start_period = 0;
    int retries = 0;
  };
  std::optional<Health> healthcheck;
};

struct Layering {
  enum class Strategy { by_step, single, by_package } strategy = Strategy::by_step;
  int budget = 0;  // most layers of this image's own; 0: 120
  enum class Compression { zstd, gzip, none } compression = Compression::zstd;
};

struct From {
  enum class Kind { scratch, source, image } kind = Kind::scratch;
  std::string name;  // a key of Recipe::sources, or an image of this recipe
  Place place;
};

struct Output {
  enum class Kind { oci, oci_archive, docker_archive, rootfs, tar } kind = Kind::oci;
  std::string path;  // relative to the build file's directory; from --output: to the cwd
  Place place;
};

// What a tag of a registry may do: `once` is written and never changed, `move` moves.
struct TagRule {
  std::string name;
  bool once = true;
  Place place;
};

// One push is one manifest or one index of all platforms.
struct PushTarget {
  std::string repository;     // Reference::name(): "registry.example/shop/cart"
  std::vector<TagRule> tags;  // in the order written; empty: by digest alone
  Place place;
};

// One image for one platform, everything expanded.
struct ImageVariant {
  oci::Platform platform;
  From from;
  std::vector<RecipeStep> steps;
  ConfigChange config;
  std::vector<Output> outputs;
};

struct ImageRecipe {
  std::string name;
  // What the lock calls it: its key in `images:`, or "image" for the only one of a file,
  // whose name may come from the directory that the file happens to be in.
  std::string lock_name;
  std::string description;
  Place place;
  std::vector<ImageVariant> variants;  // one per platform, in the order written
  std::size_t packages_steps = 0;  // as written, those that `when` switches off included
  std::map<std::string, std::string> annotations;
  Layering layering;
  std::vector<PushTarget> push;  // those whose `when` holds
};

// Where `created` comes from when SOURCE_DATE_EPOCH is not set.
struct EpochRule {
  enum class Kind { automatic, git, zero, fixed } kind = Kind::automatic;
  std::int64_t seconds = 0;  // for fixed
};

// What an argument of the build file is, and who said so: "--arg", "the environment
// variable V", "the default at lithify.yaml:3".
struct Argument {
  std::string name;
  std::string value;
  std::string origin;
};

struct Recipe {
  std::string file;       // the build file, as the user named it
  std::string directory;  // absolute; what relative paths are relative to
  std::string project;
  EpochRule epoch;
  std::vector<Argument> arguments;  // in the order written
  // By key: the source's name, or "name@linux/arm64" where $(platform.…) makes it differ.
  std::map<std::string, Source> sources;
  std::vector<ImageRecipe> images;  // in the order written
};

// Something to say about a build file. Errors stop a build, warnings do not.
struct Problem {
  enum class Severity { error, warning } severity = Severity::error;
  oci::Error error;
};

}  // namespace lithify
