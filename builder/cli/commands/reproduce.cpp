// lithify reproduce: build an image again from what its provenance says, and compare.
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/error.h"
#include "oci/layer/layer_writer.h"
#include "oci/sign/attach.h"
#include "oci/sign/index_attestation.h"

#include "builder/attest/reproduced.h"
#include "builder/cli/attached_place.h"
#include "builder/cli/attached_provenance.h"
#include "builder/cli/checkout.h"
#include "builder/cli/commands/commands.h"
#include "builder/cli/image_place.h"
#include "builder/cli/judged.h"
#include "builder/cli/provenance_facts.h"
#include "builder/cli/public_keys.h"
#include "builder/cli/rebuild.h"
#include "builder/cli/signing_key.h"
#include "builder/tell/text.h"

namespace lithify {

namespace {

namespace fs = std::filesystem;

// What --source says: one directory for all, and those of single sources.
struct SourcePlaces {
  fs::path project;
  std::map<std::string, fs::path> single;
};

SourcePlaces source_places(const Options& options) {
  SourcePlaces places;
  for (const std::string& text : options.source_places) {
    const std::size_t equals = text.find('=');
    std::error_code problem;
    const bool named = equals != std::string::npos && !fs::exists(text, problem);
    const fs::path path = fs::absolute(named ? text.substr(equals + 1) : text);
    if (!fs::exists(path, problem)) {
      throw oci::Error(oci::Errc::not_found,
                       fmt::format("there is no {} to take sources from", path.string()))
          .add_hint("`--source` takes the directory of the build file, or NAME=DIR");
    }
    if (named) {
      places.single[text.substr(0, equals)] = path.lexically_normal();
    } else {
      places.project = path.lexically_normal();
    }
  }
  return places;
}

class Reproduction {
 public:
  explicit Reproduction(Session& session)
      : session_(session),
        name_(session.options().operands.front()),
        places_(source_places(session.options())),
        place_(parse_place(session, name_)),
        found_(find_image(session, place_)),
        scratch_(scratch_parent(session)) {}

  int run() {
    open_signing_key();
    provenance_ = provenance();
    tell_who_vouches();
    const fs::path directory = sources();
    Rebuild rebuild(session_, scratch_, options(directory), environment(),
                    recorded(directory));
    const PackedImage& again = rebuild.run({provenance_->provenance.image}).front();
    // What is said about the image is no part of what was built.
    const oci::Descriptor bare =
        oci::without_attestations(*found_.images, found_.root).value_or(found_.root);
    const oci::Descriptor image = bare.digest == again.root.digest ? bare : found_.root;
    const Judged judged = judge({*found_.images, image}, {rebuild.images(), again.root},
                                surroundings(rebuild, again), session_.stop());
    const bool equal = judged.comparison.equal();
    const bool said = equal && session_.options().attest && attest();
    session_.end_progress();
    print(judged, said);
    return equal ? exits::k_ok : exits::k_mismatch;
  }

 private:
  // Before the work: a passphrase may be wrong.
  void open_signing_key() {
    const Options& options = session_.options();
    trusted_ = options.keys;
    if (!options.attest) return;
    if (!keeps_referrers(place_)) {
      throw oci::Error(oci::Errc::bad_input,
                       "`--attest` needs an image in a registry or layout");
    }
    if (trusted_.empty()) {
      throw oci::Error(oci::Errc::bad_input, "`--attest` needs a key to sign with")
          .add_hint("the last `--key` signs, those before it are whom to believe");
    }
    signer_ = open_signer(session_, trusted_.back());
    trusted_.pop_back();
  }

  FoundProvenance provenance() {
    const TrustedKeys keys = public_keys(session_, trusted_);
    const std::string& file = session_.options().provenance;
    const oci::Digest& root = found_.root.digest;
    if (!file.empty()) return read_provenance(file, root, keys);
    if (keeps_referrers(place_)) {
      const AttachedPlace attached = open_attached(session_, place_, oci::Access::pull);
      return find_provenance(*attached.images, root, keys);
    }
    throw oci::Error(oci::Errc::bad_input,
                     "only registries and layouts know what refers to an image")
        .add_hint("give its provenance with `--provenance FILE`");
  }

  void tell_who_vouches() {
    session_.end_progress();
    if (provenance_->keys.empty()) {
      oci::Error warning(
          oci::Errc::untrusted,
          "NOT VERIFIED: anybody may have written the provenance that says "
          "what is built now");
      warning.add_note(
          "that the bytes are equal proves that they come of that build file, "
          "not who published them");
      warning.add_hint("give the public key of who published the image: `--key FILE`");
      session_.tell(warning, Problem::Severity::warning);
    }
    if (provenance_->provenance.redacted) {
      session_.tell(oci::Error(oci::Errc::bad_input,
                               "addresses in build file or lock had passwords, which are "
                               "not in the provenance"),
                    Problem::Severity::warning);
    }
  }

  // Where the build file is thought to be.
  fs::path sources() {
    const Provenance& from = provenance_->provenance;
    if (!places_.project.empty()) return places_.project;
    const auto is_placed = [&](const Provenance::LocalTree& tree) {
      return places_.single.count(tree.source) != 0;
    };
    if (std::all_of(from.trees.begin(), from.trees.end(), is_placed)) return empty();
    if (from.checkout) {
      oci::Activity activity(session_.progress(),
                             "fetch sources from " + from.checkout->remote);
      const fs::path place = fetch_checkout(*from.checkout, scratch_.path() / "sources",
                                            !provenance_->keys.empty());
      activity.end(oci::Outcome::done);
      return place;
    }
    std::string names;
    for (const Provenance::LocalTree& tree : from.trees)
      names += (names.empty() ? "`" : ", `") + visible(tree.source) + "`";
    throw oci::Error(oci::Errc::not_found,
                     fmt::format("the image was built of local sources: {}", names))
        .add_note(
            "they were in no clean checkout, so the provenance names them by digest "
            "alone")
        .add_hint("give the directory of the build file: `--source DIR`");
  }

  fs::path empty() const {
    const fs::path place = scratch_.path() / "empty";
    fs::create_directory(place);
    return place;
  }

  Options options(const fs::path& directory) const {
    const Provenance& from = provenance_->provenance;
    Options options = session_.options();
    options.file = (directory / from.build_file).string();
    options.operands = {from.image};
    options.platforms.clear();
    for (const oci::Platform& platform : from.platforms)
      options.platforms.push_back(platform.str());
    options.arguments.clear();
    for (const Provenance::Given& given : from.arguments)
      options.arguments.emplace_back(given.name,
                                     given.secret ? secret(given.name) : given.value);
    options.keys.clear();
    options.provenance.clear();
    options.json = false;
    return options;
  }

  const std::string& secret(const std::string& name) const {
    for (const auto& [given, value] : session_.options().arguments) {
      if (given == name) return value;
    }
    throw oci::Error(
        oci::Errc::bad_input,
        fmt::format("the argument `{}` is secret, so the provenance does not "
                    "have it",
                    visible(name)))
        .add_hint(fmt::format("give it with `--arg {}=…`", visible(name)));
  }

  Environment environment() const {
    Environment environment = session_.environment();
    environment["SOURCE_DATE_EPOCH"] = std::to_string(provenance_->provenance.epoch);
    return environment;
  }

  Recorded recorded(const fs::path& directory) const {
    const Provenance& from = provenance_->provenance;
    Recorded recorded;
    recorded.build_file_text = from.build_file_text;
    recorded.lock_text = from.lock_text;
    for (const Provenance::Given& given : from.arguments) {
      if (given.secret) recorded.lock_text = with_secret(*recorded.lock_text, given.name);
    }
    recorded.project = from.project;
    recorded.git = from.git;
    recorded.places = places_.single;
    // A clone, or all of what the user pointed at: in either the build file is a guest.
    recorded.confined_to =
        places_.project.empty() && from.checkout && from.checkout->directory != ""
            ? scratch_.path() / "sources"
            : directory;
    recorded.any_encoder = true;
    return recorded;
  }

  // Puts back what the provenance left out.
  std::string with_secret(std::string text, const std::string& name) const {
    const std::string mark = fmt::format("$(args.{})", name);
    const std::string& value = secret(name);
    for (std::size_t at = text.find(mark); at != text.npos;
         at = text.find(mark, at + value.size()))
      text.replace(at, mark.size(), value);
    return text;
  }

  Surroundings surroundings(Rebuild& rebuild, const PackedImage& again) {
    Surroundings known;
    const bool index = again.variants.size() > 1;
    const ImagePlan& plan = rebuild.prepared().plan.images.front();
    for (std::size_t i = 0; i < again.variants.size(); ++i) {
      const PackedVariant& variant = again.variants[i];
      const std::string platform = index ? variant.platform.str() : "";
      known.base_layers[platform] = static_cast<std::size_t>(
          std::count_if(variant.layers.begin(), variant.layers.end(),
                        [](const PackedLayer& layer) { return layer.from_base; }));
      if (const auto& base = plan.variants[i].base)
        known.base_names[platform] = base->location.substr(base->location.find(':') + 1);
    }
    const auto subjects = claim_subjects(plan, again);
    for (const Provenance::LocalTree& tree :
         local_trees(rebuild.facts(), subjects.front())) {
      const auto& then = provenance_->provenance.trees;
      if (std::find(then.begin(), then.end(), tree) == then.end())
        known.changed_sources.insert(tree.source);
    }
    for (const auto& [name, locked] : rebuild.prepared().lock.encoders) {
      const std::string own = oci::encoder_identity(
          name == "gzip" ? oci::Compression::gzip : oci::Compression::zstd);
      if (own == locked) continue;
      known.locked_encoder = locked;
      known.own_encoder = own;
    }
    changed_sources_ = known.changed_sources;
    return known;
  }

  // Whether it was not said before.
  bool attest() {
    const AttachedPlace place = open_attached(session_, place_, oci::Access::push);
    Reproduced claim{provenance_->predicate, provenance_->provenance.builder_id(),
                     !session_.options().source_places.empty(), LITHIFY_VERSION};
    oci::Statement statement;
    statement.subjects = {oci::Subject::of(found_.root.digest)};
    statement.predicate_type = Reproduced::k_predicate_type;
    statement.predicate = claim.str();
    return oci::attach_statement(*place.images, *signer_, found_.root, statement);
  }

  void print(const Judged& judged, bool said) {
    if (session_.options().json) return session_.print(document(judged));
    const std::string digest = found_.root.digest.str();
    if (judged.comparison.equal()) {
      session_.print(fmt::format("reproduced  {}  {}\n", visible(name_), digest));
      if (session_.options().attest)
        session_.tell(said ? "attested that it was reproduced\n"
                           : "that it was reproduced was attested already\n");
      return;
    }
    std::string text =
        fmt::format("not reproduced  {}  {}\nbuilt here is {}\n", visible(name_), digest,
                    judged.comparison.second.str());
    for (const std::string& source : changed_sources_)
      text += fmt::format("local source `{}` is not what the image was built of\n",
                          visible(source));
    session_.print(text + judged_text(judged));
  }

  std::string document(const Judged& judged) const {
    nlohmann::json document = judged_json(judged);
    document["schema"] = "lithify.reproduce/1";
    document["image"] = name_;
    document["provenance"] = {{"digest", provenance_->predicate.str()},
                              {"builder", provenance_->provenance.builder_id()},
                              {"verified", !provenance_->keys.empty()},
                              {"keys", provenance_->keys}};
    document["changedSources"] = changed_sources_;
    return document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  }

  Session& session_;
  std::string name_;
  SourcePlaces places_;
  ImagePlace place_;
  FoundImage found_;
  ScratchDirectory scratch_;
  std::vector<std::string> trusted_;  // references of keys
  std::unique_ptr<oci::Signer> signer_;
  std::optional<FoundProvenance> provenance_;
  std::set<std::string> changed_sources_;
};

}  // namespace

int run_reproduce(Session& session) {
  if (session.options().operands.size() != 1) {
    throw oci::Error(oci::Errc::bad_input, "`lithify reproduce` takes one image")
        .add_hint("as `lithify reproduce --key release.pub ghcr.io/acme/hello:1.4.2`");
  }
  return Reproduction(session).run();
}

}  // namespace lithify
