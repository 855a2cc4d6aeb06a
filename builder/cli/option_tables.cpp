// The commands and flags of lithify. Help, parsing and suggestions come from these
// tables.
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <limits>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/caches/cache_mounts.h"
#include "builder/cli/options.h"
#include "builder/cli/registry_caches.h"
#include "builder/sandbox/foreign_sandbox.h"

namespace lithify {

namespace {

oci::Error bad_value(std::string_view flag, std::string_view value,
                     std::string_view expected) {
  return oci::Error(oci::Errc::bad_input,
                    fmt::format("{} takes {}, not `{}`", flag, expected, value));
}

void add_argument(Options& options, std::string_view value) {
  const std::size_t equals = value.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    throw bad_value("--arg", value, "NAME=VALUE");
  }
  options.arguments.emplace_back(value.substr(0, equals), value.substr(equals + 1));
}

void add_annotation(Options& options, std::string_view value) {
  const std::size_t equals = value.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    throw bad_value("--annotation", value, "NAME=VALUE");
  }
  options.annotations.emplace_back(value.substr(0, equals), value.substr(equals + 1));
}

// "id=NAME,src=FILE" or "id=NAME,env=VARIABLE".
void add_secret(Options& options, std::string_view value) {
  SecretOption secret;
  for (std::string_view rest = value; !rest.empty();) {
    const std::string_view part = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
    const std::size_t equals = std::min(part.find('='), part.size());
    const std::string_view key = part.substr(0, equals);
    std::string* const field = key == "id"    ? &secret.id
                               : key == "src" ? &secret.file
                               : key == "env" ? &secret.variable
                                              : nullptr;
    if (field == nullptr || !field->empty() || equals + 1 >= part.size()) {
      throw bad_value("--secret", value, "id=NAME,src=FILE or id=NAME,env=VARIABLE");
    }
    *field = part.substr(equals + 1);
  }
  if (secret.id.empty() || secret.file.empty() == secret.variable.empty()) {
    throw bad_value("--secret", value, "id=NAME,src=FILE or id=NAME,env=VARIABLE");
  }
  for (const SecretOption& other : options.secrets) {
    if (other.id == secret.id) {
      throw oci::Error(oci::Errc::bad_input,
                       fmt::format("--secret gives `{}` twice", secret.id));
    }
  }
  options.secrets.push_back(std::move(secret));
}

void set_threshold(Options& options, std::string_view value) {
  const char* const end = value.data() + value.size();
  const auto [stop, problem] = std::from_chars(value.data(), end, options.threshold);
  if (problem != std::errc() || stop != end || options.threshold == 0) {
    throw bad_value("--threshold", value, "a number of keys");
  }
}

void add_platforms(Options& options, std::string_view value) {
  while (!value.empty()) {
    const std::size_t comma = std::min(value.find(','), value.size());
    if (comma > 0) options.platforms.emplace_back(value.substr(0, comma));
    value.remove_prefix(std::min(comma + 1, value.size()));
  }
  if (options.platforms.empty()) throw bad_value("--platform", value, "os/architecture");
}

void set_jobs(Options& options, std::string_view value) {
  const char* const end = value.data() + value.size();
  const auto [stop, problem] = std::from_chars(value.data(), end, options.jobs);
  if (problem != std::errc() || stop != end || options.jobs < 1 || options.jobs > 1024) {
    throw bad_value("--jobs", value, "a number from 1 to 1024");
  }
}

void set_progress(Options& options, std::string_view value) {
  if (value == "auto") {
    options.progress = ProgressKind::automatic;
  } else if (value == "tty") {
    options.progress = ProgressKind::tty;
  } else if (value == "plain") {
    options.progress = ProgressKind::plain;
  } else if (value == "quiet") {
    options.progress = ProgressKind::quiet;
  } else if (value == "json") {
    options.progress = ProgressKind::json;
  } else {
    throw bad_value("--progress", value, "auto, tty, plain, quiet or json");
  }
}

void set_colour(Options& options, std::string_view value) {
  if (value == "auto") {
    options.colour = When::automatic;
  } else if (value == "always") {
    options.colour = When::always;
  } else if (value == "never") {
    options.colour = When::never;
  } else {
    throw bad_value("--color", value, "auto, always or never");
  }
}

// "16M": bytes.
void set_sandbox(Options& options, std::string_view value) {
  if (!parse_runner(value)) {
    throw bad_value("--sandbox", value, "own, bwrap, crun or runc");
  }
  options.sandbox = value;
}

void set_chunk_size(Options& options, std::string_view value) {
  std::uint64_t size = 0;
  const char* const end = value.data() + value.size();
  const auto [stop, problem] = std::from_chars(value.data(), end, size);
  const std::string_view unit(stop, static_cast<std::size_t>(end - stop));
  if (unit == "k" || unit == "K") size <<= 10;
  if (unit == "m" || unit == "M") size <<= 20;
  const bool known = unit.empty() || unit.find_first_not_of("kKmM") == unit.npos;
  constexpr std::uint64_t k_least = 64 << 10;
  constexpr std::uint64_t k_most = 1 << 30;
  if (problem != std::errc() || !known || unit.size() > 1 || size < k_least ||
      size > k_most) {
    throw bad_value("--chunk-size", value, "a size from 64k to 1024M");
  }
  options.chunk_size = size;
}

void add_cache_from(Options& options, std::string_view value) {
  options.cache_from.push_back(cache_name("--cache-from", value));
}

void add_cache(Options& options, std::string_view value) {
  if (!is_cache_id(value))
    throw bad_value("--cache", value, "the name of a cache, as `{cache: NAME}` has it");
  options.caches.emplace_back(value);
}

void set_cache_to(Options& options, std::string_view value) {
  std::string name = cache_name("--cache-to", value);
  if (!options.cache_to.empty() && options.cache_to != name) {
    throw oci::Error(oci::Errc::bad_input, "--cache-to is given twice")
        .add_hint("results go to one cache; --cache-from may name several");
  }
  options.cache_to = std::move(name);
}

template <std::string Options::*Member>
void set_text(Options& options, std::string_view value) {
  options.*Member = value;
}

// Several add up, as git's do.
void add_directory(Options& options, std::string_view value) {
  options.directory = (std::filesystem::path(options.directory) / value).string();
}

template <bool Options::*Member>
void set(Options& options, std::string_view) {
  options.*Member = true;
}

constexpr unsigned k_readers =
    k_build | k_lock | k_check | k_plan | k_push | k_sbom | k_test | k_shell;
constexpr unsigned k_builders = k_build | k_plan | k_push | k_sbom | k_test | k_shell;
constexpr unsigned k_askers = k_build | k_lock | k_plan | k_push | k_inspect | k_copy |
                              k_tag | k_join | k_login | k_doctor | k_sign | k_attest |
                              k_verify | k_diff | k_reproduce | k_sbom | k_test | k_shell;

constexpr Flag k_flags[] = {
    {'f', "--file", "FILE", k_readers, "read this build file (default: lithify.yaml)",
     set_text<&Options::file>},
    {0, "--arg", "NAME=VALUE", k_readers | k_reproduce,
     "set an argument of the build file", add_argument},
    {0, "--secret", "id=NAME,src=FILE", k_build | k_push | k_reproduce | k_test | k_shell,
     "what `run` steps may mount by this name: a file, or a variable with "
     "id=NAME,env=VAR; it is in no result, and *** where a command prints it",
     add_secret},
    {0, "--platform", "P,…", k_readers | k_inspect | k_copy,
     "only these platforms, as linux/arm64 (default: those of the build file)",
     add_platforms},
    {0, "--locked", "", k_builders, "refuse to write lithify.lock; exit 5 if it is stale",
     set<&Options::locked>},
    {0, "--offline", "", k_builders | k_lock | k_inspect | k_diff | k_reproduce,
     "use no network; what is not in the store is an error", set<&Options::offline>},
    {0, "--allow-repacked", "", k_builders,
     "take an archive whose bytes changed but whose content is what the lock says",
     set<&Options::allow_repacked>},
    {0, "--output", "KIND=PATH", k_build,
     "also write oci=DIR, oci-archive=FILE, docker-archive=FILE, rootfs=DIR, tar=FILE or "
     "sbom=FILE, which ends with .spdx.json or .cdx.json",
     [](Options& options, std::string_view value) {
       options.outputs.emplace_back(value);
     }},
    {0, "--push", "", k_build, "also push where the build file says, as `push` does",
     set<&Options::push>},
    {0, "--tag", "REF", k_build | k_push | k_join,
     "push to this repository and tag too; such a tag is written once and never moved",
     [](Options& options, std::string_view value) { options.tags.emplace_back(value); }},
    {0, "--push-by-digest", "", k_build | k_push,
     "push without tags; `join` makes an index of what several machines pushed",
     set<&Options::push_by_digest>},
    {0, "--dry-run", "", k_build | k_push,
     "build, but only tell what a push would send and which tags it would write",
     set<&Options::dry_run>},
    {0, "--move", "", k_copy | k_tag | k_join,
     "let the tag move if it names another image", set<&Options::move>},
    {0, "--expect", "DIGEST", k_tag,
     "move the tag only if it names this now; `absent` if it must not be there",
     set_text<&Options::expect>},
    {0, "--referrers", "", k_copy,
     "also what points at the image: signatures, SBOMs, provenance",
     set<&Options::referrers>},
    {0, "--key", "KEY", k_build | k_push | k_sign | k_attest | k_verify | k_reproduce,
     "sign with this key, before any tag is written; of verify, whom to believe, one or "
     "several: a file, env://VARIABLE, pkcs11:… for a token's, or NAME://ID for what "
     "sigstore-kms-NAME keeps",
     [](Options& options, std::string_view value) { options.keys.emplace_back(value); }},
    {0, "--no-sign", "", k_build | k_push,
     "push without the signatures that the build file asks for", set<&Options::no_sign>},
    {0, "--policy", "FILE", k_verify, "check what this file demands, instead of --key",
     set_text<&Options::policy>},
    {0, "--as", "REF", k_sign | k_attest | k_verify,
     "the name that is signed, or must be: of an image in a layout, or a copy",
     set_text<&Options::as>},
    {0, "--passphrase-file", "FILE",
     k_build | k_push | k_key | k_sign | k_attest | k_reproduce,
     "read the passphrase of the key from this file",
     set_text<&Options::passphrase_file>},
    {0, "--reproduced-by", "KEY", k_verify,
     "this key must have attested that it reproduced the image; of several, --threshold",
     [](Options& options, std::string_view value) {
       options.reproduced_by.emplace_back(value);
     }},
    {0, "--annotation", "NAME=VALUE", k_sign | k_verify,
     "sign this too; of verify: what must be signed", add_annotation},
    {0, "--threshold", "N", k_verify, "so many of the keys must have signed (default: 1)",
     set_threshold},
    {0, "--predicate", "FILE", k_attest, "what is claimed, a JSON object",
     set_text<&Options::predicate_file>},
    {0, "--format", "FORM", k_sbom, "spdx (default: version 2.3) or cyclonedx (1.6)",
     set_text<&Options::format>},
    {0, "--type", "TYPE", k_attest | k_verify | k_key,
     "of attest and verify: a predicate type, a URI or one of spdx, cyclonedx, openvex, "
     "provenance and test-result; of key generate: p256 (default), p384, p521, rsa or "
     "ed25519",
     [](Options& options, std::string_view value) {
       options.predicate_type = value;
       options.key_type = value;
     }},
    {'u', "--username", "NAME", k_login, "log in as NAME", set_text<&Options::username>},
    {0, "--password-stdin", "",
     k_build | k_push | k_login | k_key | k_sign | k_attest | k_reproduce,
     "read the password from standard input", set<&Options::password_stdin>},
    {0, "--authfile", "FILE", k_askers,
     "take credentials from this file alone (default: those of docker and podman)",
     set_text<&Options::auth_file>},
    {0, "--chunk-size", "SIZE", k_build | k_push | k_copy | k_join,
     "send blobs in pieces of this size where one request is refused, as 16M",
     set_chunk_size},
    {0, "--no-cache", "", k_build | k_push | k_test, "do every step and test again",
     set<&Options::no_cache>},
    {0, "--skip-tests", "", k_build | k_push,
     "run no tests; a push then refuses images with tests that have no waiver",
     set<&Options::skip_tests>},
    {0, "--junit", "FILE", k_build | k_push | k_test,
     "write what came of the tests as JUnit XML", set_text<&Options::junit>},
    {0, "--structure", "FILE", k_test,
     "take the tests of this container-structure-test file, for an image that is there",
     [](Options& options, std::string_view value) {
       options.structure.emplace_back(value);
     }},
    {0, "--keep-failed", "", k_build | k_push | k_test,
     "leave the files of a command that failed where they are, to look at",
     set<&Options::keep_failed>},
    {0, "--sandbox", "PROGRAM", k_build | k_push,
     "whose sandbox runs commands: own, bwrap, crun or runc (default: own)", set_sandbox},
    {0, "--after", "", k_shell, "run the step's command first, and look at what it left",
     set<&Options::after>},
    {0, "--rebuild-check", "[=STEP]", k_build | k_push,
     "run every command twice, or that of STEP (OWNER/NUMBER or its name), the second "
     "time with another clock, order of names, number of processors and more; exit 4 if "
     "results differ",
     [](Options& options, std::string_view value) {
       if (value.empty())
         options.rebuild_check = true;
       else
         options.rebuild_checks.emplace_back(value);
     }},
    {0, "--cache-from", "REF", k_builders,
     "take results of steps and layers from this repository of a registry, host/path, "
     "where they are not in the store; may be given several times",
     add_cache_from},
    {0, "--cache-to", "REF", k_builders,
     "put results into this repository when the build has succeeded (`plan` puts none)",
     set_cache_to},
    {0, "--metadata-file", "FILE", k_build, "write what was built as JSON",
     set_text<&Options::metadata_file>},
    {0, "--provenance", "FILE", k_build | k_reproduce,
     "of build: write what the only image built was made of (SLSA provenance v1); of "
     "reproduce: read it there",
     set_text<&Options::provenance>},
    {0, "--twice", "", k_build,
     "build a second time in a store of its own, with other threads, time zone, locale "
     "and "
     "umask, and compare; exit 4 if it differs",
     set<&Options::twice>},
    {0, "--source", "[NAME=]DIR", k_reproduce,
     "take local sources from here: the directory of the build file, or that of one "
     "source",
     [](Options& options, std::string_view value) {
       options.source_places.emplace_back(value);
     }},
    {0, "--attest", "", k_reproduce,
     "sign that the image was reproduced, with the last --key", set<&Options::attest>},
    {0, "--digest-file", "FILE", k_build,
     "write the digest of the only image built (also: --iidfile)",
     set_text<&Options::digest_file>},
    {0, "--iidfile", "FILE", k_build, "", set_text<&Options::digest_file>},
    {0, "--update", "", k_lock, "move forward what is named, or everything",
     set<&Options::update>},
    {0, "--check", "", k_lock, "write nothing; exit 5 if the lock is stale",
     set<&Options::check>},
    {0, "--cache", "ID", k_cache,
     "with export and import: only this cache; may be given several times", add_cache},
    {0, "--all", "", k_cache, "with prune: remove everything", set<&Options::all>},
    {0, "--yes", "", k_cache, "do not ask", set<&Options::yes>},
    {'j', "--jobs", "N",
     k_build | k_lock | k_plan | k_push | k_sbom | k_reproduce | k_test | k_shell |
         k_cache,
     "use N threads (default: one for each processor); results do not depend on it",
     set_jobs},
    {'C', "", "DIR", k_every, "go to this directory first", add_directory},
    {0, "--cache-dir", "DIR", k_every,
     "keep the store here (default: $LITHIFY_STORE, then ~/.cache/lithify)",
     set_text<&Options::cache_dir>},
    {0, "--json", "", k_every, "write one JSON document to standard output",
     set<&Options::json>},
    {0, "--progress", "KIND", k_every,
     "auto, tty, plain, quiet or json (default: auto, by the terminal)", set_progress},
    {0, "--color", "WHEN", k_every, "auto, always or never (default: auto)", set_colour},
    {'q', "--quiet", "", k_every, "only warnings and errors; -qq: only errors",
     [](Options& options, std::string_view) { ++options.quiet; }},
    {'v', "--verbose", "", k_every, "tell more; -vv: tell everything",
     [](Options& options, std::string_view) { ++options.verbose; }},
    {'h', "--help", "", k_every, "show help", set<&Options::help>},
    {0, "--version", "", k_every, "show the version", set<&Options::version>},
};

constexpr std::size_t k_any = std::numeric_limits<std::size_t>::max();

constexpr CommandText k_commands[] = {
    {"build", k_build, "[IMAGE…]", k_any, "build images and write their outputs",
     "Builds the named images of the build file, or all of them, and prints one line for "
     "each: its name and its digest. What the build file asks of the outside world is "
     "answered by lithify.lock beside it; the first build writes that file. A cache in a "
     "registry (--cache-from, --cache-to) holds one tag, `k1-…`, for each result. Tags "
     "are never changed, and any of them may be deleted: what is missing is built. Who "
     "may write there decides what others build."},
    {"lock", k_lock, "[--update [NAME…]] [--check]", k_any,
     "write or refresh lithify.lock",
     "Adds what is missing and keeps the rest, so that other arguments and platforms "
     "find theirs. With --update the named sources, packages, images or stages move "
     "forward, "
     "or all of them; then what nobody asks for is dropped."},
    {"check", k_check, "[FILE…]", k_any,
     "read the build file and say what is wrong with it",
     "Reports every problem of the build file, or of the files named. Never touches the "
     "network."},
    {"plan", k_plan, "[IMAGE…]", k_any, "show what a build would do",
     "Lists the steps with what is cached, the downloads with their sizes, packages "
     "whose scripts are not imitated, and where each setting came from. Builds nothing."},
    {"test", k_test, "[IMAGE…]|PLACE", k_any, "run the tests of images",
     "Builds what is not built yet, without writing outputs, and runs what `tests:` says "
     "on the files and the configuration of each image; commands run in the sandbox of "
     "steps, without network. What passed and has not changed is not run again. Exit "
     "code 3 if a test fails that has no waiver, 7 if this machine cannot run it. With "
     "--structure PLACE is any image: a reference, a layout, an archive or a name in the "
     "store."},
    {"push", k_push, "[IMAGE…]", k_any, "push images where the build file says",
     "Builds what is not built yet, without writing outputs, and pushes to the "
     "repositories that `push:` names: first everything by digest, then the tags. A tag "
     "that is `once` is written and never changed: if it names another image, nothing is "
     "pushed and the exit code is 3. Only a tag that is `move` moves."},
    {"pull", k_copy, "REF [DIR]", 2, "fetch an image from a registry",
     "Into the OCI layout DIR, or into the store, where `inspect` finds it by its name."},
    {"copy", k_copy, "SOURCE DESTINATION", 2,
     "copy an image between registries, layouts and archives",
     "Places are references (host/path:tag), oci:DIR:NAME, oci-archive:FILE, "
     "docker-archive:FILE or store:NAME; paths need no prefix. Layers that the "
     "destination's registry already has are not sent. A tag that names another image is "
     "not moved without --move."},
    {"tag", k_tag, "REF TAG…", k_any, "give an image in a registry further tags",
     "Sends nothing but the manifest. A tag that names another image is not moved "
     "without "
     "--move or --expect."},
    {"join", k_join, "REF@DIGEST…", k_any,
     "make one index of images that several machines pushed",
     "Each machine builds with --platform and --push-by-digest; the index is the one "
     "that "
     "a single machine would have made, with platforms in the order given here."},
    {"login", k_login, "HOST", 1, "keep a user name and password for a registry",
     "Checks them first, and keeps them as docker does, in its file or helper."},
    {"logout", k_login, "HOST", 1, "forget what `login` kept", ""},
    {"doctor", k_doctor, "[REF]", 1,
     "show what this machine allows, or how a registry is reached",
     "Without REF: the sandbox that steps get to run programs in, found by trying, and "
     "what to type where a better one is missing; exit code 7 if there is none. With "
     "REF: "
     "asks for the image and tells the servers, files and keys that were used. Never "
     "shows a secret."},
    {"key", k_key, "generate|import|public|export …", 3,
     "make and convert keys for signing",
     "`generate [NAME]` makes NAME.key and NAME.pub (default: lithify); `import FILE "
     "[NAME]` makes them of a key in PKCS#8, SEC1 or PKCS#1. The private key is "
     "encrypted "
     "as cosign's are; the passphrase is asked for, or taken from --passphrase-file, "
     "LITHIFY_PASSWORD or COSIGN_PASSWORD. `public "
     "KEY` prints the public key, `export KEY` the private one as PKCS#8."},
    {"sign", k_sign, "REF|LAYOUT", 1, "sign an image in a registry or layout",
     "Signs the index and the image of each platform, in both forms that verifiers read: "
     "cosign's tag and a sigstore bundle. Signing again changes nothing. In a layout, "
     "cosign's form needs --as, the name that the image will have; `copy --referrers` "
     "takes the signatures along. The passphrase of the key is asked for, or taken from "
     "--passphrase-file, LITHIFY_PASSWORD or COSIGN_PASSWORD."},
    {"attest", k_attest, "REF|LAYOUT", 1, "say something about an image",
     "Signs a statement of the given --type about the image, with the JSON object of "
     "--predicate, and attaches it as a sigstore bundle. Saying it again changes "
     "nothing. "
     "`verify --type` asks for it; it never counts as a signature of the image."},
    {"verify", k_verify, "REF|LAYOUT", 1, "check the signatures of an image",
     "Accepts the image if one of the keys, or --threshold of them, signed it. An "
     "attestation is no signature: with --type one of that predicate type is wanted. "
     "--policy FILE names keys and rules for repositories instead. Exit code 4 if it is "
     "not accepted, and if there is nothing to accept."},
    {"sbom", k_sbom, "[IMAGE]", 1, "print what is in an image: packages and files",
     "Without IMAGE, of what the build file makes. IMAGE is a reference to one in a "
     "registry, whose attached SBOM is printed as it is (its signature is for `verify "
     "--type spdx` to check), an image of the build file, or a layout or archive that "
     "the "
     "build file has made. Of one platform: --platform, or this machine's."},
    {"inspect", k_inspect, "IMAGE [PATH]", 2, "show an image, its layers and its files",
     "IMAGE is the directory of an OCI layout, an archive, the name of an image that was "
     "built here, or a reference to one in a registry; of several in one place, "
     "PLACE:NAME. PATH lists the files below it with the layer that each came from."},
    {"diff", k_diff, "A B", 2, "show what two images do not have in common, and why",
     "Compares indexes, manifests, configurations and layers. Names each difference down "
     "to the field of a header or the byte of a file, with its likely cause: a clock, a "
     "package, an encoder, the base, a mode. Exit code 4 if there is any."},
    {"reproduce", k_reproduce, "IMAGE", 1, "build an image again, and compare the bytes",
     "Takes build file, lock and sources from the provenance that is attached to the "
     "image "
     "(or --provenance), believes it if a --key signed it, and builds in a fresh store. "
     "Exit code 4, with the cause, if the bytes differ. With --attest it is signed, by "
     "the "
     "last --key, that they are equal; `verify --reproduced-by` asks for that."},
    {"shell", k_shell, "IMAGE[:STEP] [-- PROGRAM…]", k_any,
     "look around in the sandbox of a step, or of an image",
     "Builds what the step needs and opens a shell where its command would run: its "
     "files, mounts, variables, user and limits. STEP is the number of a `run` of the "
     "image, from 1, or its name; STAGE/STEP is one of a stage. With --after the command "
     "has run, or failed, before. Without STEP it is the finished image. What is changed "
     "is thrown away, but in caches. With PROGRAM that is run instead, and its exit "
     "status is ours."},
    {"cache", k_cache, "ls | rm NAME… | prune [--all] | export|import FILE", k_any,
     "list, shrink or move what the store holds",
     "`ls` lists the images in the store and the caches of commands (`mounts: [{cache: "
     "ID, …}]`). `rm` forgets images by name, and removes caches by theirs. `prune` "
     "removes what no image with a name "
     "needs and no build has used for 14 days; with --all, everything. `export FILE` "
     "writes the caches of commands into one archive (.tar.zst; `-`: to standard "
     "output), which CI can keep between jobs; equal caches are equal bytes. `import "
     "FILE` puts each cache of such an archive in the place of the one with its name, "
     "as a whole, once all of the archive was read and is good; other caches stay. Both "
     "wait for commands that use a cache. Results of steps are not in it: --cache-to "
     "puts those into a registry. Import only what you trust: who can change the "
     "archive decides what the next builds find in their caches."},
    {"schema", k_others, "", 0, "print the JSON Schema of build files", ""},
    {"version", k_others, "", 0, "print the version and the encoders", ""},
    {"help", k_others, "[COMMAND]", 1, "explain a command", ""},
};

}  // namespace

std::span<const Flag> all_flags() {
  return k_flags;
}
std::span<const CommandText> all_commands() {
  return k_commands;
}

const CommandText* find_command(std::string_view name) {
  for (const CommandText& command : k_commands) {
    if (command.name == name) return &command;
  }
  return nullptr;
}

}  // namespace lithify
