/**
 * Owns one UDP socket to a voice server: binding, datagrams in and out. It is connected, so the kernel drops what comes from
 * anywhere else. Refuses to know what datagrams hold.
 */
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';

/** What a socket tells. After `close()` or `onFailed` it tells nothing more. */
export interface UdpSocketEvents {
  onDatagram(bytes: Uint8Array): void;
  /** It cannot be used: no address family, no port, no route. */
  onFailed(error: Error): void;
}

/** A bound or binding socket. */
export interface UdpSocket {
  /** Sends, or keeps it until the socket is bound. `false` when it cannot be sent. */
  send(bytes: Uint8Array): boolean;
  close(): void;
  /** Resolves when nothing of the socket is left. */
  readonly gone: Promise<void>;
}

/** What is sent before the socket is bound: one discovery, as a rule. */
const MAX_EARLY = 16;
/** Video comes in bursts of many packets; the default of Linux holds about 90. The kernel may grant less. */
const BUFFER_BYTES = 2 * 1024 * 1024;

/** Opens a socket to an address, IPv4 or IPv6. */
export function openUdpSocket(ip: string, port: number, events: UdpSocketEvents): UdpSocket {
  const socket = createSocket({ type: isIPv6(ip) ? 'udp6' : 'udp4' });
  let early: Uint8Array[] | undefined = [];
  let closed = false;
  const gone = new Promise<void>((resolve) => {
    socket.once('close', resolve);
  });
  const close = (): void => {
    if (closed) return;
    closed = true;
    early = undefined;
    socket.close();
  };
  // A datagram that nobody takes (ECONNREFUSED) is a lost one: keepalives notice when all are.
  const ignore = (): void => {};
  const send = (bytes: Uint8Array): boolean => {
    if (closed) return false;
    if (early !== undefined) {
      if (early.length < MAX_EARLY) early.push(bytes);
      return true;
    }
    try {
      socket.send(bytes, ignore);
      return true;
    } catch {
      return false;
    }
  };
  socket.on('message', (bytes) => {
    if (!closed) events.onDatagram(bytes);
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    if (closed || error.code === 'ECONNREFUSED') return;
    close();
    events.onFailed(error);
  });
  socket.once('connect', () => {
    if (closed) return;
    try {
      socket.setRecvBufferSize(BUFFER_BYTES);
      socket.setSendBufferSize(BUFFER_BYTES);
    } catch {
      // It works with less.
    }
    const waiting = early ?? [];
    early = undefined;
    for (const bytes of waiting) send(bytes);
  });
  socket.connect(port, ip);
  return { gone, send, close };
}
