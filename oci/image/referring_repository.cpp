// referring_repository: the tags that are made of digests.
#include "oci/image/referring_repository.h"

namespace oci {

namespace {

constexpr std::string_view k_lead = "sha256-";

}  // namespace

std::string attachment_tag(const Digest& subject, std::string_view suffix) {
  std::string tag(k_lead);
  tag += subject.hex();
  tag += '.';
  tag += suffix;
  return tag;
}

bool is_attachment_tag(std::string_view tag) {
  if (!tag.starts_with(k_lead)) return false;
  tag.remove_prefix(k_lead.size());
  const std::string_view hex = tag.substr(0, tag.find('.'));
  if (!Digest::parse_hex(hex)) return false;
  const std::string_view rest = tag.substr(hex.size());
  return rest.empty() || rest == ".sig" || rest == ".att" || rest == ".sbom";
}

}  // namespace oci
