/** Test tools of the workspace. Not published. */
export { type Edge, type Exploration, explore, type Model, toMermaid } from './explore.js';
export { createVirtualClock, type VirtualClock } from './virtual-clock.js';
