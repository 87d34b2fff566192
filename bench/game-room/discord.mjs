// Discord's side: the sandbox in a process of its own, and people who come and go in it.
import { createSandbox } from '@guildkit/sandbox';
import { answerCalls } from '../lib/calls.mjs';
import { nowMs } from '../lib/stats.mjs';

const sandbox = await createSandbox({ ids: 'clock', ...JSON.parse(process.argv[2]) });
let crowd;

async function turn(caused, userId, channelId, isIn) {
  const person = sandbox.people.get(userId);
  if ((person.channelId !== null) === isIn) return;
  caused.push({ userId, event: isIn ? 'voice.joined' : 'voice.left', at: nowMs() });
  await (isIn ? person.joinVoice(channelId) : person.leaveVoice());
}

/** Who is in, one after the other, then out. An open loop: a late one does not delay the next. */
async function comeAndGo({ channelId, userIds, everyMs, count = Number.POSITIVE_INFINITY }, signal) {
  const start = nowMs();
  const caused = [];
  for (let n = 0; n < count && !signal?.aborted; n += 1) {
    const waitMs = start + n * everyMs - nowMs();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    await turn(caused, userIds[n % userIds.length], channelId, Math.floor(n / userIds.length) % 2 === 0);
  }
  return caused;
}

answerCalls({
  about: () => ({
    connection: sandbox.connection,
    clientId: sandbox.oauth.clientId,
    clientSecret: sandbox.oauth.clientSecret,
    channelId: sandbox.voiceChannelId,
  }),
  async createPeople({ count, prefix }) {
    const people = [];
    for (let n = 1; n <= count; n += 1) people.push(await sandbox.people.create({ name: `${prefix} ${n}` }));
    return people.map(({ id, name }) => ({ id, name }));
  },
  approve: ({ location, userId }) => sandbox.oauth.approve(location, sandbox.people.get(userId)),
  channelOf: (userId) => sandbox.people.get(userId).channelId,
  place: ({ userId, channelId }) => sandbox.people.get(userId).joinVoice(channelId),
  play: comeAndGo,
  /** Until `endCrowd`, which leaves every second of them there. */
  startCrowd(input) {
    const stop = new AbortController();
    crowd = { input, stop, done: comeAndGo(input, stop.signal) };
  },
  async endCrowd() {
    const { input, stop, done } = crowd;
    stop.abort();
    const caused = await done;
    for (const [index, userId] of input.userIds.entries()) await turn(caused, userId, input.channelId, index % 2 === 0);
    return caused;
  },
  async leaveAll() {
    for (const person of sandbox.people.list()) if (person.channelId !== null) await person.leaveVoice();
  },
  cut: () => sandbox.faults.cut(),
  disturbRest: (options) => sandbox.faults.disturbRest(options),
  clearFaults: () => sandbox.faults.clear(),
  counters: () => ({ ...sandbox.traffic.counters }),
});
process.send({ type: 'ready' });
