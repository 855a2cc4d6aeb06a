// DropRules: which packaged files an image does not want.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/tree/tree.h"

namespace lithify {

// "docs": /usr/share/doc but for copyright files and links between its directories, and
// doc-base, gtk-doc, lintian, linda; "man": /usr/share/man, of which the empty sections
// stay, because scripts of packages put links there; "info": /usr/share/info; "locales":
// /usr/share/locale and translated manual pages and help, but for `keep_locales` ("de"
// keeps de, de_AT and de@euro too). Other words are Errc::bad_input.
class DropRules {
 public:
  DropRules(const std::vector<std::string>& drop, std::vector<std::string> keep_locales);

  // Takes out what is unwanted, and directories that it leaves empty. `nodes` has whole
  // paths.
  void apply(Tree::Nodes& nodes) const;

 private:
  bool dropped(std::string_view path, const Node& node) const;
  bool unwanted_locale(std::string_view locale) const;

  bool docs_ = false;
  bool man_ = false;
  bool info_ = false;
  bool locales_ = false;
  std::vector<std::string> keep_;
};

}  // namespace lithify
