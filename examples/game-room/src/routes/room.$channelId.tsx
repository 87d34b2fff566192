import type { VoiceRoomMember } from '@guildkit/core/wire';
import type { RoomStatus } from '@guildkit/realtime-client';
import { useVoiceChannelMembers } from '@guildkit/realtime-client/react';
import { createFileRoute, Link } from '@tanstack/react-router';
import { Activity } from '../components/activity.js';
import { ArrowLeftIcon } from '../components/icons.js';
import { NotFound } from '../components/not-found.js';
import { PlayerList, PlayerListLoading } from '../components/player-list.js';
import { Simulator } from '../components/simulator.js';
import { getRoom } from '../functions/rooms.js';
import { useMemberChanges } from '../room/use-member-changes.js';
import { countPeople } from '../room/words.js';

export const Route = createFileRoute('/room/$channelId')({
  loader: ({ params: { channelId } }) => getRoom({ data: { channelId } }),
  head: ({ loaderData }) => ({ meta: [{ title: `${loaderData?.name ?? 'Room'} · Game rooms` }] }),
  component: RoomPage,
  notFoundComponent: NotFound,
});

function RoomPage() {
  const { channelId, guildId, name, simulated } = Route.useLoaderData();
  const { members, isStale, status } = useVoiceChannelMembers(channelId);
  const known = status === 'live' || status === 'recovering';
  const activity = useMemberChanges(members, status === 'live');

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
            {!simulated && status !== 'deleted' && (
              <a className="button button-light" href={`https://discord.com/channels/${guildId}/${channelId}`}>
                Join in Discord
              </a>
            )}
          </div>
        </section>
        {isStale && status === 'live' && (
          <p className="callout" role="status" data-testid="stale">
            Discord cannot be reached at the moment. This list may be out of date.
          </p>
        )}
        <RoomBody status={status} members={members} simulated={simulated} />
        {known && <Activity lines={activity} />}
      </div>
      {simulated && <Simulator channelId={channelId} members={members} deleted={status === 'deleted'} />}
    </div>
  );
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
        <h2>This room was deleted</h2>
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
        <p className="quiet">Ask the person who sent you here to let you in.</p>
      </section>
    );
  }
  if (members.length === 0) {
    return (
      <section className="empty" data-testid="empty">
        <h2>Nobody is here yet</h2>
        <p className="quiet">
          {simulated
            ? 'Add somebody with the simulator: they appear here at once.'
            : 'As soon as somebody joins the voice channel in Discord, they appear here.'}
        </p>
      </section>
    );
  }
  return <PlayerList members={members} />;
}
