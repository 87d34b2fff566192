/** Owns the live list of who is in a room. */
import type { VoiceRoomMember } from '@guildkit/core/wire';
import { useNow } from '../room/use-now.js';
import { elapsed } from '../room/words.js';
import { Avatar } from './avatar.js';
import { CameraIcon, DeafIcon, MicIcon, MicOffIcon } from './icons.js';

export function PlayerList({ members }: { readonly members: readonly VoiceRoomMember[] }) {
  const now = useNow(15_000);
  return (
    <ul className="players" aria-label="People in voice" data-testid="players">
      {members.map((member) => (
        <li key={member.userId} className="player" data-user={member.userId}>
          <Avatar id={member.userId} name={member.username} />
          <div className="player-text">
            <p className="player-name">{member.username}</p>
            <p className="player-since">
              Joined{' '}
              <time
                dateTime={new Date(member.joinedAt).toISOString()}
                title={new Date(member.joinedAt).toLocaleString('en')}
              >
                {elapsed(member.joinedAt, now)}
              </time>
            </p>
          </div>
          <VoiceState member={member} />
        </li>
      ))}
    </ul>
  );
}

function VoiceState({ member: { mute, deaf, video } }: { readonly member: VoiceRoomMember }) {
  return (
    <ul className="voice-state" aria-label="Voice state">
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
          <div className="player-text">
            <span className="bone bone-wide" />
            <span className="bone" />
          </div>
        </div>
      ))}
    </div>
  );
}
