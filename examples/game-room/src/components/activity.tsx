/** Owns the list of what happened, and the voice that tells it to screen readers. */
import type { ActivityLine } from '../room/use-member-changes.js';
import { timeOfDay } from '../room/words.js';

export function Activity({ lines }: { readonly lines: readonly ActivityLine[] }) {
  return (
    <section className="activity" aria-labelledby="activity-title">
      <h2 id="activity-title" className="section-title">
        Activity
      </h2>
      {lines.length === 0 ? (
        <p className="quiet">Joins and leaves will show here.</p>
      ) : (
        <ol className="activity-list" data-testid="activity">
          {lines.map((line) => (
            <li key={line.key} data-kind={line.kind}>
              <span>{line.text}</span>
              <time className="quiet" dateTime={new Date(line.at).toISOString()}>
                {timeOfDay(line.at)}
              </time>
            </li>
          ))}
        </ol>
      )}
      <p className="visually-hidden" aria-live="polite" data-testid="announcer">
        {lines[0]?.text ?? ''}
      </p>
    </section>
  );
}
