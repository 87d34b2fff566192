/**
 * What every guildkit package shares: errors, options, backoff, redaction, the reducer driver, the emitter.
 *
 * @packageDocumentation
 */
export { type Clock, systemClock } from './clock.js';
export type {
  ChannelCreatedEvent,
  ChannelDeletedEvent,
  DiscordPerson,
  DomainEvent,
  DomainEventName,
  DomainEvents,
  MessageDeletedEvent,
  MessageEvent,
  ReactionEvent,
  TypingEvent,
  VoiceEvent,
  VoiceFlags,
  VoiceLeftEvent,
  VoiceMovedEvent,
  VoiceSnapshotEvent,
  VoiceSnapshotMember,
} from './domain-events.js';
export {
  createDriver,
  type Driver,
  type DriverOptions,
  type Reducer,
  type Stamp,
  type TimerInput,
  type Transition,
} from './driver.js';
export { type EventMap, TypedEmitter, type Unsubscribe } from './emitter.js';
export { GuildkitError, type GuildkitErrorInit, isErrorNamed, messageOf } from './errors.js';
export { type Logger, type LogMethod, silentLogger } from './logger.js';
export { check, type OptionCheck, type OptionChecks, type OptionsInput, resolveOptions } from './options.js';
export { type BackoffPolicy, backoffDelay } from './protocol/backoff.js';
export { toLogText, toPlainText } from './protocol/text.js';
export { createRedactor, Redacted } from './redacted.js';
export type { VoiceServerSignal, VoiceSignalling, VoiceStateRequest, VoiceStateSignal } from './signalling.js';
