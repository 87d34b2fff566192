import { applyVoiceEvent, emptyVoiceRoom, type RoomEvents, type VoiceRoomSnapshot } from '@guildkit/core/wire';
import { describe, expect, it } from 'vitest';

const CHANNEL = '20';

function presence(userId: string, timestamp: number, changes: Partial<RoomEvents['voice.joined']> = {}) {
  return {
    guildId: '1',
    channelId: CHANNEL,
    userId,
    username: `name of ${userId}`,
    avatar: null,
    mute: false,
    deaf: false,
    video: false,
    timestamp,
    ...changes,
  };
}

function member(userId: string, joinedAt: number) {
  const { guildId: _guild, channelId: _channel, timestamp: _timestamp, ...rest } = presence(userId, 0);
  return { ...rest, joinedAt };
}

function after(...events: readonly (readonly [string, unknown])[]): VoiceRoomSnapshot {
  return events.reduce((room, [event, payload]) => applyVoiceEvent(room, event, payload), emptyVoiceRoom(CHANNEL));
}

describe('applyVoiceEvent', () => {
  it('lists people in the order of joining', () => {
    expect(after(['voice.joined', presence('a', 5)], ['voice.joined', presence('b', 6)])).toEqual({
      kind: 'voice',
      channelId: CHANNEL,
      members: [member('a', 5), member('b', 6)],
      state: 'open',
      stale: false,
    });
  });

  it('keeps place and time of joining when someone changes or joins again', () => {
    const room = after(
      ['voice.joined', presence('a', 5)],
      ['voice.joined', presence('b', 6)],
      ['voice.updated', presence('a', 7, { mute: true, username: 'renamed' })],
      ['voice.joined', presence('a', 8, { deaf: true })],
    );
    expect(room.members.map(({ userId, joinedAt }) => [userId, joinedAt])).toEqual([
      ['a', 5],
      ['b', 6],
    ]);
    expect(room.members[0]).toMatchObject({ mute: false, deaf: true });
  });

  it('removes who left, by null channel, too', () => {
    const two = after(['voice.joined', presence('a', 5)], ['voice.joined', presence('b', 6)]);
    expect(applyVoiceEvent(two, 'voice.left', presence('a', 7)).members).toEqual([member('b', 6)]);
    expect(applyVoiceEvent(two, 'voice.left', { ...presence('b', 7), channelId: null }).members).toEqual([
      member('a', 5),
    ]);
  });

  it('takes a snapshot for the whole truth', () => {
    const snapshot: VoiceRoomSnapshot = { ...emptyVoiceRoom(CHANNEL), members: [member('z', 1)], stale: true };
    expect(after(['voice.joined', presence('a', 5)], ['voice.snapshot', { snapshot }])).toBe(snapshot);
  });

  it('empties a deleted room and lets nobody into it until a snapshot opens it', () => {
    const gone = after(['voice.joined', presence('a', 5)], ['room.deleted', { channelId: CHANNEL, guildId: '1' }]);
    expect(gone).toMatchObject({ state: 'deleted', members: [] });
    expect(applyVoiceEvent(gone, 'voice.joined', presence('b', 6))).toBe(gone);
    expect(applyVoiceEvent(gone, 'room.deleted', { channelId: CHANNEL, guildId: '1' })).toBe(gone);
    const open = emptyVoiceRoom(CHANNEL);
    expect(applyVoiceEvent(gone, 'voice.snapshot', { snapshot: open })).toBe(open);
  });

  it('returns the same object for what does not concern it', () => {
    const room = after(['voice.joined', presence('a', 5)]);
    const elsewhere = { channelId: '21' };
    for (const [event, payload] of [
      ['voice.left', presence('b', 6)],
      ['voice.left', presence('a', 6, elsewhere)],
      ['voice.joined', presence('b', 6, elsewhere)],
      ['voice.updated', presence('a', 6, elsewhere)],
      ['voice.updated', presence('b', 6)],
      ['voice.snapshot', { snapshot: emptyVoiceRoom('21') }],
      ['room.deleted', { channelId: '21', guildId: '1' }],
      ['room.closing', { channelId: CHANNEL, guildId: '1', closesAt: 9 }],
      ['app.custom', { anything: true }],
    ] as const) {
      expect(applyVoiceEvent(room, event, payload), event).toBe(room);
    }
  });

  it('survives payloads that are none', () => {
    const room = after(['voice.joined', presence('a', 5)]);
    for (const event of ['voice.joined', 'voice.left', 'voice.updated', 'voice.snapshot', 'room.deleted']) {
      for (const payload of [undefined, null, 7, 'text', true, [], {}]) {
        expect(applyVoiceEvent(room, event, payload), `${event} ${String(payload)}`).toBe(room);
      }
    }
  });
});
