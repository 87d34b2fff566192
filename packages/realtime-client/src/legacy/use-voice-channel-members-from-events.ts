'use client';
/** Owns the old member hook's shape. Refuses a list of its own: `/react` keeps it. */
import type { VoiceRoomMember } from '@guildkit/core/wire';
import { useMemo } from 'react';
import { useConnection } from '../react/use-connection.js';
import { useVoiceChannelMembers } from '../react/use-room.js';

/** Settings of {@link useVoiceChannelMembersFromEvents}. */
export interface LegacyVoiceMembersOptions {
  /** The voice channel; `undefined` holds none. */
  readonly channelId: string | undefined;
  /** `false` holds none either. @defaultValue `true` */
  readonly enabled?: boolean | undefined;
}

/** Someone in voice, as the old hook named it. */
export interface LegacyVoiceMember {
  /** The user's id. */
  readonly id: string;
  readonly username: string;
  /** Hash or address as Discord gives it. */
  readonly avatar: string | null;
  readonly isMuted: boolean;
  readonly isDeafened: boolean;
}

/** What {@link useVoiceChannelMembersFromEvents} returns. */
export interface LegacyVoiceChannelMembers {
  readonly members: readonly LegacyVoiceMember[];
  readonly isLoading: boolean;
  /** A sentence for the page, `null` while all is well. */
  readonly error: string | null;
}

/** Who is in a voice channel, in the old shape. Use `useVoiceChannelMembers` of `/react` in new code. */
export function useVoiceChannelMembersFromEvents({
  channelId,
  enabled = true,
}: LegacyVoiceMembersOptions): LegacyVoiceChannelMembers {
  const { members, status } = useVoiceChannelMembers(enabled ? channelId : undefined);
  const connection = useConnection().status;
  return useMemo(() => {
    const isLost = connection === 'manual' || connection === 'closed';
    const denied = status === 'denied' ? 'You may not see this voice channel.' : null;
    return {
      members: members.map(oldShape),
      isLoading: enabled && channelId !== undefined && status === 'loading' && !isLost,
      error: isLost ? 'The connection is lost.' : denied,
    };
  }, [members, status, connection, enabled, channelId]);
}

const oldShape = ({ userId, username, avatar, mute, deaf }: VoiceRoomMember): LegacyVoiceMember => ({
  id: userId,
  username,
  avatar,
  isMuted: mute,
  isDeafened: deaf,
});
