/** Owns what a player can do about a room: ask others in, leave, end it. */
import { useNavigate } from '@tanstack/react-router';
import { useServerFn } from '@tanstack/react-start';
import { type ReactNode, useId, useState } from 'react';
import { createInvite, endRoom, leaveRoom } from '../functions/rooms.js';

type Outcome = { readonly ok: true } | { readonly ok: false; readonly message: string };

interface RoomActionsProps {
  readonly channelId: string;
  readonly isHost: boolean;
  /** Told before the room is left, so that nobody asks why. */
  readonly onLeave: () => void;
}

export function RoomActions({ channelId, isHost, onLeave }: RoomActionsProps) {
  const leave = useServerFn(leaveRoom);
  const end = useServerFn(endRoom);
  const navigate = useNavigate();
  const [asks, setAsks] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');

  const go = async (work: () => Promise<Outcome>) => {
    setBusy(true);
    setProblem('');
    onLeave();
    try {
      const result = await work();
      if (result.ok) await navigate({ to: '/' });
      else setProblem(result.message);
    } catch {
      setProblem('The server did not answer. Try again.');
    } finally {
      setBusy(false);
      setAsks(false);
    }
  };

  return (
    <section className="room-actions" aria-label="This room">
      <Invite channelId={channelId}>
        {isHost ? (
          asks ? (
            <>
              <button
                type="button"
                className="button button-danger"
                disabled={busy}
                onClick={() => go(() => end({ data: { channelId } }))}
              >
                {busy ? 'Ending…' : 'End it for everyone'}
              </button>
              <button type="button" className="button" disabled={busy} onClick={() => setAsks(false)}>
                Keep it
              </button>
            </>
          ) : (
            <button type="button" className="button" onClick={() => setAsks(true)}>
              End room
            </button>
          )
        ) : (
          <button
            type="button"
            className="button"
            disabled={busy}
            onClick={() => go(() => leave({ data: { channelId } }))}
          >
            {busy ? 'Leaving…' : 'Leave room'}
          </button>
        )}
      </Invite>
      <p className="problem" role="alert">
        {problem}
      </p>
    </section>
  );
}

/** Makes a link when it is asked for, and copies it. Beside it stands what else can be done. */
function Invite({ channelId, children }: { readonly channelId: string; readonly children: ReactNode }) {
  const make = useServerFn(createInvite);
  const id = useId();
  const [link, setLink] = useState('');
  const [said, setSaid] = useState('');

  const copy = async (address: string) => {
    try {
      await navigator.clipboard.writeText(address);
      setSaid('Copied.');
    } catch {
      setSaid('Copy the link from the field.');
    }
  };
  const invite = async () => {
    if (link !== '') return copy(link);
    setSaid('');
    try {
      const result = await make({ data: { channelId } });
      if (!result.ok) return setSaid(result.message);
      const address = new URL(result.path, location.href).href;
      setLink(address);
      await copy(address);
    } catch {
      setSaid('The server did not answer. Try again.');
    }
  };

  return (
    <div className="invite">
      {link !== '' && (
        <>
          <label htmlFor={id}>Invite link, good for a day</label>
          <input id={id} readOnly value={link} onFocus={({ target }) => target.select()} />
        </>
      )}
      <div className="field-row">
        <button type="button" className="button button-primary" onClick={invite}>
          {link === '' ? 'Invite players' : 'Copy link'}
        </button>
        {children}
        <p className="quiet" role="status">
          {said}
        </p>
      </div>
    </div>
  );
}
