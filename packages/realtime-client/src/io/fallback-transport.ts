/** Owns which of several ways to the hub is taken. Refuses to judge the hub: a way that led there once is kept for a while. */
import type { Transport } from './transport.js';

/** What remembers which transport worked, from one page to the next. `sessionStorage` fits. */
export interface TransportMemory {
  /** What was set last; `null` for nothing. */
  getItem(key: string): string | null;
  /** Keeps a value. */
  setItem(key: string, value: string): void;
}

const KEY = 'guildkit.transport';
/** Tries in a row that fail before a way that led to the hub is given up: a server that starts anew refuses all of them. */
const PATIENCE = 3;

/**
 * Tries transports in turn until the hub answers on one: `[webSocketTransport(…), sseTransport(…)]` for networks that
 * let no WebSocket through. The one that worked is tried first from then on, and given up after three failures in a row.
 *
 * @param memory Keeps the choice beyond the page: `sessionStorage`. One that throws is as good as none.
 */
export function fallbackTransport(transports: readonly Transport[], memory?: TransportMemory): Transport {
  let index = 0;
  /** The way that the hub has answered on. */
  let proven: number | undefined;
  let misses = 0;
  try {
    index = Number(memory?.getItem(KEY)) >>> 0;
  } catch {}
  return {
    connect({ onMessage, onClose }, hint) {
      index %= transports.length;
      const mine = index;
      let hasSpoken = false;
      const judge = (): void => {
        if (connection.isEstablished ?? hasSpoken) {
          proven = mine;
          misses = 0;
          try {
            memory?.setItem(KEY, `${mine}`);
          } catch {}
        } else if (index === mine) {
          misses += 1;
          if (mine === proven && misses < PATIENCE) return;
          misses = 0;
          index += 1;
        }
      };
      const connection = (transports[mine] as Transport).connect(
        {
          onMessage(data) {
            hasSpoken = true;
            onMessage(data);
          },
          onClose(close) {
            judge();
            onClose(close);
          },
        },
        hint,
      );
      return {
        send: (text) => connection.send(text),
        close(code, reason) {
          // Not heard of for too long; a client that was told to end says nothing about the way.
          if (reason) judge();
          connection.close(code, reason);
        },
      };
    },
  };
}
