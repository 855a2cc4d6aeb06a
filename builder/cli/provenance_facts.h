// provenance_facts: the provenance of an image that was just built here.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "builder/attest/provenance.h"
#include "builder/cli/attesting.h"

namespace lithify {

// The predicate for the subject: of an index for all of its platforms, else for its own.
// Looks at git for the checkout that the local sources lie in, if nothing in them was
// changed.
std::string provenance_of(const BuildFacts& facts, const ClaimSubject& subject);

// The local sources that the subject is made of, as they were imported.
std::vector<Provenance::LocalTree> local_trees(const BuildFacts& facts,
                                               const ClaimSubject& subject);

}  // namespace lithify
