/** TanStack Start: its handler answers HTTP; streams, commands and WebSocket are the hub's, beside it. */
import { createServer } from 'node:http';
import handler from '@tanstack/react-start/server-entry';
import { listen } from '../../src/listen.js';
import { nodeHandler } from '../../src/node-handler.js';
import type { Listening, Parts } from '../../src/parts.js';

export function startTanStack(parts: Parts): Promise<Listening> {
  const server = createServer(nodeHandler((request) => handler.fetch(request, { context: { parts } })));
  return listen(server, parts.hub);
}
