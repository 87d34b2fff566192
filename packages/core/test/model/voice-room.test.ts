/** A voice room's state against a model that is only a map. */
import { applyVoiceEvent, emptyVoiceRoom, type VoiceRoomSnapshot } from '@guildkit/core/wire';
import { roomSnapshotSchema } from '@guildkit/core/wire/schema';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const CHANNEL = '20';
const userId = fc.constantFrom('1', '2', '3', '4');
const flags = { mute: fc.boolean(), deaf: fc.boolean(), video: fc.boolean() };
const presence = fc.record({
  guildId: fc.constant('9'),
  channelId: fc.constantFrom(CHANNEL, CHANNEL, CHANNEL, '21'),
  userId,
  username: fc.string({ maxLength: 8 }),
  avatar: fc.option(fc.string({ maxLength: 8 }), { nil: null }),
  ...flags,
  timestamp: fc.nat(),
});
const event: fc.Arbitrary<readonly [string, unknown]> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constantFrom('voice.joined', 'voice.updated', 'voice.left'), presence) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constant('room.deleted'), fc.constantFrom({ channelId: '21', guildId: '9' })),
  },
  { weight: 1, arbitrary: fc.tuple(fc.string(), fc.anything()) },
);

const apply = (room: VoiceRoomSnapshot, [name, payload]: readonly [string, unknown]): VoiceRoomSnapshot =>
  applyVoiceEvent(room, name, payload);
const ids = (room: VoiceRoomSnapshot): string[] => room.members.map((member) => member.userId);

describe('applyVoiceEvent (property)', () => {
  it('never shows anyone twice, and shows exactly who is in', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const inside = new Set<string>();
        let room = emptyVoiceRoom(CHANNEL);
        for (const [name, payload] of events) {
          room = applyVoiceEvent(room, name, payload);
          const about = payload as { channelId?: string; userId?: string } | undefined;
          if (about?.channelId === CHANNEL && about.userId !== undefined) {
            if (name === 'voice.joined') inside.add(about.userId);
            if (name === 'voice.left') inside.delete(about.userId);
          }
          // Set keeps the order of first insertion, as the list does.
          expect(ids(room)).toEqual([...inside]);
        }
        expect(roomSnapshotSchema.safeParse(room).success).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('is idempotent: an event delivered twice in a row changes nothing more', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), event, (events, last) => {
        const once = apply(events.reduce(apply, emptyVoiceRoom(CHANNEL)), last);
        expect(apply(once, last)).toEqual(once);
      }),
      { numRuns: 500 },
    );
  });

  it('does not touch the state it was given', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), event, (events, last) => {
        const before = events.reduce(apply, emptyVoiceRoom(CHANNEL));
        const copy = structuredClone(before);
        apply(before, last);
        expect(before).toEqual(copy);
      }),
    );
  });

  it('ends where the hub is, when a client applies the rest of the events to a snapshot', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), fc.nat(30), (events, cut) => {
        const hub = events.reduce(apply, emptyVoiceRoom(CHANNEL));
        const snapshot = structuredClone(events.slice(0, cut).reduce(apply, emptyVoiceRoom(CHANNEL)));
        expect(events.slice(cut).reduce(apply, snapshot)).toEqual(hub);
      }),
    );
  });
});
