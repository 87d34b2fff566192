/**
 * Owns the connection without WebSockets: events by a stream of server-sent events over fetch, commands by POST. To the
 * client it speaks like a socket, so that there is one state machine for both. Refuses reconnecting: a stream is opened
 * anew by itself only when its rooms change.
 */
import { type Clock, systemClock } from '@guildkit/core';
import type { ClientFrame, Position } from '@guildkit/core/wire';
import { createEventStreamReader } from '../protocol/event-stream.js';
import { type Fields, fieldsOf, isPosition, parseFrame, positive, textOf } from '../protocol/frame.js';
import type { Transport, TransportConnection, TransportHandlers } from './transport.js';

/** Settings of {@link sseTransport}. */
export interface SseTransportOptions {
  /** The hub's stream: absolute (`http`, `https`), or relative to the page: `/api/stream`. */
  readonly url: string | URL;
  /** Where commands and positions are posted. @defaultValue `/api/commands` on the stream's host */
  readonly commandsUrl?: string | URL | undefined;
  /**
   * `include` sends the session cookie to another origin too.
   *
   * @defaultValue `same-origin`, as fetch
   */
  readonly credentials?: 'same-origin' | 'include' | undefined;
  /** @defaultValue the platform's */
  readonly fetch?: typeof globalThis.fetch | undefined;
  /** @defaultValue the system's */
  readonly clock?: Clock | undefined;
}

/** A room that the client wants. */
interface WantedRoom {
  /** The client's `subscribe` that waits for its answer. */
  readonly ask?: string | undefined;
  readonly position?: Position | undefined;
}

/** What each frame of the client's does here. */
type Senders = { readonly [T in ClientFrame['type']]: (frame: Extract<ClientFrame, { readonly type: T }>) => void };

/** How often a sign of life is passed on and the client's positions are posted, ms. */
const HEARTBEAT_MS = 15_000;
/** Longest event that is read, bytes: a snapshot of a full room has a hundredth of it. */
const MAX_EVENT = 1_048_576;

/** Carries frames by server-sent events and POST. */
export function sseTransport({
  url,
  commandsUrl,
  credentials = 'same-origin',
  fetch = globalThis.fetch,
  clock = systemClock,
}: SseTransportOptions): Transport {
  /** What the hub said of its limits and of reconnecting. */
  let welcome: Fields = {};

  function connect({ onMessage, onClose }: TransportHandlers, { hasToken = false } = {}): TransportConnection {
    // Not before: a module that is rendered on a server too has no `location` when it is loaded.
    const stream = new URL(url, globalThis.location?.href);
    const commands = new URL(commandsUrl ?? '/api/commands', stream);
    const wanted = new Map<string, WantedRoom>();
    /** Ends every request of this connection. */
    const all = new AbortController();
    let current: AbortController | undefined;
    let connectionId = '';
    let token = '';
    let isScheduled = false;
    let isAlive = false;
    let beat: unknown;

    /** Says what a socket would have brought. */
    const say = (frame: object): void => {
      if (!all.signal.aborted) onMessage(JSON.stringify({ v: 1, type: 'event', payload: {}, ts: 0, ...frame }));
    };

    function close(): void {
      clock.clearTimer(beat);
      all.abort();
      current?.abort();
    }

    /** The connection is over. What the hub wants waited for, the client hears before. */
    function end(code: number, { code: reason, cause = reason, retryAfterMs }: Fields = {}): void {
      if (all.signal.aborted) return;
      if (retryAfterMs) say({ event: 'sys.drain', payload: { reconnectInMs: retryAfterMs } });
      close();
      onClose({ code, reason: textOf(cause) });
    }

    function request(to: URL, { signal }: AbortController, init?: RequestInit): Promise<Response> {
      const headers = new Headers(init?.headers);
      if (token) headers.set('authorization', `Bearer ${token}`);
      return fetch(to, { ...init, cache: 'no-store', credentials, signal, headers });
    }

    /** Passes on that the hub lives. The client answers with its positions, and those are posted. */
    function beatAgain(): void {
      beat = clock.setTimer(() => {
        if (isAlive || wanted.size === 0) say({ event: 'sys.ping' });
        isAlive = false;
        beatAgain();
      }, HEARTBEAT_MS);
    }

    /** Opens a stream once the client has said all it has to say now. */
    function schedule(): void {
      if (isScheduled) return;
      isScheduled = true;
      clock.setTimer(() => {
        isScheduled = false;
        if (all.signal.aborted) return;
        const before = current;
        current = undefined;
        if (wanted.size > 0) void read(before);
        else before?.abort();
      }, 0);
    }

    /** Reads a stream to its end. The one before goes on until this one has begun, so that nothing comes late. */
    async function read(before: AbortController | undefined): Promise<void> {
      const self = new AbortController();
      const isCurrent = (): boolean => current === self;
      current = self;
      stream.searchParams.set('rooms', [...wanted.keys()].join());
      stream.searchParams.set('since', [...wanted].flatMap(cursorOf).join(';'));
      try {
        const response = await request(stream, self);
        before?.abort();
        const reader = response.ok && response.body?.getReader();
        if (!reader) {
          const problem = await problemOf(response);
          // Refusals have the numbers of the close codes.
          if (isCurrent()) end(response.status < 500 ? 4000 + response.status : 1006, problem);
          return;
        }
        connection.isEstablished = true;
        let size = 0;
        const feed = createEventStreamReader((data) => {
          size = 0;
          if (isCurrent()) take(data);
        });
        const decoder = new TextDecoder();
        for (;;) {
          const { done, value } = await reader.read();
          // Of an event without an end no more is kept than so much.
          if (done || size > MAX_EVENT) break;
          isAlive = true;
          size += value.length;
          feed(decoder.decode(value, { stream: true }));
        }
      } catch {
        // Of a request that failed and of one that was given up.
        before?.abort();
      }
      self.abort();
      if (isCurrent()) end(1006);
    }

    /** Takes an event of the stream. */
    function take(data: string): void {
      const frame = parseFrame(data);
      // The client reports what cannot be read.
      if (frame === undefined) {
        onMessage(data);
        return;
      }
      const { event, type, re, seq } = frame;
      const payload = fieldsOf(frame.payload);
      // The hub answers for a room by its name; the client knows its question by an id of its own.
      const name = textOf(re ?? frame.room ?? payload.room);
      const room = wanted.get(name);
      const isAnswer = re !== undefined || event === 'sys.snapshot';
      if (room && isAnswer && type === 'error') wanted.delete(name);
      else if (room) {
        const position =
          isAnswer && isPosition(payload) ? payload : room.position && { ...room.position, ...(seq && { seq }) };
        wanted.set(name, { ask: isAnswer ? undefined : room.ask, position });
      }
      if (event === 'sys.welcome') {
        welcome = payload;
        connectionId = textOf(payload.connectionId);
      } else if (event === 'sys.closed') {
        end(positive(payload.code, 1006), payload);
      } else if (isAnswer && room?.ask) {
        say({ ...frame, type: type === 'error' ? type : 'ack', re: room.ask });
      } else if (re === undefined) {
        onMessage(data);
      } else if (type === 'error') {
        // Refused on the way: the stream was opened anew for another room.
        say({ event: 'sys.unsubscribed', payload: { room: name, code: payload.code } });
      }
    }

    async function post(frame: ClientFrame): Promise<void> {
      try {
        const response = await request(commands, all, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(frame),
        });
        const { id: re, type } = frame;
        if (response.status === 401) end(4401);
        else if (type !== 'command') {
          // The hub does not know the stream any more.
          if (response.status === 404) end(1006);
        } else if (response.ok) {
          const text = await response.text();
          if (!all.signal.aborted) onMessage(text);
        } else say({ type: 'error', event: 'error', re, payload: await problemOf(response) });
      } catch {
        // Whether it arrived nobody knows: on the next connection it is asked again, under the same id.
        end(1006);
      }
    }

    const senders: Senders = {
      auth({ id, payload }) {
        token = payload.token;
        // Renews what a stream under way goes by. Whether the token is taken a request will tell.
        senders.pong({ v: 1, type: 'pong', id, payload: {} });
        say({ type: 'ack', event: 'auth', re: id });
      },
      subscribe({ id, payload: { room, since } }) {
        wanted.set(room, { ask: id, position: since });
        schedule();
      },
      unsubscribe({ payload: { room } }) {
        wanted.delete(room);
        schedule();
      },
      pong(frame) {
        if (connectionId) void post({ ...frame, payload: { ...frame.payload, connectionId } });
      },
      command: (frame) => void post(frame),
    };

    beatAgain();
    // Here nobody speaks first.
    queueMicrotask(() => say({ event: 'sys.welcome', payload: { ...welcome, authTimeoutMs: hasToken ? 1 : 0 } }));

    const connection = {
      isEstablished: false,
      send(text: string) {
        const frame = JSON.parse(text) as ClientFrame;
        if (!all.signal.aborted) (senders[frame.type] as (each: ClientFrame) => void)(frame);
      },
      close,
    };
    return connection;
  }

  return { connect };
}

/** What an answer that refuses says of itself. */
async function problemOf(response: Response): Promise<Fields> {
  return fieldsOf(fieldsOf(await response.json().catch(() => undefined)).error);
}

/** A room's part of the cursor. */
function cursorOf([room, { position }]: readonly [string, WantedRoom]): string[] {
  return position ? [`${room},${encodeURIComponent(position.epoch)},${position.seq}`] : [];
}
