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

#include "builder/plan/verify_policy.h"

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
  std::optional<ImageVerification> verify = {};
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
  bool run_scripts = false;               // scripts: run
  std::vector<std::string> unnormalised;  // of normaliser_names(), sorted; scripts: run
};

struct CopyStep {
  std::vector<std::string> paths;  // in the source; globs allowed; "." is all of it
  std::string source;              // key of Recipe::sources, or a stage
  bool of_stage = false;           // all that the stage is when its steps are done
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

// What a command sees beside the tree that it runs in. Nothing of it is in the result.
struct RunMount {
  enum class Kind { tree, cache, secret, temporary } kind = Kind::tree;
  std::string from;        // tree: key of Recipe::sources, or a stage
  bool of_stage = false;   // tree
  std::string path = ".";  // tree: what of it is mounted, relative; "." is all of it
  std::string id;          // cache, secret
  std::string at;          // absolute path in the sandbox; empty: the secret is in `env`
  std::string env;         // secret: the variable that holds it; empty: it is a file
  bool write = false;      // tree: may be written to; what is written is thrown away
  // cache: several steps at once in one; one step after another; one of its own, which
  // further such steps find again, for each step that finds it taken.
  enum class Share { shared, locked, apart } share = Share::shared;
  std::uint64_t size = 0;  // temporary: most bytes; 0: as the sandbox sees fit
  Place place;
};

// 0: no limit but the sandbox's own.
struct RunLimits {
  std::uint64_t memory = 0;  // bytes
  std::uint32_t cpus = 0;
  std::uint32_t pids = 0;
  std::int64_t time = 0;     // seconds of processor time of any one process
  std::int64_t timeout = 0;  // seconds by the clock on the wall
};

enum class Network { none, pinned };
enum class StepClock { real, epoch };

// A command in a sandbox.
struct RunStep {
  // Its place among the run steps of its image or stage as written, as
  // PackagesStep::number; the lock knows a pinned one by it.
  std::size_t number = 0;
  std::vector<std::string> argv;  // the shell included: {"/bin/sh", "-eu", "-c", script}
  // On top of what the sandbox itself gives. lower() puts what the base's configuration
  // says below it, without what `unset` names.
  std::map<std::string, std::string> env;
  std::vector<std::string>
      unset;  // sorted; what the sandbox itself gives can be among it
  std::string cwd = "/";
  std::string user = "0:0";  // "uid:gid", or a name, or names, of the tree's own passwd
  // In this order: a later one may lie within an earlier one, never the other way round.
  std::vector<RunMount> mounts;
  std::vector<std::string> outputs;  // absolute paths; empty: all of the root
  Network network = Network::none;
  StepClock clock = StepClock::real;
  RunLimits limits;
  std::vector<std::string> unnormalised;  // of normaliser_names(), sorted: switched off
};

// What the result of a command is cleaned of unless `normalise` says no, by name.
const std::vector<std::string>& normaliser_names();

using Verb = std::variant<PackagesStep, CopyStep, FileStep, DirStep, SymlinkStep,
                          RemoveStep, AttrsStep, UsersStep, GroupsStep, RunStep>;

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
  enum class Kind { scratch, source, image, stage } kind = Kind::scratch;
  std::string name;  // a key of Recipe::sources, an image or a stage of this recipe
  Place place;
};

struct Output {
  enum class Kind {
    oci,
    oci_archive,
    docker_archive,
    rootfs,
    tar,
    sbom
  } kind = Kind::oci;
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

// What a push signs, and what it says about the image.
struct SignRule {
  enum class Claim { sbom_spdx, sbom_cyclonedx, provenance };
  // classic: what cosign 2 and podman read; bundle: what cosign 3 reads.
  enum class Form { both, classic, bundle };
  // "env://VARIABLE", "NAME://ID", or a file: relative to the build file's directory, or
  // absolute.
  std::vector<std::string> keys;
  std::vector<Claim> attest;  // in the order written, each once
  Form form = Form::both;
  bool mirror_att = false;  // attestations in the classic form, too
  bool index_att = false;   // attestations as members of the index that is pushed, too
  Place place;
};

// ---- tests
// -----------------------------------------------------------------------------

struct TextRule {
  // `matches`: a Pattern (builder/plan/pattern.h) somewhere in the text.
  enum class Kind { contains, equals, matches } kind = Kind::contains;
  std::string text;
  bool refuted = false;  // it must not be so
};

struct FileExpectation {
  std::string path;  // absolute
  enum class Type { any, file, directory, symlink } type = Type::any;
  std::optional<std::uint32_t> mode;
  std::uint32_t any_of_mode = 0;  // at least one of these bits is set; 0: not looked at
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;
  std::vector<TextRule> text;  // of its content, of a symlink its target
  enum class Elf { any, fixed, dynamic } elf = Elf::any;  // fixed: needs no loader
  Place place;
};

// About the image's configuration. Lists that are not given are not looked at.
struct ConfigExpectation {
  std::map<std::string, TextRule> env;
  std::map<std::string, TextRule> labels;
  std::vector<std::string> ports;  // "80/tcp"
  std::vector<std::string> no_ports;
  std::vector<std::string> volumes;
  std::vector<std::string> no_volumes;
  std::optional<std::vector<std::string>> entrypoint;
  std::optional<std::vector<std::string>> cmd;
  std::optional<std::string> workdir;
  std::optional<std::string> user;
};

// One test of a built image: each part that is given must hold.
struct TestRecipe {
  std::string name;  // never empty, not unique
  Place place;
  // A command in the image's tree, as a run step without network and outputs; several:
  // set-up, the command, tear-down, in one sandbox. An empty `cwd` or `user` is what the
  // image's configuration says, and its environment is below `env`.
  std::vector<RunStep> before;
  std::optional<RunStep> run;
  std::vector<RunStep> after;
  // "$NAME" and "${NAME}" in values of their `env` are variables of the image. So
  // container-structure-test reads those of the file and of set-up; what it hands to the
  // command itself differs from driver to driver, here it is one rule for all.
  bool expands = false;
  int exit = 0;
  std::vector<TextRule> out;
  std::vector<TextRule> err;
  std::vector<FileExpectation> files;
  std::vector<std::string> absent;        // globs, as in RemoveStep
  std::optional<std::uint64_t> max_size;  // bytes of all files, each counted once
  std::optional<ConfigExpectation> config;
  std::string waiver;  // the reason why a failure does not stop a push; empty: it does
};

enum class RebuildCheck { never, on_push, always };

// One image for one platform, everything expanded.
struct ImageVariant {
  oci::Platform platform;
  From from;
  std::vector<RecipeStep> steps;
  ConfigChange config;
  std::vector<Output> outputs;
  std::vector<TestRecipe> tests = {};
};

// One stage for the images of one platform.
struct StageVariant {
  oci::Platform platform;  // of the images, and what $(platform.…) was
  // Where its commands run and what its packages are for: `platform`, or the builder's
  // own.
  oci::Platform runs_on;
  std::string lock_name;  // as ImageRecipe::lock_name: "stage:build"
  From from;
  std::vector<RecipeStep> steps;
};

// A build room: what it holds is copied and mounted elsewhere, or built upon.
struct StageRecipe {
  std::string name;
  std::string lock_name;  // "stage:<name>"; a variant's may be longer
  Place place;
  bool build_platform = false;         // platform: build
  std::vector<StageVariant> variants;  // for each platform that something needs it for
  std::size_t packages_steps = 0;      // as of ImageRecipe
  std::size_t run_steps = 0;
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
  std::size_t run_steps = 0;       // likewise
  std::map<std::string, std::string> annotations;
  Layering layering;
  std::vector<PushTarget> push;  // those whose `when` holds
  std::optional<SignRule> sign;
  RebuildCheck rebuild_check = RebuildCheck::never;
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

inline constexpr const char* k_build_file = "lithify.yaml";  // its usual name

struct Recipe {
  std::string file;       // the build file, as the user named it
  std::string directory;  // absolute; what relative paths are relative to
  std::string project;
  EpochRule epoch;
  std::vector<Argument> arguments;  // in the order written
  // By key: the source's name, or "name@linux/arm64" where $(platform.…) makes it differ.
  std::map<std::string, Source> sources;
  std::vector<StageRecipe> stages;  // in the order written
  std::vector<ImageRecipe> images;  // in the order written
};

// Something to say about a build file. Errors stop a build, warnings do not.
struct Problem {
  enum class Severity { error, warning } severity = Severity::error;
  oci::Error error;
};

}  // namespace lithify
