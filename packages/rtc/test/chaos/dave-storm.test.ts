/**
 * Everything at once, with the real library on both ends: people come, go, are cut off and come back, some without DAVE, messages
 * are lost, and afterwards everyone hears everyone. Seeds; GUILDKIT_DAVE_STORMS sets how many.
 */
import { expect, it } from 'vitest';
import { loadDaveLibrary } from '../support/dave-imports.js';
import { DaveRoom, type Member } from '../support/dave-room.js';
import { below } from '../support/mutate.js';

const STORMS = Number(process.env.GUILDKIT_DAVE_STORMS ?? 3);
const TURNS = 30;
const library = await loadDaveLibrary();

/** What is wrong when the storm is over. */
function storm(seed: number): string | undefined {
  const dice = below(seed);
  const room = new DaveRoom(library, { policy: 'prefer' });
  const lossy = dice(3) === 0 ? 30 : 0;
  // A WebSocket loses nothing; a proposal, commit or welcome that cannot be processed is as good as lost, and DAVE has a way
  // back for these alone.
  room.drops = (_, leg) => leg.to === 'member' && leg.message.op >= 27 && dice(1_000) < lossy;
  let next = 0;
  for (let turn = 0; turn < TURNS; turn += 1) {
    const members = [...room.members.values()];
    const one = members[dice(Math.max(1, members.length))];
    const kind = dice(10);
    if (kind <= 3 && members.length < 7) {
      next += 1;
      const maxVersion = dice(12) === 0 ? 0 : 1;
      const member = room.join(next, { maxVersion, latency: { signalling: 1 + dice(150), media: 20 } });
      member.speaks = true;
    } else if (one !== undefined && kind <= 5) room.leave(one);
    else if (one !== undefined && kind === 6) room.cut(one);
    else if (one !== undefined && kind === 7) room.resume(one);
    else if (one !== undefined && kind === 8 && one.maxVersion > 0) {
      one.take({ type: 'binary', op: 27 + dice(4), payload: Uint8Array.of(0, dice(9), 1, 2, 3) });
    }
    room.run(dice(4) === 0 ? 3_000 : dice(200));
  }
  room.drops = () => false;
  for (const member of room.members.values()) {
    room.resume(member);
    if (member.maxVersion === 0) room.leave(member);
  }
  if (room.members.size === 1) room.join(next + 1);
  // The pauses between recoveries, twice.
  for (let waited = 0; waited < 70_000; waited += 5_000) {
    room.run(5_000);
    if (room.wrong() === undefined) break;
  }
  const wrongFrames = [...room.members.values()]
    .flatMap((member: Member) => [...member.heard.values()])
    .filter(({ wrong }) => wrong > 0);
  if (wrongFrames.length > 0) return 'a frame came out otherwise';
  return room.members.size === 0 ? undefined : room.wrong();
}

it.each(Array.from({ length: STORMS }, (_, n) => n + 1))(
  'after storm %i everyone hears everyone',
  (seed) => {
    expect(storm(seed)).toBeUndefined();
  },
  60_000,
);
