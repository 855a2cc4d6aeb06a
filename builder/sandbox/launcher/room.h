// room: the mount namespace of the program, made and entered.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "builder/sandbox/launcher/trees.h"

namespace lithify {

// Puts the root, /dev, /proc, /sys and the plan's mounts together, makes them all that
// there is, and goes to /. Called by the first process of new namespaces, as their root.
// Returns a descriptor of the fresh /proc, or -1 if there is none.
int make_room(const PlanReader& plan, Trees& trees);

// The same where nothing may be mounted: devices and files are made in the root, which is
// entered by chroot.
void make_plain_room(const PlanReader& plan);

// Whether an overlay can be mounted: tried in the room, below /dev.
bool overlay_works();

}  // namespace lithify
