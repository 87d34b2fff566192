/** Owns what a page says about its own connection: a mark in the header, and a notice while it is lost. */
import { useConnection } from '@guildkit/realtime-client/react';
import { connectionWords, secondsUntil } from '../room/connection-words.js';
import { useNow } from '../room/use-now.js';

export function ConnectionMark() {
  const { tone, label } = connectionWords(useConnection());
  return (
    <p className="mark" data-tone={tone} data-testid="connection" role="status" aria-label={`Connection: ${label}`}>
      <span className="mark-dot" aria-hidden="true" />
      {label}
    </p>
  );
}

export function ConnectionNotice() {
  const connection = useConnection();
  const { notice, tone } = connectionWords(connection);
  const waits = connection.status === 'waiting' && connection.nextAttemptAt !== undefined;
  return (
    <div className="notice-place">
      <div role="alert" className="visually-hidden">
        {connection.status === 'manual' || connection.status === 'closed' ? notice : ''}
      </div>
      {notice !== undefined && (
        <section className="notice" data-tone={tone} aria-label="Connection" data-testid="notice">
          <p>
            {notice} {waits && <Countdown until={connection.nextAttemptAt as number} attempt={connection.attempt} />}
          </p>
          {(waits || connection.status === 'manual') && (
            <button type="button" className="button button-small" onClick={() => connection.reconnect()}>
              {waits ? 'Try now' : 'Reconnect'}
            </button>
          )}
        </section>
      )}
    </div>
  );
}

/** Not read out: a number that changes each second is noise to the ear. */
function Countdown({ until, attempt }: { readonly until: number; readonly attempt: number }) {
  const now = useNow(250);
  return (
    <span className="notice-detail" aria-hidden="true">
      Next try in {secondsUntil(until, now)} s{attempt > 1 ? ` (try ${attempt})` : ''}.
    </span>
  );
}
