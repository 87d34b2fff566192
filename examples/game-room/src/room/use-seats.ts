/** Owns what a page knows of a room's seats: asked for when its events begin, told of from then on. */
import { useVoiceChannelEvents } from '@guildkit/realtime-client/react';
import { useServerFn } from '@tanstack/react-start';
import { useEffect, useRef, useState } from 'react';
import { getSeats } from '../functions/table.js';
import type { SeatedPlayer } from './seat-events.js';

const NONE: readonly SeatedPlayer[] = [];

/** @param live Whether the room's events come: what is asked for after that leaves no gap. */
export function useSeats(channelId: string, live: boolean): readonly SeatedPlayer[] {
  const load = useServerFn(getSeats);
  const [seats, setSeats] = useState(NONE);
  /** Counts what was told: an answer that was under way meanwhile is older. */
  const news = useRef(0);
  useVoiceChannelEvents(channelId, ({ event, payload }) => {
    if (event !== 'table.seats') return;
    news.current += 1;
    setSeats(payload.seats);
  });
  useEffect(() => {
    if (!live) return;
    const before = news.current;
    load({ data: { channelId } }).then(
      (found) => {
        if (news.current === before) setSeats(found);
      },
      // Names of seats are missing until the next of them comes or goes.
      () => {},
    );
  }, [live, channelId, load]);
  return seats;
}
