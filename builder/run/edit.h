// edit: file actions performed on trees, in memory but for the contents they make.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <stop_token>

#include "oci/base/activity.h"
#include "oci/store/blob_store.h"

#include "builder/plan/step.h"
#include "builder/tree/tree.h"

namespace lithify {

// What every action of an Edit may use.
struct EditContext {
  const Edit& edit;
  std::span<const Tree> inputs;  // all of the step's
  oci::BlobStore& store;
  oci::Activity& activity;
  std::stop_token stop;
  Place place = {};  // of the step, for warnings

  // The input an action names. Errc::internal if there is none such.
  const Tree& input(InputIndex index) const;
  // Says where the step stands.
  void warn(const std::string& text) const;
};

// The change that the actions make together. `inputs` are the step's and may be used up;
// the last step.below of them are the changes it stands on.
Tree perform_edit(const Step& step, const Edit& edit, std::span<Tree> inputs,
                  oci::BlobStore& store, oci::Activity& activity, std::stop_token stop);

// Each action alone. The first three and the writers never look at what is below.
// `source` is the action's input; a tree that nobody else holds is not copied but
// changed into the result.
Tree copy_files(const CopyAction& action, Tree source, const EditContext& context);
Tree unpack_archive(const UnpackAction& action, const EditContext& context);
Tree unpack_layer(const UnpackLayerAction& action, const EditContext& context);
Tree write_text(const FileStep& what, const EditContext& context);
Tree make_directory(const DirStep& what, const EditContext& context);
Tree make_symlink(const SymlinkStep& what, const EditContext& context);
Tree remove_files(const RemoveStep& what, const Tree& below, const EditContext& context);
Tree set_attributes(const AttrsStep& what, const Tree& below, const EditContext& context);

}  // namespace lithify
