#include "oci/layer/archive_digest.h"

#include <map>

namespace oci {

namespace {

// "name length:value\n": the length in front makes two texts equal only if every value
// is.
std::string field(std::string_view name, std::string_view value) {
  std::string text(name);
  text += ' ' + std::to_string(value.size()) + ':';
  return text.append(value) + '\n';
}

std::string describe(const Entry& entry, ArchiveReader& archive) {
  std::string text = field("type", std::to_string(static_cast<int>(entry.type))) +
                     field("link", entry.link);
  if (entry.type != FileType::regular) return text;
  NullSink nowhere;
  HashingSink content(nowhere);
  copy(archive.content(), content);
  return text + field("executable", (entry.attributes.mode & 0100) != 0 ? "1" : "0") +
         field("content", std::move(content).finish().str());
}

}  // namespace

Digest archive_digest(ArchiveReader& archive) {
  std::map<std::string, std::string> members;  // a later member of a path replaces
  while (const auto entry = archive.next())
    members[entry->path] = describe(*entry, archive);
  Hasher listing;
  listing.update(field("member#", std::to_string(members.size())));
  for (const auto& [path, text] : members)
    listing.update(field("member.key", path) + field("member", text));
  return std::move(listing).finish();
}

}  // namespace oci
