// http_client: what every client shares.
#include "oci/registry/http_client.h"

#include <algorithm>

namespace oci {

namespace {

// Bytes in memory, from somewhere on. Owns nothing: the text lives in the body.
class TextSource final : public Source {
 public:
  TextSource(std::shared_ptr<const std::string> text, std::uint64_t offset)
      : text_(std::move(text)), offset_(std::min<std::uint64_t>(offset, text_->size())) {}
  std::size_t read(std::span<std::byte> into) override {
    const std::size_t got =
        text_->copy(reinterpret_cast<char*>(into.data()), into.size(), offset_);
    offset_ += got;
    return got;
  }

 private:
  std::shared_ptr<const std::string> text_;  // of the body too, which may be sent again
  std::size_t offset_;
};

}  // namespace

HttpBody body_of(std::string text) {
  const auto shared = std::make_shared<const std::string>(std::move(text));
  return {shared->size(), [shared](std::uint64_t offset) {
            return std::make_unique<TextSource>(shared, offset);
          }};
}

const std::string* HttpResponse::header(std::string_view name) const {
  for (const auto& [known, value] : headers) {
    if (known == name) return &value;
  }
  return nullptr;
}

std::string url_for_people(std::string_view url) {
  const std::size_t scheme = url.find("://");
  std::string shown;
  if (scheme != std::string_view::npos) {
    shown = url.substr(0, scheme + 3);
    url.remove_prefix(scheme + 3);
  }
  url = url.substr(0, url.find_first_of("?#"));
  const std::string_view authority = url.substr(0, url.find('/'));
  const std::size_t at = authority.rfind('@');
  if (at != std::string_view::npos) url.remove_prefix(at + 1);
  return shown.append(url);
}

}  // namespace oci
