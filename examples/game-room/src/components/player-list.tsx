/** Owns the live list of who is in a room. */
import type { VoiceRoomMember } from '@guildkit/core/wire';
import { useRef } from 'react';
import type { SeatedPlayer } from '../room/seat-events.js';
import { useNow } from '../room/use-now.js';
import { dayAndTime, elapsed } from '../room/words.js';
import { Avatar } from './avatar.js';
import { CameraIcon, DeafIcon, MicIcon, MicOffIcon, ScreenIcon } from './icons.js';
import { PlayerMenu } from './player-menu.js';

interface PlayerListProps {
  readonly channelId: string;
  readonly members: readonly VoiceRoomMember[];
  readonly seats: readonly SeatedPlayer[];
  readonly viewerId: string;
  /** Whether the viewer may mute, remove and move the others. */
  readonly isHost: boolean;
}

export function PlayerList({ channelId, members, seats, viewerId, isHost }: PlayerListProps) {
  const now = useNow(15_000);
  const list = useRef<HTMLUListElement>(null);
  const seatOf = (userId: string) => seats.find((seat) => seat.userId === userId);
  return (
    <ul ref={list} className="players" aria-label="People in voice" data-testid="players" tabIndex={-1}>
      {members.map((member) => (
        <li key={member.userId} className="player" data-user={member.userId}>
          <Avatar id={member.userId} name={member.username} />
          <p className="player-name">{member.username}</p>
          <div className="player-more">
            <p className="player-since">
              Joined{' '}
              <time dateTime={new Date(member.joinedAt).toISOString()} title={dayAndTime(member.joinedAt)}>
                {elapsed(member.joinedAt, now)}
              </time>
            </p>
            <VoiceState member={member} seat={seatOf(member.userId)} />
          </div>
          {isHost && member.userId !== viewerId && (
            <PlayerMenu
              channelId={channelId}
              member={member}
              canMove={seatOf(member.userId)?.isTwice !== false}
              onRemove={() => list.current?.focus()}
            />
          )}
        </li>
      ))}
    </ul>
  );
}

interface VoiceStateProps {
  readonly member: VoiceRoomMember;
  /** Where somebody is in voice not by Discord alone. */
  readonly seat: SeatedPlayer | undefined;
}

function VoiceState({ member: { mute, deaf, video }, seat }: VoiceStateProps) {
  return (
    <ul className="voice-state" aria-label="Voice state">
      {seat !== undefined && (
        <State on label={seat.isTwice ? 'In Discord and on the web' : 'On the web'} icon={<ScreenIcon />} />
      )}
      {video && <State on label="Camera on" icon={<CameraIcon />} />}
      {deaf && <State label="Deafened" icon={<DeafIcon />} />}
      <State on={!mute} label={mute ? 'Muted' : 'Microphone on'} icon={mute ? <MicOffIcon /> : <MicIcon />} />
    </ul>
  );
}

function State({
  on = false,
  label,
  icon,
}: {
  readonly on?: boolean;
  readonly label: string;
  readonly icon: React.ReactNode;
}) {
  return (
    <li className="state" data-on={on} title={label}>
      {icon}
      <span className="visually-hidden">{label}</span>
    </li>
  );
}

/** Where the list will be: the same size, so nothing jumps when it comes. */
export function PlayerListLoading() {
  return (
    <div className="players" role="status" aria-label="Loading the list of people">
      {[0, 1].map((index) => (
        <div key={index} className="player player-loading" aria-hidden="true">
          <span className="avatar" data-size="medium" />
          <span className="bone bone-wide" />
          <span className="bone" />
        </div>
      ))}
    </div>
  );
}
