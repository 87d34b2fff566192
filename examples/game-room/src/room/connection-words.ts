/** Owns how a connection state is said to people. */
import type { ConnectionStatus, ConnectionView } from '@guildkit/realtime-client';

/** A state in words. */
export interface ConnectionWords {
  readonly tone: 'good' | 'busy' | 'bad';
  /** Two words at most. */
  readonly label: string;
  /** One sentence for the notice, `undefined` while there is nothing to say. */
  readonly notice: string | undefined;
}

const WORDS: Readonly<Record<ConnectionStatus, ConnectionWords>> = {
  idle: { tone: 'busy', label: 'Connecting', notice: undefined },
  connecting: { tone: 'busy', label: 'Connecting', notice: undefined },
  open: { tone: 'good', label: 'Live', notice: undefined },
  recovering: { tone: 'busy', label: 'Catching up', notice: undefined },
  waiting: { tone: 'busy', label: 'Reconnecting', notice: 'Connection lost. Trying again.' },
  manual: { tone: 'bad', label: 'Connection lost', notice: 'Connection lost. What you see may be old.' },
  closed: {
    tone: 'bad',
    label: 'Disconnected',
    notice: 'The connection was closed. Reload the page to connect again.',
  },
};

export function connectionWords({ status, attempt }: Pick<ConnectionView, 'status' | 'attempt'>): ConnectionWords {
  // A later try is still the same outage: the notice stays until it is over.
  if ((status === 'connecting' || status === 'recovering') && attempt > 0)
    return { ...WORDS.waiting, notice: 'Connection lost. Trying now.' };
  return WORDS[status];
}

/** Whole seconds until then, at least 0. */
export function secondsUntil(then: number, now: number): number {
  return Math.max(0, Math.ceil((then - now) / 1000));
}
