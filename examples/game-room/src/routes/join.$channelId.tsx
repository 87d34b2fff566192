import { createFileRoute, Link, useNavigate } from '@tanstack/react-router';
import { useServerFn } from '@tanstack/react-start';
import { useEffect, useRef, useState } from 'react';
import * as z from 'zod/mini';
import { joinRoom } from '../functions/rooms.js';

/** An invite's address: brings who opens it to the table. */
export const Route = createFileRoute('/join/$channelId')({
  validateSearch: z.object({ invite: z.catch(z.string(), '') }),
  head: () => ({ meta: [{ title: 'Join a room · Game rooms' }] }),
  component: JoinPage,
});

function JoinPage() {
  const { channelId } = Route.useParams();
  const { invite } = Route.useSearch();
  const join = useServerFn(joinRoom);
  const navigate = useNavigate();
  const [problem, setProblem] = useState('');
  const [tries, setTries] = useState(0);
  const begun = useRef(-1);

  useEffect(() => {
    // Once for each wish, however often React mounts.
    if (begun.current === tries) return;
    begun.current = tries;
    setProblem('');
    join({ data: { channelId, invite } }).then(
      (result) =>
        result.ok
          ? navigate({ to: '/room/$channelId', params: { channelId }, replace: true })
          : setProblem(result.message),
      () => setProblem('The server did not answer. Try again.'),
    );
  }, [tries, channelId, invite, join, navigate]);

  return (
    <section className="message-page" data-testid="join">
      {problem === '' ? (
        <h1 role="status">Bringing you to the table…</h1>
      ) : (
        <>
          <h1>You could not join</h1>
          <p role="alert">{problem}</p>
          <p className="field-row">
            <button type="button" className="button button-primary" onClick={() => setTries((old) => old + 1)}>
              Try again
            </button>
            <Link to="/" className="button">
              See my rooms
            </Link>
          </p>
        </>
      )}
    </section>
  );
}
