#include "builder/cli/pushing.h"

#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/json.h"
#include "oci/base/reference.h"

#include "builder/cli/signing_key.h"
#include "builder/tell/text.h"

namespace lithify {

namespace {

// A push and what it borrows.
struct Planned {
  const ImagePlan& plan;
  PackedImage image;  // as it is pushed
  std::unique_ptr<oci::RegistryClient> client;
  Push push;
  std::vector<TagChange> tags = {};
  std::optional<SignRule> rule = {};
  std::optional<SignedPush> is_signed = {};
};

PushTarget target_of(const std::string& text) {
  const oci::Reference reference = oci::Reference::parse(text);
  if (reference.digest) {
    throw oci::Error(oci::Errc::bad_input,
                     "--tag takes a name with a tag, not a digest: " + text);
  }
  return {reference.name(), {{reference.tag, true, {}}}, {}};
}

std::vector<std::string> repositories_of_bases(const Session& session) {
  std::set<std::string> names;
  for (const auto& [layer, repository] : session.known_layers())
    names.insert(repository);
  return {names.begin(), names.end()};
}

struct Wanted {
  const ImagePlan& plan;
  const PackedImage& image;
  const PushTarget& target;
};

Planned planned(Session& session, const Wanted& wanted,
                const std::vector<std::string>& mount_from) {
  const PushTarget& target = wanted.target;
  std::unique_ptr<oci::RegistryClient> client;
  try {
    client = session.registries().open(target.repository, oci::Access::push, mount_from);
  } catch (oci::Error& error) {
    if (!target.place.file.empty()) error.at(target.place);
    throw;
  }
  Push push{session.images_with_bases(), wanted.image.root, *client, {}};
  for (const TagRule& tag : target.tags)
    push.tags.push_back({tag.name, tag.once, tag.place});
  return {wanted.plan, wanted.image, std::move(client), std::move(push)};
}

const char* word_for(TagChange::Kind kind) {
  switch (kind) {
    case TagChange::Kind::created:
      return "new";
    case TagChange::Kind::moved:
      return "moved";
    case TagChange::Kind::kept:
      break;
  }
  return "as it was";
}

const char* name_of(TagChange::Kind kind) {
  switch (kind) {
    case TagChange::Kind::created:
      return "created";
    case TagChange::Kind::moved:
      return "moved";
    case TagChange::Kind::kept:
      break;
  }
  return "kept";
}

void look_at_all_tags(std::vector<Planned>& all) {
  try {
    for (Planned& one : all)
      one.tags = look_at_tags(one.push);
  } catch (oci::Error& error) {
    if (error.code() == oci::Errc::refused) {
      error.add_hint(
          "give another `--tag`; `lithify tag --move` moves one that is there");
    }
    throw;
  }
}

std::string plural(std::size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string signed_line(const SignedPush& one) {
  std::string text = fmt::format("  signed by {}", fmt::join(one.keys, " and "));
  if (!one.claims.empty()) {
    text += fmt::format(", attested {}", fmt::join(one.claims, " and "));
  }
  return visible(text + (one.added == 0 ? ": as it was" : "")) + "\n";
}

std::string foretold(const Planned& one) {
  const PushNeeds needs = needs_of(one.push);
  std::uint64_t size = 0;
  for (const oci::Descriptor& blob : needs.blobs)
    size += blob.size;
  std::string text =
      fmt::format("would push  {}@{}\n", one.push.to.name(), one.push.root.digest.str());
  text +=
      fmt::format("  not there yet: {} ({}) and {}\n", plural(needs.blobs.size(), "blob"),
                  human_size(size), plural(needs.documents.size(), "manifest"));
  for (const oci::Descriptor& blob : needs.blobs)
    text += fmt::format("  blob  {}  {}\n", blob.digest.str(), human_size(blob.size));
  for (const TagChange& change : one.tags) {
    text += fmt::format("  tag   {}  {}\n", change.tag.name,
                        change.kind == TagChange::Kind::moved
                            ? "would move from " + change.before->str()
                        : change.kind == TagChange::Kind::kept ? "names it already"
                                                               : "would be new");
  }
  if (one.rule) {
    text += visible(fmt::format("  would be signed by {}",
                                fmt::join(shown_keys(*one.rule), " and "))) +
            "\n";
  }
  return text;
}

// Content, attestations, signatures, tags: whoever pulls a tag finds what it names
// signed.
void send(Session& session, std::vector<Planned>& all, PushSigning& signing) {
  for (Planned& one : all) {
    oci::Activity activity(session.progress(), "push to " + one.push.to.name());
    push_content(one.push, one.tags, activity, session.stop());
    activity.end(oci::Outcome::done);
  }
  for (Planned& one : all) {
    if (one.rule)
      one.is_signed = signing.sign(*one.rule, {one.plan, one.image, one.push});
  }
  for (Planned& one : all) {
    if (session.stop().stop_requested()) throw oci::Cancelled();
    push_tags(one.push, one.tags);
  }
}

}  // namespace

std::vector<PushTarget> push_targets(const ImagePlan& image, const Options& options) {
  std::vector<PushTarget> targets = image.push;
  for (const std::string& tag : options.tags)
    targets.push_back(target_of(tag));
  if (targets.empty()) {
    throw oci::Error(oci::Errc::bad_input,
                     fmt::format("nothing says where `{}` is pushed to", image.name))
        .add_hint(
            "add `push: [{repo: HOST/PATH, tags: {NAME: once}}]` to the build file, "
            "or give `--tag HOST/PATH:NAME`");
  }
  if (options.push_by_digest) {
    for (PushTarget& target : targets)
      target.tags.clear();
  }
  return targets;
}

std::vector<Pushed> push_all(const BuildFacts& facts,
                             const std::vector<PackedImage>& images) {
  Session& session = facts.session;
  const Recipe& recipe = facts.prepared.workspace.recipe;
  for (const auto& [layer, repository] : session.known_layers())
    session.registries().registries().seen(layer, repository);
  PushSigning signing(facts);
  std::vector<Planned> all;
  std::vector<std::string> mount_from = repositories_of_bases(session);
  for (std::size_t i = 0; i < images.size(); ++i) {
    const ImagePlan& plan = facts.prepared.plan.images[i];
    const auto rule = sign_rule(plan, session.options(), recipe.directory);
    if (rule && !session.options().dry_run) signing.open(*rule);
    const PackedImage image = rule ? signing.attested(*rule, plan, images[i]) : images[i];
    for (const PushTarget& target : push_targets(plan, session.options())) {
      all.push_back(planned(session, {plan, image, target}, mount_from));
      all.back().rule = rule;
      mount_from.push_back(target.repository);
    }
  }
  look_at_all_tags(all);
  if (session.options().dry_run) {
    for (const Planned& one : all)
      session.tell(foretold(one));
    return {};
  }
  send(session, all, signing);
  std::vector<Pushed> pushed;
  for (Planned& one : all) {
    pushed.push_back({one.image.name, one.push.to.name(), one.push.root,
                      std::move(one.tags), std::move(one.is_signed),
                      one.plan.sign && session.options().no_sign});
  }
  return pushed;
}

std::string push_lines(const std::vector<Pushed>& pushed) {
  std::string lines;
  for (const Pushed& one : pushed)
    lines += one.repository + "@" + one.root.digest.str() + "\n";
  return lines;
}

std::string push_document(const std::vector<Pushed>& pushed) {
  nlohmann::json document = {{"schema", "lithify.push/1"},
                             {"pushed", nlohmann::json::array()}};
  for (const Pushed& one : pushed) {
    nlohmann::json entry = {{"image", one.image},
                            {"repository", one.repository},
                            {"digest", one.root.digest.str()},
                            {"mediaType", one.root.media_type},
                            {"size", one.root.size},
                            {"tags", nlohmann::json::array()}};
    for (const TagChange& change : one.tags) {
      nlohmann::json tag = {{"name", change.tag.name},
                            {"rule", change.tag.once ? "once" : "move"},
                            {"outcome", name_of(change.kind)}};
      if (change.before) tag["before"] = change.before->str();
      entry["tags"].push_back(std::move(tag));
    }
    if (one.is_signed) {
      entry["signed"] = {{"keys", one.is_signed->keys},
                         {"attested", one.is_signed->claims},
                         {"documents", one.is_signed->documents},
                         {"added", one.is_signed->added}};
    }
    document["pushed"].push_back(std::move(entry));
  }
  return oci::canonical_json(document) + "\n";
}

std::string push_check_line(const std::vector<Pushed>& pushed) {
  for (const Pushed& one : pushed) {
    if (!one.is_signed) continue;
    return "check it with: " +
           verify_line(one.is_signed->keys.front(),
                       one.repository + "@" + one.root.digest.str()) +
           "\n";
  }
  return "";
}

std::string push_summary(const std::vector<Pushed>& pushed) {
  std::string text;
  for (const Pushed& one : pushed) {
    text += fmt::format("pushed {}@{}\n", one.repository, one.root.digest.str());
    for (const TagChange& change : one.tags)
      text += fmt::format("  tag  {}  {}\n", change.tag.name, word_for(change.kind));
    if (one.is_signed) text += signed_line(*one.is_signed);
    if (one.left_unsigned) text += "  not signed: --no-sign\n";
  }
  return text;
}

}  // namespace lithify
