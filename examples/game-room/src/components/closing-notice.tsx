/** Owns the warning that an empty room is about to be closed. */
import { useCommand, useVoiceChannelEvents } from '@guildkit/realtime-client/react';
import { useState } from 'react';
import { commandProblem } from '../room/command-words.js';
import { secondsUntil } from '../room/connection-words.js';
import { useNow } from '../room/use-now.js';

export function ClosingNotice({ channelId, isEmpty }: { readonly channelId: string; readonly isEmpty: boolean }) {
  const [closesAt, setClosesAt] = useState<number>();
  const { run, isPending, error } = useCommand('keepRoomOpen');
  const now = useNow(500);
  useVoiceChannelEvents(channelId, ({ event, payload }) => {
    if (event === 'room.closing') setClosesAt(payload.closesAt);
  });
  if (closesAt === undefined || !isEmpty || closesAt < now - 5_000) return null;
  const keep = async () => {
    if (await run({ channelId })) setClosesAt(undefined);
  };
  return (
    <section className="callout callout-row" role="alert" data-testid="closing">
      <p>
        Nobody has been here for a while. The room closes in{' '}
        <span aria-hidden="true">{secondsUntil(closesAt, now)} s</span>
        <span className="visually-hidden">less than a minute</span>. {error && commandProblem(error)}
      </p>
      <button type="button" className="button button-small" disabled={isPending} onClick={keep}>
        Keep open
      </button>
    </section>
  );
}
