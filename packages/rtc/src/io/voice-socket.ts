/** Owns one WebSocket to a voice gateway: opening, messages in and out, an end that always comes. Refuses protocol. */
import type { Clock } from '@guildkit/core';
import WebSocket from 'ws';

/** What a socket tells. After `onClose` it tells nothing more. */
export interface VoiceSocketEvents {
  onText(text: string): void;
  /** The bytes are the listener's own. */
  onBinary(bytes: Uint8Array): void;
  /** The connection has ended; 1006 without a closing handshake. `reason` is for the log. */
  onClose(code: number, reason: string | undefined): void;
}

/** An opened or opening socket. */
export interface VoiceSocket {
  /** Whether it was handed over; `false` when the socket is not open. */
  send(data: string | Uint8Array): boolean;
  /** Says farewell, and cuts the connection when no answer comes in time. */
  close(code: number): void;
  /** Cuts the connection: a dead peer answers no farewell. */
  terminate(): void;
  /** Resolves when nothing of the socket is left. */
  readonly gone: Promise<void>;
}

/** How long a farewell may take. */
const FAREWELL_MS = 1_000;
/** The largest messages are MLS welcomes of large groups, some hundred kilobytes. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

/** Opens a socket. @param ca Certificates to trust beside the machine's, PEM. */
export function openVoiceSocket(
  url: string,
  ca: string | undefined,
  events: VoiceSocketEvents,
  clock: Clock,
): VoiceSocket {
  const socket = new WebSocket(url, {
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
    ...(ca === undefined ? {} : { ca }),
  });
  let farewell: unknown;
  let trouble: string | undefined;
  const gone = new Promise<void>((resolve) => {
    socket.on('close', (code) => {
      clock.clearTimer(farewell);
      resolve();
      events.onClose(code, trouble);
    });
  });
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    if (isBinary) events.onBinary(data);
    else events.onText(data.toString('utf8'));
  });
  // The close that follows says all that matters.
  socket.on('error', (error) => {
    trouble = (error as NodeJS.ErrnoException).code ?? error.name;
  });
  return {
    gone,
    terminate: () => socket.terminate(),
    send(data) {
      if (socket.readyState !== WebSocket.OPEN) return false;
      socket.send(data);
      return true;
    },
    close(code) {
      if (socket.readyState === WebSocket.CLOSED) return;
      if (socket.readyState === WebSocket.CONNECTING) {
        socket.terminate();
        return;
      }
      socket.close(code);
      farewell = clock.setTimer(() => socket.terminate(), FAREWELL_MS);
    },
  };
}
