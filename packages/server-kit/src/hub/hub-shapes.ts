/** Owns the shapes that the hub takes and tells. Refuses behaviour. */
import type { RoomEvents } from '@guildkit/core/wire';
import type { HubError } from '../errors.js';

/** What the hub tells of. */
export interface RealtimeHubEvents {
  /** A connection has become someone's. */
  connected: { readonly connectionId: string; readonly userId: string };
  /** Such a connection is gone. */
  disconnected: { readonly connectionId: string; readonly userId: string };
  /** A `sys.ping` was answered: what a WebSocket takes there and back, in ms, events that wait before it included. */
  roundTrip: { readonly connectionId: string; readonly ms: number };
  /** Events have been written to streams: how long the first of them had waited, in ms. */
  streamsFlushed: { readonly ms: number };
  /** A Discord event could not be published. */
  error: { readonly error: HubError };
}

/** Where `RealtimeHub.attach` serves what. Each path begins with `/`. */
export interface HubPaths {
  /** WebSocket. */
  readonly ws?: string | undefined;
  /** Server-sent events. */
  readonly sse?: string | undefined;
  /**
   * What is posted: commands, and the positions of streams. `false`: nothing.
   * @defaultValue `/api/commands` when `sse` is served
   */
  readonly commands?: string | false | undefined;
}

/** Settings of `RealtimeHub.close`. */
export interface HubCloseOptions {
  /**
   * Time between telling clients that the server goes away and closing their sockets, in ms.
   * @defaultValue 1000
   */
  readonly drainMs?: number | undefined;
}

/** Name of an event of a room's log. */
export type RoomEventName = keyof RoomEvents & string;
