// Secret: text that is wiped from memory and shown to nobody by mistake.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace oci {

// A password, a token, an Authorization header. There is no operator<< and no str(): who
// needs the text says reveal(), and that can be searched for. Copies are wiped too.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  Secret(const Secret&) = default;
  Secret(Secret&& other) noexcept;
  Secret& operator=(const Secret& other);
  Secret& operator=(Secret&& other) noexcept;
  ~Secret();

  const std::string& reveal() const { return text_; }
  bool empty() const { return text_.empty(); }
  bool operator==(const Secret&) const = default;

 private:
  void wipe() noexcept;
  std::string text_;
};

}  // namespace oci
