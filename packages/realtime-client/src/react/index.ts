'use client';
/**
 * React hooks for `@guildkit/realtime-client`. React 18 and 19, Strict Mode, server rendering.
 *
 * @packageDocumentation
 */
export { RealtimeProvider, type RealtimeProviderProps, useRealtimeClient } from './provider.js';
export { type UseCommand, useCommand } from './use-command.js';
export { type UseConnection, useConnection } from './use-connection.js';
export { type UseVoiceChannelMembers, useRoom, useVoiceChannelEvents, useVoiceChannelMembers } from './use-room.js';
