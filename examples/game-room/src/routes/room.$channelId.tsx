import type { VoiceRoomMember } from '@guildkit/core/wire';
import type { RoomStatus } from '@guildkit/realtime-client';
import { useCommand, useVoiceChannelMembers } from '@guildkit/realtime-client/react';
import { createFileRoute, Link } from '@tanstack/react-router';
import { useServerFn } from '@tanstack/react-start';
import { useCallback, useState } from 'react';
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
import { useDropout } from '../room/use-dropout.js';
import { useMemberChanges } from '../room/use-member-changes.js';
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
  const dropout = useDropout(isInVoice, status === 'live');
  const voice = useJoinVoice({ channelId, guildId, viewerId: viewer.userId, simulated });
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
            Discord cannot be reached at the moment. This list may be out of date.
          </p>
        )}
        {isRoom && known && <ClosingNotice channelId={channelId} isEmpty={members.length === 0} />}
        <RoomBody status={status} members={members} simulated={simulated} />
        {known && hasSeats && <Table channelId={channelId} viewer={viewer} nameOf={nameOf} simulated={simulated} />}
        {known && isRoom && <RoomActions channelId={channelId} isHost={isHost} onLeave={dropout.expect} />}
        {known && isRoom && <Chat channelId={channelId} viewer={viewer} live={status === 'live'} nameOf={nameOf} />}
        {known && <Activity lines={activity} />}
      </div>
      {simulated && <Simulator channelId={channelId} members={members} deleted={status === 'deleted'} />}
      <DropoutDialog
        isOpen={dropout.hasDropped && status === 'live'}
        isBusy={voice.isBusy}
        problem={voice.problem}
        onRejoin={voice.join}
        onDismiss={dropout.dismiss}
      />
    </div>
  );
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
  members,
  simulated,
}: {
  readonly status: RoomStatus;
  readonly members: readonly VoiceRoomMember[];
  readonly simulated: boolean;
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
  if (members.length === 0) {
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
  return <PlayerList members={members} />;
}
