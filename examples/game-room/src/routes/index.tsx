import { useConnection, useRoom, useVoiceChannelMembers } from '@guildkit/realtime-client/react';
import { createFileRoute, getRouteApi, Link, useNavigate, useRouter } from '@tanstack/react-router';
import { useServerFn } from '@tanstack/react-start';
import { type FormEvent, useEffect, useId, useRef, useState } from 'react';
import { Avatar } from '../components/avatar.js';
import { PlusIcon } from '../components/icons.js';
import { createRoom, listRooms } from '../functions/rooms.js';
import { countPeople } from '../room/words.js';

export const Route = createFileRoute('/')({
  loader: () => listRooms(),
  component: RoomsPage,
});

const root = getRouteApi('__root__');

function RoomsPage() {
  const { operates } = root.useLoaderData();
  const { guildId, mine, open } = Route.useLoaderData();
  const { degraded } = useConnection();
  useFreshRooms(guildId);
  return (
    <div className="page">
      <section className="hero">
        <div>
          <h1>Your rooms</h1>
          <p className="hero-text">A room is a private voice channel on Discord, for up to four.</p>
        </div>
        <NewRoom />
      </section>
      {degraded && (
        <p className="callout" role="status" data-testid="stale">
          No news from Discord at the moment. Rooms may be missing or out of date.
        </p>
      )}
      {mine.length === 0 ? (
        <section className="empty">
          <h2>{degraded ? 'No rooms to show' : 'No rooms yet'}</h2>
          <p className="quiet">
            {degraded
              ? 'Your rooms appear here as soon as Discord is back.'
              : 'Create one, or open the link that somebody sent you.'}
          </p>
        </section>
      ) : (
        <RoomCards rooms={mine} label="Your rooms" />
      )}
      {open.length > 0 && (
        <>
          <h2 className="section-title">Open channels</h2>
          <RoomCards rooms={open} label="Open channels" />
        </>
      )}
      {operates && (
        <p className="footnote">
          <Link to="/ops">Operations</Link> How the app is, for whoever runs it.
        </p>
      )}
    </div>
  );
}

interface RoomEntry {
  readonly channelId: string;
  readonly name: string;
  readonly isHost: boolean;
}

function RoomCards({ rooms, label }: { readonly rooms: readonly RoomEntry[]; readonly label: string }) {
  return (
    <ul className="rooms" aria-label={label}>
      {rooms.map((room) => (
        <RoomCard key={room.channelId} {...room} />
      ))}
    </ul>
  );
}

const FACES = 4;

function RoomCard({ channelId, name, isHost }: RoomEntry) {
  const { members, status } = useVoiceChannelMembers(channelId);
  const known = status === 'live' || status === 'recovering';
  return (
    <li>
      <Link to="/room/$channelId" params={{ channelId }} className="room-card">
        <span className="room-name">
          {name} {isHost && <span className="tag">Yours</span>}
        </span>
        <span className="room-people">
          <span className="faces">
            {members.slice(0, FACES).map((member) => (
              <Avatar key={member.userId} id={member.userId} name={member.username} size="small" />
            ))}
          </span>
          <span className="quiet">{known ? `${countPeople(members.length)} in voice` : '…'}</span>
        </span>
      </Link>
    </li>
  );
}

function NewRoom() {
  const create = useServerFn(createRoom);
  const navigate = useNavigate();
  const fieldId = useId();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');
  /** Of one wish: sent again, it means the same room. */
  const key = useRef('');

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get('name') ?? '').trim();
    if (name === '') return setProblem('Give the room a name.');
    setBusy(true);
    setProblem('');
    key.current ||= crypto.randomUUID();
    try {
      const result = await create({ data: { name, key: key.current } });
      if (result.ok) {
        key.current = '';
        await navigate({ to: '/room/$channelId', params: { channelId: result.channelId } });
      } else setProblem(result.message);
    } catch {
      setProblem('The room was not created: the server did not answer. Try again.');
    } finally {
      setBusy(false);
    }
  };

  return (
    <form className="new-room" onSubmit={submit} noValidate>
      <label htmlFor={fieldId}>New room</label>
      <div className="field-row">
        <input
          id={fieldId}
          name="name"
          maxLength={100}
          autoComplete="off"
          placeholder="Friday game night"
          aria-invalid={problem !== ''}
          aria-describedby={`${fieldId}-problem`}
        />
        <button type="submit" className="button button-light" disabled={busy}>
          <PlusIcon />
          {busy ? 'Creating…' : 'Create room'}
        </button>
      </div>
      <p id={`${fieldId}-problem`} className="problem" role="alert">
        {problem}
      </p>
    </form>
  );
}

/** Asks for the list again when a channel of the guild comes or goes: which of them are whose, the server knows. */
function useFreshRooms(guildId: string): void {
  const { snapshot } = useRoom(`guild:${guildId}`);
  const router = useRouter();
  const channels = snapshot?.kind === 'guild' ? snapshot.channels.map(({ channelId }) => channelId).join() : undefined;
  const before = useRef(channels);
  useEffect(() => {
    if (channels === undefined || channels === before.current) return;
    const isFirst = before.current === undefined;
    before.current = channels;
    if (!isFirst) void router.invalidate();
  }, [channels, router]);
}
