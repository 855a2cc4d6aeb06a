// cause: from what is surest to what is likely.
#include "builder/compare/cause.h"

#include <fmt/format.h>

#include "oci/image/manifest.h"

#include "builder/compare/clock_text.h"

namespace lithify {

namespace {

using Kind = oci::ImageDifference::Kind;
using oci::ImageDifference;

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}
bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

constexpr const char* k_not_there = "not there";

std::string or_missing(const std::string& version) {
  return version.empty() ? k_not_there : version;
}

const PackageOwners& owners(const std::map<std::string, PackageOwners>& all,
                            const std::string& platform) {
  static const PackageOwners k_none;
  const auto found = all.find(platform);
  return found != all.end() ? found->second : k_none;
}

class Search {
 public:
  Search(const ImageDifference& difference, const Surroundings& known)
      : difference_(difference),
        known_(known),
        first_(owners(known.first, difference.platform)),
        second_(owners(known.second, difference.platform)) {}

  Cause run() const {
    if (difference_.kind == Kind::encoding) return encoder();
    if (!difference_.document.empty()) return of_document();
    if (is_of_base()) return base();
    if (difference_.kind == Kind::framing) {
      return {CauseKind::writer, "", "the same members, written by another program"};
    }
    if (const auto cause = package()) return *cause;
    if (const auto cause = clock()) return *cause;
    if (const auto cause = of_header()) return *cause;
    if (const auto cause = source()) return *cause;
    return rest();
  }

 private:
  Cause encoder() const {
    Cause cause{CauseKind::encoder, "", "the same tar, compressed by another encoder",
                "the diff ids are equal, so the files are; build with the same lithify"};
    if (!known_.locked_encoder.empty() && known_.locked_encoder != known_.own_encoder) {
      cause.sentence += fmt::format(": the lock says {}, here it is {}",
                                    known_.locked_encoder, known_.own_encoder);
    }
    return cause;
  }

  Cause of_document() const {
    const std::string& field = difference_.field;
    if (difference_.kind == Kind::framing)
      return {CauseKind::writer, "", "the same content, written by another program"};
    if (ends_with(field, "created") && difference_.document == "configuration" &&
        (field == "created" || starts_with(field, "history["))) {
      return {CauseKind::epoch, "", "the images have different epochs",
              "`created` is SOURCE_DATE_EPOCH, else `epoch:` of the build file, else the "
              "time of the git commit"};
    }
    if (ends_with(field, "].mediaType") && starts_with(field, "layers["))
      return {CauseKind::encoder, "", "layers are compressed otherwise",
              "compare the `compression:` of the two"};
    if (difference_.document == "configuration") {
      if (starts_with(field, "history[") && is_history_of_base()) return base();
      if (const auto cause = clock()) return *cause;
      return {CauseKind::settings, "config",
              "the configuration that was asked for differs",
              "compare `config:` of the build files, and the arguments"};
    }
    return {CauseKind::settings, "documents",
            "the build files ask for different documents",
            "compare platforms and annotations"};
  }

  bool is_history_of_base() const {
    const auto layers = known_.base_layers.find(difference_.platform);
    if (layers == known_.base_layers.end()) return false;
    const std::size_t number = std::strtoul(difference_.field.c_str() + 8, nullptr, 10);
    return number < layers->second;
  }

  bool is_of_base() const {
    const auto layers = known_.base_layers.find(difference_.platform);
    if (layers == known_.base_layers.end()) return false;
    // Told by the second image, which was built here. A layer that only the first has
    // counts where the base stands, too.
    const std::size_t layer =
        difference_.other_layer > 0 ? difference_.other_layer : difference_.layer;
    return layer > 0 && layer <= layers->second;
  }

  Cause base() const {
    const auto name = known_.base_names.find(difference_.platform);
    const std::string base = name != known_.base_names.end() ? name->second : "the base";
    return {CauseKind::base, base,
            fmt::format("the base moved: the first image stands on other layers than the "
                        "lock's {}",
                        base),
            "the lock that the image was built with names another base; find that lock"};
  }

  std::optional<Cause> package() const {
    std::string name = first_.owner_of(difference_.path);
    if (name.empty()) name = second_.owner_of(difference_.path);
    if (name.empty()) return of_database();
    const std::string a = first_.version_of(name);
    const std::string b = second_.version_of(name);
    if (a != b) {
      return Cause{CauseKind::package, name,
                   fmt::format("the package {} is {} in the first, {} in the second",
                               name, or_missing(a), or_missing(b)),
                   "lock both with the same lithify.lock"};
    }
    if (difference_.kind == Kind::member || difference_.kind == Kind::content) {
      return Cause{
          CauseKind::package, name,
          fmt::format("it belongs to the package {}, which is {} in both: one of "
                      "them was changed after it was unpacked, or packed anew",
                      name, or_missing(a))};
    }
    return std::nullopt;
  }

  // dpkg's lists follow what is installed.
  std::optional<Cause> of_database() const {
    if (!starts_with(difference_.path, "var/lib/dpkg/")) return std::nullopt;
    const auto changed = changed_packages(known_, difference_.platform);
    if (changed.empty()) return std::nullopt;
    const ChangedPackage& one = changed.front();
    return Cause{CauseKind::package, one.name,
                 fmt::format("the package {} is {} in the first, {} in the second",
                             one.name, or_missing(one.first), or_missing(one.second)),
                 "lock both with the same lithify.lock"};
  }

  std::optional<Cause> clock() const {
    if (!difference_.first || !difference_.second) return std::nullopt;
    if (difference_.kind == Kind::header) return std::nullopt;
    const std::string hint =
        "let what writes it take SOURCE_DATE_EPOCH, or leave the file out";
    const std::string field = clock_field(difference_.head, difference_.offset);
    const std::string sentence =
        difference_.kind == Kind::content ? "a clock in a file" : "a clock in a value";
    if (difference_.kind == Kind::content && !field.empty())
      return Cause{CauseKind::clock, "", sentence, hint, field};
    const auto times =
        clock_text(difference_.before, *difference_.first, *difference_.second);
    if (!times) return std::nullopt;
    return Cause{CauseKind::clock, "", sentence, hint,
                 times->first + ", " + times->second};
  }

  std::optional<Cause> of_header() const {
    if (difference_.kind != Kind::header) return std::nullopt;
    if (difference_.field == "mode") {
      return Cause{
          CauseKind::mode, "",
          "the permission bits of the file, in the source that it was copied from "
          "or by a `mode:`",
          "`modes: fixed`, the default, does not look at bits; `modes: git` takes "
          "those of the commit"};
    }
    if (difference_.field == "mtime") {
      return Cause{
          CauseKind::times, "",
          "the time of the file: packed anew, or `mtime: epoch` with another epoch"};
    }
    return std::nullopt;
  }

  std::optional<Cause> source() const {
    if (known_.changed_sources.empty()) return std::nullopt;
    std::string names;
    for (const std::string& name : known_.changed_sources)
      names += (names.empty() ? "`" : ", `") + name + "`";
    return Cause{
        CauseKind::source, *known_.changed_sources.begin(),
        fmt::format("the local source {} is not what the image was built of", names),
        "take the sources of that commit: `--source DIR`"};
  }

  Cause rest() const {
    if (difference_.field == "attestations") {
      return {CauseKind::settings, "attestations",
              "the images are the same; what is said about them is not"};
    }
    if (difference_.kind == Kind::platform) {
      return {CauseKind::settings, "platforms",
              "the images are built for different platforms"};
    }
    if (difference_.kind == Kind::layer) {
      return {CauseKind::settings, "steps", "the images have different steps",
              "compare the build files, and what `when:` switches off"};
    }
    const auto changed = changed_packages(known_, difference_.platform);
    if (!changed.empty()) {
      return {
          CauseKind::unknown, "",
          fmt::format("it belongs to no package, but may follow from {}, which changed",
                      changed.front().name)};
    }
    return {CauseKind::unknown, "", "no cause that is known by its looks"};
  }

  const ImageDifference& difference_;
  const Surroundings& known_;
  const PackageOwners& first_;
  const PackageOwners& second_;
};

}  // namespace

const char* name_of(CauseKind kind) {
  switch (kind) {
    case CauseKind::unknown:
      return "unknown";
    case CauseKind::clock:
      return "clock";
    case CauseKind::package:
      return "package";
    case CauseKind::encoder:
      return "encoder";
    case CauseKind::base:
      return "base";
    case CauseKind::mode:
      return "mode";
    case CauseKind::times:
      return "times";
    case CauseKind::source:
      return "source";
    case CauseKind::epoch:
      return "epoch";
    case CauseKind::settings:
      return "settings";
    case CauseKind::writer:
      return "writer";
  }
  return "unknown";
}

std::vector<ChangedPackage> changed_packages(const Surroundings& known,
                                             const std::string& platform) {
  const PackageOwners& first = owners(known.first, platform);
  const PackageOwners& second = owners(known.second, platform);
  std::vector<ChangedPackage> changed;
  for (const auto& [name, version] : first.versions()) {
    const std::string other = second.version_of(name);
    if (other != version) changed.push_back({name, version, other});
  }
  for (const auto& [name, version] : second.versions()) {
    if (first.version_of(name).empty()) changed.push_back({name, "", version});
  }
  return changed;
}

Cause cause_of(const ImageDifference& difference, const Surroundings& known) {
  return Search(difference, known).run();
}

}  // namespace lithify
