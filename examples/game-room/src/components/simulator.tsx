/** Owns the panel with which to make simulated people come and go, and to break the connection to Discord. */
import type { VoiceRoomMember } from '@guildkit/core/wire';
import { useConnection } from '@guildkit/realtime-client/react';
import { useServerFn } from '@tanstack/react-start';
import { type FormEvent, useCallback, useEffect, useId, useState } from 'react';
import { getSimulator, type SimulatorAction, simulate } from '../functions/simulator.js';
import { Avatar } from './avatar.js';

type SimulatorState = Awaited<ReturnType<typeof getSimulator>>;

/** Other pages use the simulator too; this is how soon their doing shows here. */
const REFRESH_MS = 2000;

const NAMES = ['Mia', 'Tom', 'Aisha', 'Leo', 'Nora', 'Sam', 'Yuki', 'Ben', 'Zoe', 'Ravi', 'Ida', 'Max'];

const FAULTS = [
  { fault: 'cut', label: 'Cut the connection', about: 'Without a goodbye. It resumes.' },
  { fault: 'reconnect', label: 'Ask to reconnect', about: 'As Discord does every day.' },
  { fault: 'invalidSession', label: 'End the session', about: 'Nothing to resume: starts anew.' },
] as const;

const SWITCHES = [
  { what: 'mute', turnOn: 'Mute', turnOff: 'Unmute' },
  { what: 'deaf', turnOn: 'Deafen', turnOff: 'Undeafen' },
  { what: 'video', turnOn: 'Camera on', turnOff: 'Camera off' },
] as const;

interface SimulatorProps {
  readonly channelId: string;
  /** Who is in the room, as the room's page has it. */
  readonly members: readonly VoiceRoomMember[];
  readonly deleted: boolean;
}

export function Simulator({ channelId, members, deleted }: SimulatorProps) {
  const { state, act, problem } = useSimulator();
  return (
    <aside className="simulator" aria-labelledby="simulator-title">
      <header>
        <h2 id="simulator-title">Simulator</h2>
        <span className="tag">Sandbox</span>
      </header>
      <p className="quiet">A simulated Discord with simulated people.</p>
      <p className="problem" role="alert">
        {problem}
      </p>
      <h3 className="section-title">People</h3>
      {!deleted && (
        <AddPerson taken={state?.people.map((person) => person.name) ?? []} channelId={channelId} act={act} />
      )}
      <ul className="sim-list" aria-label="Simulated people">
        {state?.people.map((person) => (
          <PersonRow
            key={person.id}
            person={person}
            member={members.find((member) => member.userId === person.id)}
            rooms={state.rooms}
            channelId={channelId}
            deleted={deleted}
            act={act}
          />
        ))}
      </ul>
      <h3 className="section-title">Faults</h3>
      <ul className="sim-list">
        {FAULTS.map(({ fault, label, about }) => (
          <FaultRow key={fault} label={label} about={about} onClick={() => act({ do: 'fault', fault })} />
        ))}
        {!deleted && (
          <FaultRow
            label="Delete this room"
            about="In Discord, by somebody else."
            onClick={() => act({ do: 'deleteRoom', channelId })}
          />
        )}
      </ul>
      {state !== undefined && (
        <dl className="sim-link" data-testid="gateway">
          <div>
            <dt>Gateway</dt>
            <dd>{state.gateway.state}</dd>
          </div>
          <div>
            <dt>Connections</dt>
            <dd>{state.gateway.connections}</dd>
          </div>
          <div>
            <dt>Resumes</dt>
            <dd>{state.gateway.resumes}</dd>
          </div>
        </dl>
      )}
    </aside>
  );
}

function FaultRow({
  label,
  about,
  onClick,
}: {
  readonly label: string;
  readonly about: string;
  readonly onClick: () => void;
}) {
  const aboutId = useId();
  return (
    <li className="sim-fault">
      <button type="button" className="button button-small" aria-describedby={aboutId} onClick={onClick}>
        {label}
      </button>
      <p id={aboutId} className="quiet">
        {about}
      </p>
    </li>
  );
}

interface RowProps {
  readonly person: SimulatorState['people'][number];
  /** The person's voice state, while they are in this room. */
  readonly member: VoiceRoomMember | undefined;
  readonly rooms: SimulatorState['rooms'];
  readonly channelId: string;
  readonly deleted: boolean;
  readonly act: (action: SimulatorAction) => void;
}

function PersonRow({ person, member, rooms, channelId, deleted, act }: RowProps) {
  const [open, setOpen] = useState(false);
  const moreId = useId();
  const { id: personId, name } = person;
  const where = rooms.find((room) => room.channelId === person.channelId);
  const here = person.channelId === channelId && !deleted;
  return (
    <li className="sim-person" data-person={personId}>
      <Avatar id={personId} name={name} size="small" />
      <div className="sim-who">
        <p>{name}</p>
        <p className="quiet">{here ? 'in this room' : where === undefined ? 'not in voice' : `in ${where.name}`}</p>
      </div>
      <fieldset className="sim-actions">
        <legend className="visually-hidden">{name}</legend>
        {here ? (
          <>
            <button
              type="button"
              className="button button-small"
              aria-expanded={open}
              aria-controls={moreId}
              onClick={() => setOpen(!open)}
            >
              More
            </button>
            <button
              type="button"
              className="button button-small"
              title="Their connection fails. To Discord that is the same as leaving."
              onClick={() => act({ do: 'leave', personId })}
            >
              Drop
            </button>
            <button type="button" className="button button-small" onClick={() => act({ do: 'leave', personId })}>
              Leave
            </button>
          </>
        ) : (
          !deleted && (
            <button
              type="button"
              className="button button-small"
              onClick={() => act({ do: 'place', personId, channelId })}
            >
              {where === undefined ? 'Join' : 'Bring here'}
            </button>
          )
        )}
      </fieldset>
      <ul className="sim-more" id={moreId} aria-label={`More for ${name}`} hidden={!here || !open}>
        {member !== undefined &&
          SWITCHES.map(({ what, turnOn, turnOff }) => (
            <li key={what}>
              <button
                type="button"
                className="button button-small"
                onClick={() => act({ do: 'switch', personId, what, on: !member[what] })}
              >
                {member[what] ? turnOff : turnOn}
              </button>
            </li>
          ))}
        {rooms
          .filter((room) => room.channelId !== channelId)
          .map((room) => (
            <li key={room.channelId}>
              <button
                type="button"
                className="button button-small"
                onClick={() => {
                  setOpen(false);
                  act({ do: 'place', personId, channelId: room.channelId });
                }}
              >
                Move to {room.name}
              </button>
            </li>
          ))}
      </ul>
    </li>
  );
}

function AddPerson({
  taken,
  channelId,
  act,
}: {
  readonly taken: readonly string[];
  readonly channelId: string;
  readonly act: RowProps['act'];
}) {
  const fieldId = useId();
  const [name, setName] = useState('');
  const suggestion = NAMES.find((candidate) => !taken.includes(candidate)) ?? `Player ${taken.length + 1}`;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    act({ do: 'add', name: name.trim() || suggestion, channelId });
    setName('');
  };
  return (
    <form className="field-row" onSubmit={submit}>
      <label htmlFor={fieldId} className="visually-hidden">
        Name of the new person
      </label>
      <input
        id={fieldId}
        value={name}
        maxLength={32}
        autoComplete="off"
        placeholder={suggestion}
        onChange={(event) => setName(event.target.value)}
      />
      <button type="submit" className="button button-primary">
        Add and join
      </button>
    </form>
  );
}

function useSimulator() {
  const { status } = useConnection();
  const online = status === 'open';
  const load = useServerFn(getSimulator);
  const run = useServerFn(simulate);
  const [state, setState] = useState<SimulatorState>();
  const [problem, setProblem] = useState('');

  const refresh = useCallback(async () => {
    try {
      setState(await load());
    } catch {
      // The page's own notice tells that the server is away; the next refresh tries again.
    }
  }, [load]);

  useEffect(() => {
    if (!online) return;
    void refresh();
    const timer = setInterval(() => {
      if (!document.hidden) void refresh();
    }, REFRESH_MS);
    return () => clearInterval(timer);
  }, [refresh, online]);

  const act = useCallback(
    (action: SimulatorAction) => {
      setProblem('');
      run({ data: action }).then(
        (result) => {
          setProblem(result.problem ?? '');
          return refresh();
        },
        () => setProblem('That did not work. The server’s log says why.'),
      );
    },
    [run, refresh],
  );

  return { state, act, problem };
}
