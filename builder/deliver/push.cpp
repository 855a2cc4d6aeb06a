#include "builder/deliver/push.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "oci/image/manifest_graph.h"

namespace lithify {

namespace {

constexpr unsigned k_parallel = 4;

oci::Error refused(const Push& push, const PushTag& tag, const oci::Digest& now) {
  oci::Error error(oci::Errc::refused, fmt::format("refused to move tag `{}` of {}",
                                                   tag.name, push.to.name()));
  error.number("L0503");
  if (!tag.place.file.empty()) error.at(tag.place, "`once` tags may never change");
  error.add_note(fmt::format("it points to {}, this image is {}", now.str(),
                             push.root.digest.str()));
  std::string others;
  for (const PushTag& other : push.tags) {
    if (other.name == tag.name) continue;
    others += (others.empty() ? "; `" : ", `") + other.name + '`';
  }
  error.add_note("nothing was pushed" +
                 (others.empty() ? others : others + " was not moved either"));
  // For a tag of the command line, the command knows the way out.
  if (!tag.place.file.empty()) {
    error.add_hint(fmt::format(
        "push it under a new tag, or see what is there: `lithify inspect {}:{}`",
        push.to.name(), tag.name));
  }
  return error;
}

}  // namespace

std::vector<TagChange> look_at_tags(const Push& push) {
  std::vector<TagChange> changes;
  for (const PushTag& tag : push.tags) {
    const auto now = push.to.digest_of(tag.name);
    TagChange change{TagChange::Kind::created, tag, now};
    if (now == push.root.digest) {
      change.kind = TagChange::Kind::kept;
    } else if (now) {
      if (tag.once) throw refused(push, tag, *now);
      change.kind = TagChange::Kind::moved;
    }
    changes.push_back(std::move(change));
  }
  return changes;
}

PushNeeds needs_of(const Push& push) {
  PushNeeds needs;
  std::set<oci::Digest> seen;
  const auto visit = [&](const auto& self, const oci::Descriptor& which) -> void {
    if (!seen.insert(which.digest).second || push.to.has_manifest(which.digest)) return;
    for (const oci::Descriptor& child : oci::children(which, push.from.manifest(which))) {
      if (oci::is_document(child.media_type)) {
        self(self, child);
      } else if (seen.insert(child.digest).second && !push.to.has(child.digest)) {
        needs.blobs.push_back(child);
      }
    }
    needs.documents.push_back(which);
  };
  visit(visit, push.root);
  return needs;
}

void push_content(const Push& push, const std::vector<TagChange>& tags,
                  oci::Activity& activity, std::stop_token stop) {
  const bool there = std::any_of(tags.begin(), tags.end(), [](const TagChange& change) {
    return change.kind == TagChange::Kind::kept;
  });
  if (there) return;
  oci::replicate(push.from, push.root, push.to, activity, std::move(stop), k_parallel);
}

void push_tags(const Push& push, const std::vector<TagChange>& tags) {
  for (const bool once : {true, false}) {
    for (const TagChange& change : tags) {
      if (change.tag.once != once || change.kind == TagChange::Kind::kept) continue;
      try {
        if (once) {
          push.to.set_tag_if(change.tag.name, push.root, {.absent = true});
        } else {
          push.to.set_tag(change.tag.name, push.root);
        }
      } catch (oci::Error& error) {
        if (error.code() == oci::Errc::refused) error.number("L0503");
        if (!change.tag.place.file.empty()) error.at(change.tag.place);
        throw;
      }
    }
  }
}

}  // namespace lithify
