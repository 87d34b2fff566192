'use client';
/** Owns a room's state and events in React: a mounted hook holds the room. */
import { channelRoom, type VoiceRoomMember } from '@guildkit/core/wire';
import { useCallback, useEffect, useMemo, useRef, useSyncExternalStore } from 'react';
import type { RoomEvent } from '../room.js';
import { LOADING_ROOM, type RoomStatus, type RoomView } from '../views.js';
import { useRealtimeClient } from './provider.js';
import { useConnection } from './use-connection.js';

const ignore = (): void => {};

/**
 * A room's state; the room is subscribed while the component is mounted. Components that name the same room
 * share one subscription.
 *
 * @param name `channel:<id>`, `guild:<id>`, `user:<id>`; `undefined` holds none and stays `loading`.
 */
export function useRoom(name: string | undefined): RoomView {
  const client = useRealtimeClient();
  const subscribe = useCallback(
    (listener: () => void) => {
      if (name === undefined) return ignore;
      const room = client.room(name);
      room.subscribe(listener);
      return () => room.close();
    },
    [client, name],
  );
  return useSyncExternalStore(
    subscribe,
    () => (name === undefined ? LOADING_ROOM : client.roomView(name)),
    () => LOADING_ROOM,
  );
}

/** What {@link useVoiceChannelMembers} returns. */
export interface UseVoiceChannelMembers {
  /** In the order of joining. */
  readonly members: readonly VoiceRoomMember[];
  /** The list may be old: the connection is recovering, or the hub has lost its view of Discord. */
  readonly isStale: boolean;
  readonly status: RoomStatus;
}

/**
 * Who is in a voice channel.
 *
 * @example
 * ```tsx
 * const { members, isStale } = useVoiceChannelMembers(channelId);
 * return <ul aria-busy={isStale}>{members.map((member) => <li key={member.userId}>{member.username}</li>)}</ul>;
 * ```
 */
export function useVoiceChannelMembers(channelId: string | undefined): UseVoiceChannelMembers {
  const { status, members, snapshot } = useRoom(channelId === undefined ? undefined : channelRoom(channelId));
  const { degraded } = useConnection();
  const isStale = degraded || status === 'recovering' || (snapshot?.kind === 'voice' && snapshot.stale);
  return useMemo(() => ({ members, isStale, status }), [members, isStale, status]);
}

/**
 * Calls back with each event of a voice channel, in order, each once.
 *
 * @param listener The newest one is called; it need not be memoised.
 */
export function useVoiceChannelEvents(channelId: string | undefined, listener: (event: RoomEvent) => void): void {
  const client = useRealtimeClient();
  const latest = useRef(listener);
  useEffect(() => {
    latest.current = listener;
  });
  useEffect(() => {
    if (channelId === undefined) return;
    const room = client.room(channelRoom(channelId));
    room.on('*', (_payload, event) => latest.current(event));
    return () => room.close();
  }, [client, channelId]);
}
