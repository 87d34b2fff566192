/** Owns the port that the voice gateway listens on: upgrades everything, and hands each WebSocket on. */
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { SandboxError } from '../errors.js';
import { MAX_VOICE_FRAME_BYTES } from '../protocol/voice/frames.js';

/** What the port is opened with. */
export interface VoiceServerOptions {
  readonly host: string;
  readonly port: number;
  /** Key and certificates; without them connections are plain. */
  readonly tls: { readonly key: string; readonly chain: string } | undefined;
  onConnection(ws: WebSocket, version: number): void;
}

/** A listening voice gateway. */
export interface VoiceServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Starts listening. @throws SandboxError (rejects) `ERR_SANDBOX_PORT_UNAVAILABLE`. */
export async function listenForVoice({ host, port, tls, onConnection }: VoiceServerOptions): Promise<VoiceServer> {
  const server: Server = tls === undefined ? createServer() : createTlsServer({ key: tls.key, cert: tls.chain });
  const upgrader = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_VOICE_FRAME_BYTES,
    perMessageDeflate: false,
  });
  const connections = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  server.on('request', (_request, response) => {
    response.writeHead(426, { upgrade: 'websocket', connection: 'close' }).end();
  });
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    const query = new URLSearchParams((request.url ?? '').split('?', 2)[1] ?? '');
    upgrader.handleUpgrade(request, socket, head, (ws) => onConnection(ws, Number(query.get('v') ?? '0')));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(new SandboxError('ERR_SANDBOX_PORT_UNAVAILABLE', `Cannot listen on ${host}:${port}.`, error));
    });
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of connections) socket.destroy();
      }),
  };
}
