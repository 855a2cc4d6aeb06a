// lithify copy and pull: an image from one place to another.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/json.h"
#include "oci/image/layout.h"
#include "oci/image/manifest_graph.h"
#include "oci/image/platform_choice.h"
#include "oci/sign/copy_attached.h"

#include "builder/cli/attached_place.h"
#include "builder/cli/commands/commands.h"
#include "builder/cli/image_place.h"
#include "builder/deliver/output.h"
#include "builder/deliver/push.h"
#include "builder/deliver/referrers.h"
#include "builder/tell/text.h"

namespace lithify {

namespace {

using Kind = ImagePlace::Kind;

// The image for the platform asked for; all of it if none was.
oci::Descriptor chosen(const FoundImage& found, const Options& options,
                       const std::string& place) {
  if (options.platforms.empty() || !oci::is_index(found.root.media_type)) {
    return found.root;
  }
  if (options.platforms.size() > 1) {
    throw oci::Error(oci::Errc::bad_input, "an image is copied whole or for one platform")
        .add_note("an index of fewer platforms would be another image")
        .add_hint("give one `--platform`, or none");
  }
  const auto platform = oci::Platform::parse(options.platforms.front());
  if (!platform) {
    throw oci::Error(oci::Errc::bad_input,
                     "`" + options.platforms.front() + "` is no platform");
  }
  const auto index = oci::Index::parse(found.images->manifest(found.root), place);
  const auto images = oci::images_of(index, *platform, [&](const oci::Descriptor& which) {
    return found.images->manifest(which);
  });
  const oci::PlatformChoice choice = oci::choose_platform(images, *platform);
  if (choice.manifest) return *choice.manifest;
  std::string all;
  for (const std::string& offered : choice.offered)
    all += (all.empty() ? "" : ", ") + visible(offered);
  throw oci::Error(oci::Errc::not_found,
                   fmt::format("{} is not there for {}", place, platform->str()))
      .add_hint("it is there for: " + all);
}

// What a name in a layout, archive or store is called if nothing is said.
std::string default_name(const ImagePlace& from) {
  if (!from.reference) return from.name.empty() ? "image" : from.name;
  return from.reference->tag.empty() ? from.reference->digest->hex().substr(0, 12)
                                     : from.reference->tag;
}

class Copy {
 public:
  Copy(Session& session, ImagePlace from, ImagePlace to)
      : session_(session), from_(std::move(from)), to_(std::move(to)) {}

  int run() {
    refuse_lost_referrers();
    const FoundImage found = find_image(session_, from_);
    root_ = chosen(found, session_.options(), from_.str());
    if (to_.name.empty()) to_.name = default_name(from_);
    {
      oci::Activity activity(session_.progress(),
                             fmt::format("copy {} to {}", from_.str(), to_.str()));
      put(found, activity);
      activity.end(oci::Outcome::done);
    }
    session_.end_progress();
    report();
    return exits::k_ok;
  }

 private:
  // Before anything is written.
  void refuse_lost_referrers() const {
    if (!session_.options().referrers) return;
    for (const ImagePlace* place : {&from_, &to_}) {
      if (keeps_referrers(*place)) continue;
      throw oci::Error(oci::Errc::bad_input,
                       place->str() + " has no room for what refers to an image")
          .add_hint("leave `--referrers` out, or copy between registries and layouts");
    }
  }

  // Signatures, SBOMs and the rest: by their subject, and by tags made of digests.
  void copy_what_refers(const FoundImage& found, oci::ReferringRepository& to,
                        oci::Activity& activity) {
    if (!session_.options().referrers) return;
    referrers_ = copy_referrers(*found.referring, *root_, to, activity, session_.stop());
    signatures_ =
        oci::copy_attached(*found.referring, *root_, to, activity, session_.stop());
  }

  void put(const FoundImage& found, oci::Activity& activity) {
    oci::Repository& from = *found.images;
    const Delivery what{from, *root_, to_.name, session_.stop()};
    switch (to_.kind) {
      case Kind::registry:
        return put_to_registry(found, activity);
      case Kind::layout:
        deliver_layout(what, to_.path, session_.store(), activity);
        if (session_.options().referrers)
          copy_what_refers(found, *oci::create_layout(to_.path), activity);
        break;
      case Kind::oci_archive:
        deliver_oci_archive(what, to_.path);
        break;
      case Kind::docker_archive:
        deliver_docker_archive(what, to_.path);
        break;
      case Kind::store:
        oci::replicate(from, *root_, session_.images(), activity, session_.stop(), 4);
        session_.images().set_tag(to_.name, *root_);
        break;
    }
  }

  void put_to_registry(const FoundImage& found, oci::Activity& activity) {
    oci::Repository& from = *found.images;
    const oci::Reference& to = *to_.reference;
    if (to.digest && *to.digest != root_->digest) {
      throw oci::Error(oci::Errc::mismatch,
                       fmt::format("{} is {}, not {}", from_.str(), root_->digest.str(),
                                   to.digest->str()));
    }
    std::vector<std::string> mount_from;
    if (found.registry != nullptr) mount_from.push_back(found.registry->name());
    const auto client =
        session_.registries().open(to.name(), oci::Access::push, mount_from);
    Push push{from, *root_, *client, {}};
    if (!to.tag.empty()) push.tags.push_back({to.tag, !session_.options().move, {}});
    try {
      const auto tags = look_at_tags(push);
      push_content(push, tags, activity, session_.stop());
      copy_what_refers(found, *client, activity);
      push_tags(push, tags);
    } catch (oci::Error& error) {
      if (error.code() == oci::Errc::refused) {
        error.add_hint("copy to a new tag, or let this one move with `--move`");
      }
      throw;
    }
  }

  void report() {
    const std::string where = to_.str();
    if (session_.options().json) {
      const nlohmann::json document = {
          {"schema", "lithify.copy/1"},    {"destination", where},
          {"digest", root_->digest.str()}, {"mediaType", root_->media_type},
          {"size", root_->size},           {"referrers", referrers_},
          {"signatures", signatures_}};
      session_.print(oci::canonical_json(document) + "\n");
    } else {
      session_.print(fmt::format("{} {}\n", where, root_->digest.str()));
    }
  }

  Session& session_;
  ImagePlace from_;
  ImagePlace to_;
  std::optional<oci::Descriptor> root_;
  std::size_t referrers_ = 0;
  std::size_t signatures_ = 0;  // found by tags, and not there before
};

void need_operands(Session& session, std::size_t least, const char* usage) {
  if (session.options().operands.size() >= least) return;
  throw oci::Error(oci::Errc::bad_input,
                   fmt::format("`{}` needs {}", session.options().command, usage))
      .add_hint(fmt::format("`lithify help {}` explains it", session.options().command));
}

}  // namespace

int run_copy(Session& session) {
  need_operands(session, 2, "a source and a destination");
  const auto& operands = session.options().operands;
  return Copy(session, parse_place(session, operands[0]), parse_destination(operands[1]))
      .run();
}

int run_pull(Session& session) {
  need_operands(session, 1, "the reference of an image");
  const auto& operands = session.options().operands;
  ImagePlace from;
  from.reference = parse_reference(operands[0]);
  ImagePlace to;
  if (operands.size() == 1) {
    to.kind = Kind::store;
    to.name = from.reference->str();
  } else {
    to = parse_destination(operands[1].find('/') == std::string::npos &&
                                   operands[1].find(':') == std::string::npos
                               ? "./" + operands[1]
                               : operands[1]);
  }
  return Copy(session, std::move(from), std::move(to)).run();
}

}  // namespace lithify
