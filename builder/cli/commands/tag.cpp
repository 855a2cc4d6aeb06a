// lithify tag and join: names for what is in a registry already.
#include <fmt/format.h>

#include "oci/base/json.h"
#include "oci/base/reference.h"
#include "oci/image/manifest.h"
#include "oci/image/manifest_graph.h"

#include "builder/cli/commands/commands.h"
#include "builder/cli/image_place.h"
#include "builder/deliver/push.h"
#include "builder/tell/text.h"

namespace lithify {

namespace {

// A tag of the same repository, checked as a part of a reference is.
std::string checked_tag(const oci::Reference& image, const std::string& tag) {
  return oci::Reference::parse(image.name() + ":" + tag).tag;
}

oci::TagCondition condition_of(const Options& options) {
  if (options.expect == "absent") return {.absent = true};
  const auto digest = oci::Digest::parse(options.expect);
  if (digest) return {.expected = *digest};
  throw oci::Error(
      oci::Errc::bad_input,
      fmt::format("--expect takes a digest or `absent`, not `{}`", options.expect));
}

// Refuses unless the tag is as the user expects it.
void check_expected(const oci::RegistryClient& client, const std::string& tag,
                    const oci::TagCondition& condition) {
  const auto now = client.digest_of(tag);
  if (condition.absent ? !now : now == condition.expected) return;
  throw oci::Error(
      oci::Errc::refused,
      fmt::format("the tag `{}` of {} is not as expected", tag, client.name()))
      .number("L0503")
      .add_note(now ? "it points to " + now->str() : "there is no such tag")
      .add_hint("look at what is there, and give that as `--expect`");
}

void write_tags(const Push& push) {
  try {
    push_tags(push, look_at_tags(push));
  } catch (oci::Error& error) {
    if (error.code() == oci::Errc::refused) {
      error.add_hint("choose a new tag, or let this one move with `--move`");
    }
    throw;
  }
}

// What one machine pushed: its manifest, and for what it is.
struct Part {
  oci::Descriptor manifest;
  std::map<std::string, std::string> annotations;
};

Part part_of(const oci::RegistryClient& client, const oci::Descriptor& root,
             const std::string& text) {
  if (oci::is_index(root.media_type)) {
    throw oci::Error(oci::Errc::bad_input, text + " is an index already")
        .add_hint("name the image of one platform, by its digest");
  }
  const auto manifest = oci::Manifest::parse(client.manifest(root), text);
  const auto source = client.open({manifest.config.digest, manifest.config.size});
  const auto config = oci::ImageConfig::parse(
      oci::read_all(*source, oci::k_max_json, "the configuration"), text);
  Part part{root, manifest.annotations};
  part.manifest.platform = config.platform;
  return part;
}

// The images, and all of them in `to` from now on.
std::vector<Part> gather(Session& session, const std::vector<std::string>& references,
                         oci::RegistryClient& to) {
  oci::Activity activity(session.progress(), "join images in " + to.name());
  std::vector<Part> parts;
  for (const std::string& text : references) {
    const oci::Reference reference = parse_reference(text);
    const auto from = session.registries().open(reference.name(), oci::Access::pull);
    parts.push_back(part_of(*from, root_at(*from, reference), reference.str()));
    oci::replicate(*from, parts.back().manifest, to, activity, session.stop(), 4);
  }
  activity.end(oci::Outcome::done);
  return parts;
}

oci::Index joined(const std::vector<Part>& parts) {
  oci::Index index{std::string(oci::media_type::k_index), {}, parts.front().annotations};
  for (const Part& part : parts) {
    for (const oci::Descriptor& other : index.manifests) {
      if (other.platform != part.manifest.platform) continue;
      throw oci::Error(oci::Errc::bad_input,
                       fmt::format("two images are for {}", other.platform->str()))
          .add_note(fmt::format("they are {} and {}", other.digest.str(),
                                part.manifest.digest.str()))
          .add_hint("name one image for each platform");
    }
    if (part.annotations != index.annotations) {
      throw oci::Error(oci::Errc::bad_input,
                       "the images have different annotations, so that no single build "
                       "made them")
          .add_hint("build them all from one commit, with one epoch");
    }
    index.manifests.push_back(part.manifest);
  }
  return index;
}

}  // namespace

int run_tag(Session& session) {
  const auto& operands = session.options().operands;
  if (operands.size() < 2) {
    throw oci::Error(oci::Errc::bad_input, "`tag` needs an image and a tag")
        .add_hint("as `lithify tag ghcr.io/acme/hello:1.4.2 1.4`");
  }
  const oci::Reference image = parse_reference(operands[0]);
  const auto client = session.registries().open(image.name(), oci::Access::push);
  Push push{session.images(), root_at(*client, image), *client, {}};
  const bool moves = session.options().move || !session.options().expect.empty();
  for (std::size_t i = 1; i < operands.size(); ++i) {
    const std::string tag = checked_tag(image, operands[i]);
    push.tags.push_back({tag, !moves, {}});
    if (session.options().expect.empty()) continue;
    check_expected(*client, tag, condition_of(session.options()));
  }
  if (session.options().expect.empty()) {
    write_tags(push);
  } else {
    for (const PushTag& tag : push.tags)
      client->set_tag_if(tag.name, push.root, condition_of(session.options()));
  }
  for (const PushTag& tag : push.tags) {
    session.print(
        fmt::format("{}:{} {}\n", image.name(), tag.name, push.root.digest.str()));
  }
  return exits::k_ok;
}

int run_join(Session& session) {
  const Options& options = session.options();
  if (options.operands.empty() || options.tags.size() != 1) {
    throw oci::Error(oci::Errc::bad_input, "`join` needs images and one --tag")
        .add_hint(
            "as `lithify join ghcr.io/acme/hello@sha256:… ghcr.io/acme/hello@"
            "sha256:… --tag ghcr.io/acme/hello:1.4.2`");
  }
  const oci::Reference target = parse_reference(options.tags.front());
  std::vector<std::string> sources;
  for (const std::string& text : options.operands)
    sources.push_back(parse_reference(text).name());
  const auto to = session.registries().open(target.name(), oci::Access::push, sources);
  const std::string text = joined(gather(session, options.operands, *to)).str();
  Push push{*to,
            oci::describe(text, oci::media_type::k_index),
            *to,
            {{target.tag, !options.move, {}}}};
  to->put_manifest(push.root, oci::as_bytes(text));
  write_tags(push);
  session.print(fmt::format("{} {}\n", target.str(), push.root.digest.str()));
  return exits::k_ok;
}

}  // namespace lithify
