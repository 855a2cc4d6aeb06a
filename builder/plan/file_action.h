// FileAction: one change to a tree that needs no program. Plain data; part of a step's
// key. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "builder/plan/recipe.h"

namespace lithify {

using InputIndex = std::size_t;  // into Step::inputs

// Takes files from an input tree. Owners are the copy's own, never the source's; so are
// modes where the copy gives them, else the source tree's permission bits stand, which
// for everything but `modes: keep` are 0755 or 0644 already. A tree of one file and no
// root directory is that file when "." is copied.
struct CopyAction {
  InputIndex input = 0;
  CopyStep what;  // its `source` is for messages
};

// The input is a tree with one file, an archive; its members are the result, below a root
// directory.
struct UnpackAction {
  InputIndex input = 0;
  int strip = 0;
  std::string subdir;
  std::string name;  // for messages
  // What it must be, where that is known; anything else is Errc::mismatch: its bytes, and
  // its content however it was packed (oci::archive_digest).
  std::optional<oci::Digest> sha256 = {};
  std::optional<oci::Digest> tree = {};
};

// The input is a tree with one file, a .deb. The result has the package's files below
// "data/" and its control members below "control/"; every node's origin is the package.
struct UnpackDebAction {
  InputIndex input = 0;
  std::string package;
};

// Lays unpacked packages (inputs `first` … `first + packages.size() - 1`, made by
// UnpackDebAction) over the tree below, runs the finishers and writes the dpkg database.
// Finishers are listed in builder/README.md.
struct InstallDebianAction {
  InputIndex first = 0;
  std::vector<std::string> packages;  // "name:architecture=version"; the inputs' order
  std::string architecture;           // the image's, in Debian's words
  std::vector<std::string> drop;
  std::vector<std::string> keep_locales;
};

// Packages whose maintainer scripts dpkg runs, inputs `first` … `first + packages.size()
// - 1`, each a tree with one file, a .deb. Both actions are alone in their step.
struct DebianSet {
  InputIndex first = 0;
  std::vector<std::string> packages;  // "name:architecture=version"; the inputs' order
  std::string architecture;           // the image's, in Debian's words
};

// Lays out what dpkg needs before it can run at all: the essential packages of the set
// and what they depend on, where no dpkg is below; nothing where one is. Only files, as
// old as the step says.
struct BootstrapDebianAction {
  DebianSet set;
};

// The result is no change but what the command that installs the set mounts: the
// archives, and in "order" which of them dpkg gets when.
struct ArrangeDebianAction {
  DebianSet set;
};

// The changes that inputs `first` … `first + count - 1` are as one, without what `drop`
// names.
struct DropPackagedAction {
  InputIndex first = 0;
  std::size_t count = 0;
  std::vector<std::string> drop;
  std::vector<std::string> keep_locales;
};

// The input is a tree with one file, an OCI layer; the result is its change.
struct UnpackLayerAction {
  InputIndex input = 0;
  oci::Digest diff_id;  // of the tar inside, as the base's configuration says
};

struct WriteAction {
  FileStep what;
};
struct MakeDirectoryAction {
  DirStep what;
};
struct SymlinkAction {
  SymlinkStep what;
};

// These look at what is below: Step::below of the inputs.
struct RemoveAction {
  RemoveStep what;
};
struct SetAttributesAction {
  AttrsStep what;
};
struct AddUsersAction {
  UsersStep what;
};
struct AddGroupsAction {
  GroupsStep what;
};

// The result is not a change but all that is below, merged: what a stage is when its
// steps are done. Alone in its step.
struct MergeAction {};

using FileAction =
    std::variant<CopyAction, UnpackAction, UnpackDebAction, InstallDebianAction,
                 BootstrapDebianAction, ArrangeDebianAction, DropPackagedAction,
                 UnpackLayerAction, WriteAction, MakeDirectoryAction, SymlinkAction,
                 RemoveAction, SetAttributesAction, AddUsersAction, AddGroupsAction,
                 MergeAction>;

}  // namespace lithify
