import type { RoomStatus } from '@guildkit/realtime-client';
import { useCommand, useVoiceChannelMembers } from '@guildkit/realtime-client/react';
import { createFileRoute, Link } from '@tanstack/react-router';
import { useServerFn } from '@tanstack/react-start';
import { type ReactNode, useCallback, useEffect, useRef, useState } from 'react';
import { Activity } from '../components/activity.js';
import { Chat } from '../components/chat.js';
import { ClosingNotice } from '../components/closing-notice.js';
import { DropoutDialog } from '../components/dropout-dialog.js';
import { ArrowLeftIcon } from '../components/icons.js';
import { NotFound } from '../components/not-found.js';
import { PlayerList, PlayerListLoading } from '../components/player-list.js';
import { RoomActions } from '../components/room-actions.js';
import { Simulator } from '../components/simulator.js';
import { Table } from '../components/table.js';
import { getRoom } from '../functions/rooms.js';
import { simulate } from '../functions/simulator.js';
import { commandProblem } from '../room/command-words.js';
import type { SeatedPlayer } from '../room/seat-events.js';
import { tableWords } from '../room/table-words.js';
import { useDropout } from '../room/use-dropout.js';
import { useMemberChanges } from '../room/use-member-changes.js';
import { useSeats } from '../room/use-seats.js';
import { type TablePlace, useTable } from '../room/use-table.js';
import { useViewer } from '../room/use-viewer.js';
import { countPeople } from '../room/words.js';

export const Route = createFileRoute('/room/$channelId')({
  loader: ({ params: { channelId } }) => getRoom({ data: { channelId } }),
  head: ({ loaderData }) => ({ meta: [{ title: `${loaderData?.name ?? 'Room'} · Game rooms` }] }),
  component: RoomPage,
  notFoundComponent: NotFound,
});

type RoomFacts = NonNullable<Awaited<ReturnType<typeof getRoom>>>;

function RoomPage() {
  const room = Route.useLoaderData();
  // Without a viewer the page is not drawn; with one there is a room, or this page is "not found".
  return room === undefined ? null : <RoomView key={room.channelId} {...room} />;
}

function RoomView({ channelId, guildId, name, simulated, hasSeats, isRoom, isHost }: RoomFacts) {
  const viewer = useViewer();
  const { members, isStale, status } = useVoiceChannelMembers(channelId);
  const known = status === 'live' || status === 'recovering';
  const activity = useMemberChanges(members, status === 'live');
  const isInVoice = members.some(({ userId }) => userId === viewer.userId);
  const seats = useSeats(channelId, hasSeats && status === 'live');
  const table = useTable(channelId, viewer.userId);
  const voice = useJoinVoice({ channelId, guildId, viewerId: viewer.userId, simulated });
  const dropout = useRoomDropout({ viewerId: viewer.userId, isInVoice, known: status === 'live', seats, table, voice });
  const nameOf = useCallback((userId: string) => members.find((each) => each.userId === userId)?.username, [members]);

  return (
    <div className="page" data-simulated={simulated}>
      <div className="room">
        <section className="hero hero-room" aria-labelledby="room-title">
          <Link to="/" className="back">
            <ArrowLeftIcon />
            All rooms
          </Link>
          <div className="hero-row">
            <div>
              <h1 id="room-title">{name}</h1>
              <p className="hero-text" data-testid="count">
                {headline(status, members.length)}
              </p>
            </div>
            {known && !isInVoice && (
              <button type="button" className="button button-light" disabled={voice.isBusy} onClick={voice.join}>
                {voice.isBusy ? 'Joining…' : 'Join voice'}
              </button>
            )}
          </div>
          <p className="problem" role="alert">
            {voice.problem}
          </p>
        </section>
        {isStale && status === 'live' && (
          <p className="callout" role="status" data-testid="stale">
            No news from Discord at the moment. This list may be out of date.
          </p>
        )}
        {isRoom && known && <ClosingNotice channelId={channelId} isEmpty={members.length === 0} />}
        <RoomBody status={status} isEmpty={members.length === 0} simulated={simulated}>
          <PlayerList
            channelId={channelId}
            members={members}
            seats={seats}
            viewerId={viewer.userId}
            isHost={isHost && status === 'live'}
          />
        </RoomBody>
        {known && hasSeats && (
          <Table
            channelId={channelId}
            place={table}
            seats={seats}
            viewer={viewer}
            nameOf={nameOf}
            simulated={simulated}
            onLeave={dropout.expectFromTable}
          />
        )}
        {known && isRoom && <RoomActions channelId={channelId} isHost={isHost} onLeave={dropout.expect} />}
        {known && isRoom && <Chat channelId={channelId} viewer={viewer} live={status === 'live'} nameOf={nameOf} />}
        {known && <Activity lines={activity} />}
      </div>
      {simulated && <Simulator channelId={channelId} members={members} deleted={status === 'deleted'} />}
      <DropoutDialog
        isOpen={dropout.hasDropped && status === 'live'}
        isBusy={dropout.isBusy}
        hasOthers={members.length > 0}
        problem={dropout.problem}
        onRejoin={dropout.rejoin}
        onDismiss={dropout.dismiss}
      />
    </div>
  );
}

interface RoomDropout {
  readonly viewerId: string;
  readonly isInVoice: boolean;
  /** Whether the list of people is as the hub has it. */
  readonly known: boolean;
  readonly seats: readonly SeatedPlayer[];
  readonly table: TablePlace;
  readonly voice: ReturnType<typeof useJoinVoice>;
}

/** Whether the player is asked to come back, and how they do: as they were there last. */
function useRoomDropout({ viewerId, isInVoice, known, seats, table, voice }: RoomDropout) {
  const { session, view } = table;
  const isSeated = view.status === 'open';
  // While the page looks for its seat by itself there is nothing to ask.
  const isLooking = view.status === 'connecting' || view.status === 'lost';
  const { hasDropped, expect, dismiss } = useDropout(isInVoice || isSeated, known && !isLooking);
  const own = seats.filter(({ userId }) => userId === viewerId);
  const isByDiscord = isInVoice && (own.length === 0 ? !isSeated : own.some(({ isTwice }) => isTwice));
  const wasSeated = useRef(false);
  useEffect(() => {
    if (isInVoice) wasSeated.current = !isByDiscord;
  }, [isInVoice, isByDiscord]);
  useEffect(() => {
    if (isSeated) expect(false);
  }, [isSeated, expect]);
  const atTable = wasSeated.current;
  return {
    hasDropped,
    dismiss,
    expect: useCallback(() => expect(), [expect]),
    /** Who gets up from the table and is in voice by Discord as well has not left it. */
    expectFromTable: () => isByDiscord || expect(),
    rejoin: () => (wasSeated.current ? session.listen() : voice.join()),
    isBusy: atTable ? isLooking : voice.isBusy,
    problem: atTable ? (view.status === 'full' ? `${tableWords('full').label}.` : undefined) : voice.problem,
  };
}

interface JoinVoice {
  readonly channelId: string;
  readonly guildId: string;
  readonly viewerId: string;
  readonly simulated: boolean;
}

/** Brings the player into the voice channel: moved by the bot, or by opening it in Discord. */
function useJoinVoice({ channelId, guildId, viewerId, simulated }: JoinVoice) {
  const rejoin = useCommand('rejoinVoice');
  const act = useServerFn(simulate);
  const [isOpening, setOpening] = useState(false);
  const [problem, setProblem] = useState<string>();
  const join = async () => {
    setProblem(undefined);
    if (simulated) {
      // In the simulated Discord nobody opens a window: the person goes there.
      setOpening(true);
      try {
        setProblem((await act({ data: { do: 'place', personId: viewerId, channelId } })).problem);
      } catch {
        setProblem('The server did not answer. Try again.');
      } finally {
        setOpening(false);
      }
      return;
    }
    // Whoever is in another channel is moved; for anybody else Discord itself has to open.
    await rejoin.run({ channelId });
    open(`https://discord.com/channels/${guildId}/${channelId}`, '_blank', 'noopener');
  };
  return {
    join: () => void join(),
    isBusy: isOpening || rejoin.isPending,
    problem: problem ?? (rejoin.error && commandProblem(rejoin.error)),
  };
}

/** How many are here, as far as this page knows. */
function headline(status: RoomStatus, count: number): string {
  switch (status) {
    case 'loading':
      return 'Looking who is here…';
    case 'live':
      return `${countPeople(count)} in voice`;
    case 'recovering':
      return `${countPeople(count)} in voice when last seen`;
    default:
      return 'Closed';
  }
}

/** The list of people, or what stands in its place. */
function RoomBody({
  status,
  isEmpty,
  simulated,
  children,
}: {
  readonly status: RoomStatus;
  readonly isEmpty: boolean;
  readonly simulated: boolean;
  readonly children: ReactNode;
}) {
  if (status === 'loading') return <PlayerListLoading />;
  if (status === 'deleted') {
    return (
      <section className="empty" data-testid="deleted">
        <h2>This room was closed</h2>
        <p className="quiet">Its voice channel is gone from Discord.</p>
        <Link to="/" className="button button-primary">
          See all rooms
        </Link>
      </section>
    );
  }
  if (status === 'denied') {
    return (
      <section className="empty" data-testid="denied">
        <h2>You cannot see this room</h2>
        <p className="quiet">Ask the person who sent you here for an invite link.</p>
        <Link to="/" className="button button-primary">
          See my rooms
        </Link>
      </section>
    );
  }
  if (isEmpty) {
    return (
      <section className="empty" data-testid="empty">
        <h2>Nobody is in voice yet</h2>
        <p className="quiet">
          {simulated
            ? 'Join yourself, or add somebody with the simulator.'
            : 'As soon as somebody joins the voice channel in Discord, they appear here.'}
        </p>
      </section>
    );
  }
  return children;
}
