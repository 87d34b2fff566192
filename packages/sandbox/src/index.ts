/**
 * Discord on your own machine: REST, gateway, voice and simulated people for tests and demos.
 *
 * @packageDocumentation
 */
export type { BotOptions, SandboxBot, SandboxBots } from './bots.js';
export type { ChannelKind, SandboxChannel, SandboxChannels } from './channels.js';
export { SANDBOX_ERRORS, SandboxError, type SandboxErrorCode } from './errors.js';
export type {
  Faults,
  FaultTarget,
  LastingFaults,
  MediaFaultOptions,
  RestFaultOptions,
  UpgradeRefusalOptions,
  VoiceFaults,
  VoiceTarget,
  WithheldAnswer,
  WithheldVoiceAnswer,
} from './faults.js';
export type { MediaDrop, MediaStats } from './io/media-server.js';
export type { VoiceCounters } from './io/voice-hub.js';
export type { MessageInput, SandboxMessage } from './messages.js';
export type { SandboxOAuth, SandboxTokens } from './oauth.js';
export type { People, Person, PersonOptions } from './people.js';
export type { PersonStatus } from './person.js';
export type { PrivilegedIntentName } from './protocol/gateway/intents.js';
export type { Scope } from './protocol/oauth/authorize.js';
export type { PermissionName } from './protocol/world/permissions.js';
export { createSandbox, type Sandbox, type SandboxOptions } from './sandbox.js';
export type { MainIds, SandboxState } from './state.js';
export type { Traffic, TrafficCounters, TrafficEntry } from './traffic.js';
export type { DaveCounters, DaveRefusal, DaveView } from './voice/dave-service-types.js';
export type {
  SandboxVoice,
  VoiceChannelView,
  VoiceSessionView,
  VoiceStreamView,
} from './voice/inspection.js';
export type { VoiceOptions } from './voice/options.js';
export type { FrameSource, Playback } from './voice/playback.js';
