/** Owns one WebSocket to a voice gateway: opening, messages in and out, an end that always comes. Refuses protocol. */
import type { Clock } from '@guildkit/core';
import WebSocket from 'ws';

/** What a socket tells. After `onClose` it tells nothing more. */
export interface VoiceSocketEvents {
  onText(text: string): void;
  onBinary(bytes: Uint8Array): void;
  /** The connection has ended; 1006 without a closing handshake. `trouble` is for the log. */
  onClose(code: number, trouble: string | undefined): void;
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

/**
 * Opens a socket.
 *
 * @param urls Tried in turn while nobody there speaks WebSocket; a port that is shut ends it.
 * @param ca Certificates to trust instead of the machine's, PEM.
 */
export function openVoiceSocket(
  urls: readonly string[],
  ca: string | undefined,
  events: VoiceSocketEvents,
  clock: Clock,
): VoiceSocket {
  const [first = '', ...others] = urls;
  let farewell: unknown;
  let trouble: string | undefined;
  let ending = false;
  let settle = (): void => {};
  const gone = new Promise<void>((resolve) => {
    settle = resolve;
  });

  function open(url: string): WebSocket {
    const opened = new WebSocket(url, {
      perMessageDeflate: false,
      maxPayload: MAX_MESSAGE_BYTES,
      ...(ca === undefined ? {} : { ca }),
    });
    let wasOpen = false;
    opened.on('open', () => {
      wasOpen = true;
    });
    opened.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) events.onBinary(data);
      else events.onText(data.toString('utf8'));
    });
    // The close that follows says all that matters.
    opened.on('error', (error) => {
      trouble = (error as NodeJS.ErrnoException).code ?? error.name;
    });
    opened.on('close', (code) => {
      const next = wasOpen || ending || trouble === 'ECONNREFUSED' ? undefined : others.shift();
      if (next !== undefined) {
        socket = open(next);
        return;
      }
      clock.clearTimer(farewell);
      settle();
      events.onClose(code, trouble);
    });
    return opened;
  }

  let socket = open(first);
  const terminate = (): void => {
    ending = true;
    socket.terminate();
  };
  return {
    gone,
    terminate,
    send(data) {
      if (socket.readyState !== WebSocket.OPEN) return false;
      socket.send(data);
      return true;
    },
    close(code) {
      ending = true;
      if (socket.readyState === WebSocket.CLOSED) return;
      if (socket.readyState === WebSocket.CONNECTING) {
        terminate();
        return;
      }
      socket.close(code);
      farewell = clock.setTimer(terminate, FAREWELL_MS);
    },
  };
}
