/**
 * Owns that no bot stays in voice for a player whose process has died: whoever is connected to Discord takes it out. Refuses
 * to touch a bot that some process speaks with.
 */
import { type Logger, messageOf } from '@guildkit/core';
import type { SeatLeases } from './seat-leases.js';

export interface SeatSweeperOptions {
  readonly leases: Pick<SeatLeases, 'refresh' | 'unused'>;
  /** Whether this process is the one that looks. */
  readonly isOwner: () => boolean;
  readonly isInVoice: (seatUserId: string) => boolean;
  readonly disconnect: (seatUserId: string) => Promise<unknown>;
  readonly logger: Logger;
  readonly everyMs?: number | undefined;
}

const EVERY_MS = 2_500;

/** Looks until it is stopped. A bot that nobody uses in two looks is taken out: one that is on its way out needs a moment. */
export function sweepSeats(options: SeatSweeperOptions): () => void {
  const { leases, isOwner, isInVoice, disconnect, logger, everyMs = EVERY_MS } = options;
  let suspects: ReadonlySet<string> = new Set();

  async function look(): Promise<void> {
    if (!isOwner()) {
      suspects = new Set();
      return;
    }
    await leases.refresh();
    const left = leases.unused().filter(isInVoice);
    for (const seatUserId of left.filter((each) => suspects.has(each))) {
      logger.warn({ seatUserId }, 'a bot whose process is gone is taken out of voice');
      await disconnect(seatUserId);
    }
    suspects = new Set(left);
  }
  const timer = setInterval(() => {
    look().catch((error: unknown) => logger.warn({ reason: messageOf(error) }, 'bots in voice were not looked at'));
  }, everyMs);
  return () => clearInterval(timer);
}
