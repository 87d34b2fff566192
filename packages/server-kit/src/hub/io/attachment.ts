/** Owns which paths of a node:http server the hub serves. Refuses what belongs to other listeners. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { toLogText, type Unsubscribe } from '@guildkit/core';
import type { WebSocketServer } from 'ws';
import { HUB_ERRORS, type HubErrorCode } from '../../errors.js';
import { claimUpgrade, type OriginRequest, pathOf, refuseUpgrade, requestFacts } from '../../shared/upgrade.js';
import type { Access } from '../access.js';
import type { HubPaths } from '../hub-shapes.js';
import type { HubCounters } from '../stats.js';
import type { CommandEndpoint } from './command-endpoint.js';
import { nodeReply, nodeRequest, routeRequests, sendAnswer } from './node-http.js';
import { type StreamHost, serveStream } from './stream-endpoint.js';
import type { Transport, TransportListener } from './transport.js';
import { acceptUpgrade } from './ws-transport.js';

/** What serving asks of a hub. */
export interface AttachmentHost {
  readonly upgrader: WebSocketServer;
  readonly access: Access;
  readonly counters: HubCounters;
  readonly streamHost: StreamHost;
  readonly commandEndpoint: CommandEndpoint;
  isClosing(): boolean;
  open(bind: (listener: TransportListener) => Transport, request: OriginRequest): void;
}

/** Serves paths. Returns what stops it. @throws TypeError on a path that is none. */
export function attachPaths(host: AttachmentHost, server: Server, paths: HubPaths): Unsubscribe {
  const { ws, sse, commands = sse === undefined ? false : '/api/commands' } = paths;
  for (const [name, path] of Object.entries({ ws, sse, commands })) {
    if (path === undefined || path === false || (typeof path === 'string' && path.startsWith('/'))) continue;
    throw new TypeError(`RealtimeHub.attach: "${name}" must be a path that starts with "/"`);
  }
  if (ws === undefined && sse === undefined && commands === false) {
    throw new TypeError('RealtimeHub.attach: "ws", "sse" or "commands" must be given');
  }
  const { streamHost, commandEndpoint } = host;
  const undo: Unsubscribe[] = [];
  if (ws !== undefined) undo.push(attachSocket(host, server, ws));
  if (sse !== undefined) {
    undo.push(
      routeRequests(server, sse, (request, response) => {
        serveStream(streamHost, nodeRequest(request), nodeReply(request, response));
      }),
    );
  }
  if (commands !== false) {
    undo.push(
      routeRequests(server, commands, (request, response) => {
        void commandEndpoint.serve(nodeRequest(request)).then((answer) => sendAnswer(request, response, answer));
      }),
    );
  }
  return () => {
    for (const each of undo) each();
  };
}

function attachSocket(host: AttachmentHost, server: Server, path: string): Unsubscribe {
  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (pathOf(request) === path && claimUpgrade(socket)) upgrade(host, request, socket, head);
  };
  server.on('upgrade', onUpgrade);
  return () => {
    server.off('upgrade', onUpgrade);
  };
}

function upgrade(host: AttachmentHost, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const { access, counters, streamHost, upgrader } = host;
  const { logger } = streamHost.settings;
  const requestId = randomUUID();
  const { origin } = request.headers;
  const facts = requestFacts(request);
  const refuse = (status: 403 | 503, code: HubErrorCode, more: object, retryAfterSeconds?: number): void => {
    counters.error(code);
    logger.warn({ requestId, status, code, ...more }, 'hub refuses a request');
    refuseUpgrade(socket, status, { code, message: HUB_ERRORS[code].message }, requestId, retryAfterSeconds);
  };
  if (!access.allowsOrigin(origin, facts)) refuse(403, 'ERR_HUB_ORIGIN_FORBIDDEN', { origin: toLogText(origin ?? '') });
  else if (host.isClosing()) refuse(503, 'ERR_HUB_DRAINING', {}, 1);
  else if (streamHost.isFull()) refuse(503, 'ERR_HUB_CONNECTION_LIMIT', {}, 5);
  else acceptUpgrade(upgrader, request, socket, head, streamHost.batcher, (bind) => host.open(bind, facts));
}
