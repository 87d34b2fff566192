'use client';
/**
 * For pages written against a bare `/api/ws`: the socket's shape and the old member hook, fed by the client's rooms. They
 * keep a page alive while it moves over; new code uses the client and `/react`.
 *
 * @packageDocumentation
 */
export {
  createLegacySocket,
  type LegacyListener,
  LegacySocket,
  type LegacySocketEvent,
  type LegacySocketOptions,
} from './legacy-socket.js';
export {
  type LegacyVoiceChannelMembers,
  type LegacyVoiceMember,
  type LegacyVoiceMembersOptions,
  useVoiceChannelMembersFromEvents,
} from './use-voice-channel-members-from-events.js';
