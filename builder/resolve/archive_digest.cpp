#include "builder/resolve/archive_digest.h"

#include <map>

#include "builder/plan/key.h"

namespace lithify {

oci::Digest archive_digest(oci::ArchiveReader& archive) {
  std::map<std::string, std::string> members;  // a later member of a path replaces
  while (const auto entry = archive.next()) {
    KeyDocument document;
    document.field("type", static_cast<std::uint64_t>(entry->type))
        .field("link", entry->link);
    if (entry->type == oci::FileType::regular) {
      oci::NullSink nowhere;
      oci::HashingSink content(nowhere);
      oci::copy(archive.content(), content);
      document.field("executable", (entry->attributes.mode & 0111) != 0)
          .field("content", std::move(content).finish().str());
    }
    members[entry->path] = document.text();
  }
  KeyDocument listing;
  listing.field("member", members);
  return listing.digest();
}

}  // namespace lithify
