/** Test tools of the workspace. Not published. */
export { CHROMIUM_FLAGS, chromiumPath, HOW_TO_GET_CHROMIUM } from './chromium.js';
export { type Edge, type Exploration, explore, type Model, toMermaid } from './explore.js';
export { trustAuthority } from './trust.js';
export { createVirtualClock, type VirtualClock } from './virtual-clock.js';
