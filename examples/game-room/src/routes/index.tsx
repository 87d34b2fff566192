import { useConnection, useRoom, useVoiceChannelMembers } from '@guildkit/realtime-client/react';
import { createFileRoute, Link, useNavigate } from '@tanstack/react-router';
import { useServerFn } from '@tanstack/react-start';
import { type FormEvent, useId, useState } from 'react';
import { Avatar } from '../components/avatar.js';
import { PlusIcon } from '../components/icons.js';
import { createRoom, listRooms } from '../functions/rooms.js';
import { countPeople } from '../room/words.js';

export const Route = createFileRoute('/')({
  loader: () => listRooms(),
  component: RoomsPage,
});

function RoomsPage() {
  const { guildId, rooms: initial, simulated } = Route.useLoaderData();
  const rooms = useLiveRooms(guildId, initial);
  const { degraded } = useConnection();
  return (
    <div className="page">
      <section className="hero">
        <div>
          <h1>Voice rooms</h1>
          <p className="hero-text">Every room is a Discord voice channel. Pick one to see live who is in it.</p>
        </div>
        <NewRoom />
      </section>
      {degraded && (
        <p className="callout" role="status" data-testid="stale">
          Discord cannot be reached at the moment. Rooms may be missing or out of date.
        </p>
      )}
      {rooms.length === 0 && !degraded ? (
        <section className="empty">
          <h2>No rooms yet</h2>
          <p className="quiet">Create the first one, here or as a voice channel in Discord.</p>
        </section>
      ) : (
        <ul className="rooms" aria-label="Rooms">
          {rooms.map((room) => (
            <RoomCard key={room.channelId} {...room} />
          ))}
        </ul>
      )}
      {simulated && (
        <p className="footnote">
          <span className="tag">Sandbox</span> Discord is simulated on this machine. Open a room to bring people into
          it.
        </p>
      )}
    </div>
  );
}

interface RoomEntry {
  readonly channelId: string;
  readonly name: string;
}

const FACES = 4;

function RoomCard({ channelId, name }: RoomEntry) {
  const { members, status } = useVoiceChannelMembers(channelId);
  const known = status === 'live' || status === 'recovering';
  return (
    <li>
      <Link to="/room/$channelId" params={{ channelId }} className="room-card">
        <span className="room-name">{name}</span>
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

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get('name') ?? '').trim();
    if (name === '') return setProblem('Give the room a name.');
    setBusy(true);
    setProblem('');
    try {
      const result = await create({ data: { name } });
      if (result.ok) await navigate({ to: '/room/$channelId', params: { channelId: result.room.channelId } });
      else setProblem(result.message);
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

/** The guild's rooms: the server's list at first, then the live one. */
function useLiveRooms(guildId: string, initial: readonly RoomEntry[]): readonly RoomEntry[] {
  const { snapshot } = useRoom(`guild:${guildId}`);
  return snapshot?.kind === 'guild' ? snapshot.channels : initial;
}
