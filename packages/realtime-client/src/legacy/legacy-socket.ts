/**
 * Owns the shape of a WebSocket over the rooms of a client: old code that reads `{ v, type, event, payload, ts }` from
 * `onmessage` goes on as it is. Refuses to reconnect: the client does, and to the old code the socket stays open.
 */
import type { Unsubscribe } from '@guildkit/core';
import type { RealtimeClient } from '../realtime-client.js';
import type { ConnectionStatus } from '../views.js';

/** Settings of {@link createLegacySocket}. */
export interface LegacySocketOptions {
  /** Carries the events. Who made it connects and closes it. */
  readonly client: RealtimeClient;
  /** Rooms whose events the old socket brought: `['guild:1', 'channel:2']`. */
  readonly rooms: readonly string[];
  /**
   * The flag: `true` takes the events from the client, `false` opens the old socket at `url`.
   *
   * @defaultValue `true`
   */
  readonly useStream?: boolean | undefined;
  /** The old socket's address, for `useStream: false`. */
  readonly url?: string | undefined;
}

/** What old code listens with. */
export type LegacyListener = (event: Event & { readonly data?: string; readonly code?: number }) => void;

/** Names of its events. */
export type LegacySocketEvent = 'open' | 'message' | 'close' | 'error';
const ENDED: readonly ConnectionStatus[] = ['closed', 'manual'];

/**
 * Gives old code its socket: one that the client feeds, or, with `useStream: false`, the real one.
 *
 * @throws TypeError with `useStream: false` and no `url`.
 */
export function createLegacySocket({
  client,
  rooms,
  useStream = true,
  url,
}: LegacySocketOptions): LegacySocket | WebSocket {
  if (useStream) return new LegacySocket(client, rooms);
  if (url === undefined) throw new TypeError('createLegacySocket: option "url" is missing');
  return new WebSocket(url);
}

/** A WebSocket in shape: what comes in is the events of rooms, what is sent is dropped. */
export class LegacySocket {
  /** As `WebSocket.CONNECTING`. */
  static readonly CONNECTING = 0;
  /** As `WebSocket.OPEN`. */
  static readonly OPEN = 1;
  /** As `WebSocket.CLOSED`. */
  static readonly CLOSED = 3;

  /** Called when the client is connected for the first time. */
  onopen: LegacyListener | null = null;
  /** Called with each event of the rooms: `data` is the envelope as JSON, as the old socket brought it. */
  onmessage: LegacyListener | null = null;
  /** Called when the client has ended or given up, or after `close()`. */
  onclose: LegacyListener | null = null;
  /** Called before `onclose` when it was not asked for. */
  onerror: LegacyListener | null = null;
  private state: 0 | 1 | 3 = LegacySocket.CONNECTING;
  private readonly target = new EventTarget();
  private readonly ends: Unsubscribe[] = [];

  /** Use {@link createLegacySocket}. */
  constructor(client: RealtimeClient, rooms: readonly string[]) {
    for (const name of rooms) {
      const room = client.room(name);
      room.on('*', (_payload, { v, type, event, payload, ts }) => {
        // The old envelope knew neither states nor positions.
        if (!event.startsWith('sys.')) this.tell('message', { data: JSON.stringify({ v, type, event, payload, ts }) });
      });
      this.ends.push(() => room.close());
    }
    const follow = (): void => {
      const { status, lastError } = client.state;
      if (status === 'open' && this.state === LegacySocket.CONNECTING) {
        this.state = LegacySocket.OPEN;
        this.tell('open');
      } else if (ENDED.includes(status)) {
        if (lastError) this.tell('error');
        this.end(lastError?.closeCode ?? (lastError ? 1006 : 1000), lastError?.detail ?? '');
      }
    };
    this.ends.push(client.subscribeState(follow));
    // Whoever makes a socket sets its handlers afterwards.
    queueMicrotask(() => this.state === LegacySocket.CONNECTING && follow());
  }

  /** As `WebSocket.readyState`; there is no closing in between. */
  get readyState(): number {
    return this.state;
  }

  /** As an `EventTarget`'s. */
  addEventListener(kind: LegacySocketEvent, listener: LegacyListener): void {
    this.target.addEventListener(kind, listener as EventListener);
  }

  /** As an `EventTarget`'s. */
  removeEventListener(kind: LegacySocketEvent, listener: LegacyListener): void {
    this.target.removeEventListener(kind, listener as EventListener);
  }

  /** Does nothing: the client authenticates and answers pings; commands go by `client.command()`. */
  send(_data: string): void {}

  /** Lets go of the rooms. The client stays connected. */
  close(code = 1000, reason = ''): void {
    this.end(code, reason);
  }

  private end(code: number, reason: string): void {
    if (this.state === LegacySocket.CLOSED) return;
    this.state = LegacySocket.CLOSED;
    for (const end of this.ends.splice(0)) end();
    this.tell('close', { code, reason, wasClean: code === 1000 });
  }

  private tell(kind: LegacySocketEvent, fields: object = {}): void {
    if (kind === 'message' && this.state !== LegacySocket.OPEN) return;
    const event = Object.assign(new Event(kind), fields);
    this[`on${kind}`]?.(event);
    this.target.dispatchEvent(event);
  }
}
