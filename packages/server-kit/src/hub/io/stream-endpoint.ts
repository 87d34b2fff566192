/** Owns `GET /api/stream`: what a request asks for, and the connection that answers it. */
import type { Position } from '@guildkit/core/wire';
import { parseRoom } from '@guildkit/core/wire';
import type { HubErrorCode } from '../../errors.js';
import { HUB_ERRORS } from '../../errors.js';
import type { HubSettings } from '../options.js';
import { parseCursor } from '../protocol/cursor.js';
import type { Carriage } from './connection-host.js';
import {
  type HttpAnswer,
  type HttpRefusal,
  type HttpRequest,
  hubRefusal,
  refusalAnswer,
  statusOfClose,
} from './http-answers.js';
import type { HttpGate, Passed } from './http-gate.js';
import type { Batcher } from './outbox.js';
import { type StreamSink, StreamTransport } from './stream-transport.js';
import type { Transport, TransportListener } from './transport.js';

/** How an answer goes back, whichever framework asked. */
export interface StreamReply {
  /** What is written has to be HTTP/1.1 chunks. */
  readonly chunked: boolean;
  answer(answer: HttpAnswer): void;
  begin(headers: Readonly<Record<string, string>>): StreamSink;
  abort(): void;
  /** Calls back once, when the request or its answer is over. */
  onClosed(listener: () => void): void;
}

/** What the endpoint asks of its hub. */
export interface StreamHost {
  readonly settings: HubSettings;
  readonly batcher: Batcher;
  readonly gate: HttpGate;
  isFull(): boolean;
  /** Opens a connection. */
  open(request: HttpRequest, bind: (listener: TransportListener) => Transport, carriage: Carriage): void;
}

type Rooms = ReadonlyMap<string, Position | undefined>;

/** Headers of every stream. Proxies must neither hold it back nor change it. */
const STREAM_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-store, no-transform',
  'x-accel-buffering': 'no',
  'x-content-type-options': 'nosniff',
} as const;

/** Answers one request. Never throws. */
export function serveStream(host: StreamHost, request: HttpRequest, reply: StreamReply): void {
  const passed = host.gate.pass(request, 'GET');
  if ('status' in passed) {
    reply.answer(passed);
    return;
  }
  if (host.isFull()) {
    reply.answer(passed.refuse(hubRefusal(503, 'ERR_HUB_CONNECTION_LIMIT', { retryAfterMs: 5_000 })));
    return;
  }
  const rooms = roomsOf(request, host.settings.maxSubscriptions);
  if ('status' in rooms) {
    reply.answer(passed.refuse(rooms));
    return;
  }
  open(host, request, reply, passed, rooms);
}

function open(host: StreamHost, request: HttpRequest, reply: StreamReply, passed: Passed, rooms: Rooms): void {
  const { clock, random, heartbeatMs, reconnectBaseMs } = host.settings;
  const known = [...rooms].filter((entry): entry is [string, Position] => entry[1] !== undefined);
  const bind = (listener: TransportListener): Transport => {
    const output = {
      chunked: reply.chunked,
      begin: () => reply.begin({ ...STREAM_HEADERS, 'x-request-id': passed.requestId, ...passed.cors }),
      refuse(closeCode: number, cause: string, retryAfterMs: number | undefined) {
        // Counted by the session already.
        const { message } = HUB_ERRORS[cause as HubErrorCode];
        const refusal = { status: statusOfClose(closeCode), code: cause, message, retryAfterMs };
        reply.answer(refusalAnswer(refusal, passed.requestId, passed.cors));
      },
      abort: () => reply.abort(),
    };
    const transport = new StreamTransport(output, {
      clock,
      batcher: host.batcher,
      pingMs: heartbeatMs,
      // Spread: readers that lost one server do not all come back in one moment.
      retryMs: Math.round(reconnectBaseMs * (1 + random())),
      since: new Map(known),
    });
    reply.onClosed(() => {
      transport.onClosed();
      listener.onClosed(1000);
    });
    return transport;
  };
  host.open(request, bind, { kind: 'stream', rooms });
}

/** The rooms of `?rooms=` with the positions of the cursor, or why not. */
function roomsOf({ url, headers }: HttpRequest, maxRooms: number): Rooms | HttpRefusal {
  const at = url.indexOf('?');
  const query = new URLSearchParams(at < 0 ? '' : url.slice(at + 1));
  const names = query
    .getAll('rooms')
    .flatMap((list) => list.split(','))
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (names.length === 0) {
    const fields = [{ path: 'rooms', message: 'names at least one room' }];
    return hubRefusal(400, 'ERR_HUB_REQUEST_INVALID', { fields });
  }
  if (names.some((name) => parseRoom(name) === undefined)) return hubRefusal(400, 'ERR_HUB_ROOM_INVALID');
  // The header is newer: a browser that reconnects by itself repeats the address it began with.
  const cursor = parseCursor(headers.get('last-event-id') ?? query.get('since') ?? '');
  const rooms = new Map(names.map((name) => [name, cursor.get(name)]));
  return rooms.size > maxRooms ? hubRefusal(400, 'ERR_HUB_SUBSCRIPTION_LIMIT') : rooms;
}
