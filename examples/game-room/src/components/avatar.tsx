import { initialsOf, toneOf } from '../room/words.js';

/** How many avatar colours the style sheet has. */
const TONES = 8;

/** A person's initials on their colour. The name always stands beside it. */
export function Avatar({
  id,
  name,
  size = 'medium',
}: {
  readonly id: string;
  readonly name: string;
  readonly size?: 'small' | 'medium';
}) {
  return (
    <span className="avatar" data-tone={toneOf(id, TONES)} data-size={size} aria-hidden="true">
      {initialsOf(name)}
    </span>
  );
}
