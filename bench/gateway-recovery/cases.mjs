// What befalls a client, and what is looked at. Each case: a title, what it does to a client that is ready, and the
// result as a text for the table, or as `{ text, time }` where there are several runs. All are bounded in time.
import { setTimeout as sleep } from 'node:timers/promises';

const isUpgrade = ({ what }) => what === 'upgrade';
const isSession = ({ op }) => op === 2 || op === 6;
const nameOf = (op) => (op === 6 ? 'RESUME' : 'IDENTIFY');
const seconds = (ms) => `${(ms / 1_000).toFixed(1)} s`;
/** Longer than anything that counts as a recovery. */
const CAP_MS = 42_000;

/** What of `numbers` never came, and what came twice. */
function loss({ received }, numbers) {
  const missing = numbers.filter((n) => !received.includes(n)).length;
  const twice = received.length - new Set(received).size;
  const disorder = [...new Set(received)].some((n, index, all) => index > 0 && n < all[index - 1]);
  return [
    missing === 0 ? 'nothing lost' : `**${missing} of ${numbers.length} events lost**`,
    ...(twice === 0 ? [] : [`**${twice} twice**`]),
    ...(disorder ? ['**out of order**'] : []),
  ].join(', ');
}

/** One event, the fault, two events behind it: how the client comes back, and when it has them. */
async function comesBack(context, fault, { patienceMs = 15_000, afterFault = false } = {}) {
  const { discord, received } = context;
  const numbers = [1, 2, 3];
  discord.dispatch(1);
  await sleep(200);
  let from = performance.now();
  const next = discord.next(isSession, patienceMs);
  await fault(discord);
  if (afterFault) from = performance.now();
  for (const n of [2, 3]) discord.dispatch(n);
  const session = await next;
  if (session === undefined) return `**not back in ${seconds(patienceMs)}**`;
  // Some say RESUME into a connection that is over, and come back later.
  const hasAll = () => numbers.every((n) => received.includes(n));
  for (let waited = 0; waited < patienceMs && !hasAll() && session.op === 6; waited += 10) await sleep(10);
  const at = hasAll() ? performance.now() : session.at;
  await sleep(500);
  return `${nameOf(session.op)}, ${loss(context, numbers)} (${seconds(at - from)})`;
}

/** A fault after which the session is gone: when there is a new one. */
async function beginsAnew({ discord }, fault) {
  // Discord allows one IDENTIFY in 5 s; some wait for that, and it is not to be measured here.
  await sleep(5_000);
  discord.forgetSessions();
  const from = performance.now();
  fault(discord);
  const first = await discord.next(isSession, 20_000);
  if (first === undefined) return '**not back in 20 s**';
  if (first.op === 2) return `IDENTIFY after ${seconds(first.at - from)}`;
  const second = await discord.next(({ op }) => op === 2, 20_000);
  return `**RESUME** after ${seconds(first.at - from)}${second === undefined ? ', no IDENTIFY' : `, IDENTIFY after ${seconds(second.at - from)}`}`;
}

export const CASES = {
  zombie: {
    title: 'The peer goes silent right after it answered a heartbeat (one every 2 s): time to a new connection',
    options: { heartbeatMs: 2_000 },
    async run({ discord }) {
      await discord.next(({ op }) => op === 1, 5_000);
      const from = performance.now();
      discord.freeze();
      const upgrade = await discord.next(isUpgrade, CAP_MS);
      if (upgrade === undefined) return `**none in ${seconds(CAP_MS)}**`;
      const session = await discord.next(isSession, 3_000);
      return `${seconds(upgrade.at - from)}${session === undefined ? '' : `, ${nameOf(session.op)}`}`;
    },
  },

  down: {
    title: 'Nothing listens for 3 s, ten events happen meanwhile: then (three runs, time from when it listens again)',
    // What one of them does depends on how many tries it has made.
    runs: 3,
    async run(context) {
      const { discord } = context;
      discord.dispatch(1);
      await sleep(200);
      await discord.down();
      for (let n = 2; n <= 11; n += 1) discord.dispatch(n);
      await sleep(3_000);
      await discord.up();
      const from = performance.now();
      const session = await discord.next(isSession, 20_000);
      if (session === undefined) return '**not back in 20 s**';
      await sleep(500);
      const numbers = Array.from({ length: 11 }, (_, n) => n + 1);
      return { text: `${nameOf(session.op)}, ${loss(context, numbers)}`, time: seconds(session.at - from) };
    },
  },

  storm: {
    title: 'HTTP 503 to every upgrade for 10 s: tries',
    // Some try as fast as they can: that would slow the others down.
    alone: true,
    async run({ discord }) {
      discord.refuseWith = 503;
      const from = discord.log.length;
      discord.cut();
      await sleep(10_000);
      return discord.log.slice(from).filter(isUpgrade).length.toLocaleString('en');
    },
  },

  resumeHeld: {
    title: 'RESUME is never answered: time to the next try',
    async run({ discord }) {
      discord.holdResume = true;
      discord.cut();
      const resume = await discord.next(({ op }) => op === 6, 20_000);
      if (resume === undefined) return 'did not resume';
      const next = await discord.next((entry) => isUpgrade(entry) || isSession(entry), CAP_MS);
      return next === undefined ? `**none in ${seconds(CAP_MS)}**` : seconds(next.at - resume.at);
    },
  },

  timedOut: {
    title: 'Close code 4009, session timed out (documented: start a new session)',
    run: (context) => beginsAnew(context, (discord) => discord.close(4009)),
  },

  invalidated: {
    title: 'INVALID_SESSION (op 9), not resumable (documented: wait 1 to 5 s, new session)',
    run: (context) => beginsAnew(context, (discord) => discord.dismiss({ op: 9, d: false })),
  },

  invalidatedResumable: {
    title: 'INVALID_SESSION (op 9), resumable; two events meanwhile',
    run: (context) => comesBack(context, (discord) => discord.dismiss({ op: 9, d: true })),
  },

  reconnect: {
    title: 'RECONNECT (op 7); two events meanwhile',
    run: (context) => comesBack(context, (discord) => discord.dismiss({ op: 7, d: null })),
  },

  half: {
    title: 'Half a frame, then the end; two events meanwhile',
    run: (context) => comesBack(context, (discord) => discord.half()),
  },

  corruptZlib: {
    title: 'zlib-stream with damaged bytes; two events meanwhile',
    // seyfert has no such compression.
    without: ['seyfert'],
    client: { compression: 'zlib-stream' },
    run: (context) => comesBack(context, (discord) => discord.raw(Buffer.from([7, 7, 7, 7, 0, 0, 0xff, 0xff]))),
  },

  down60: {
    title: 'Nothing listens for 60 s, two events meanwhile: time from when it listens again',
    timeoutMs: 150_000,
    run(context) {
      const fault = async (discord) => {
        await discord.down();
        await sleep(60_000);
        await discord.up();
      };
      return comesBack(context, fault, { patienceMs: 110_000, afterFault: true });
    },
  },

  readyHeld: {
    title: 'READY never comes: time to the next try',
    async run({ discord }) {
      await sleep(5_000);
      discord.forgetSessions();
      discord.holdIdentify = true;
      discord.close(4009);
      const identify = await discord.next(({ op }) => op === 2, 20_000);
      if (identify === undefined) return 'did not identify';
      const next = await discord.next((entry) => isUpgrade(entry) || isSession(entry), CAP_MS);
      return next === undefined ? `**none in ${seconds(CAP_MS)}**` : seconds(next.at - identify.at);
    },
  },

  doubled: {
    title: 'Events come twice',
    async run(context) {
      const { discord } = context;
      for (const n of [1, 2]) discord.dispatch(n);
      for (const n of [1, 2]) discord.again(n);
      discord.dispatch(3);
      await sleep(1_500);
      return loss(context, [1, 2, 3]);
    },
  },

  swapped: {
    title: 'Two events come in the wrong order',
    async run(context) {
      const { discord } = context;
      discord.dispatch(1);
      discord.dispatch(2, { lost: true });
      discord.dispatch(3);
      discord.again(2);
      await sleep(4_000);
      return loss(context, [1, 2, 3]);
    },
  },

  sendWhileResuming: {
    title: '`send()` while resuming',
    async run({ discord, client }) {
      discord.holdResume = true;
      discord.cut();
      if ((await discord.next(({ op }) => op === 6, 20_000)) === undefined) return 'did not resume';
      let promise = 'pending';
      const sent = discord.next(({ op }) => op === 3, 6_000);
      Promise.resolve(client.send({ op: 3, d: { since: null, activities: [], status: 'online', afk: false } })).then(
        () => (promise = 'resolved'),
        () => (promise = 'rejected'),
      );
      await sleep(200);
      discord.holdResume = false;
      discord.answerResumes();
      const arrived = (await sent) !== undefined;
      if (arrived && promise === 'resolved') return 'sent after RESUMED';
      return `**${arrived ? 'sent' : 'not sent'}, promise ${promise} after 6 s**`;
    },
  },

  gap: {
    title: 'Five sequence numbers are skipped',
    async run(context) {
      const { discord, told } = context;
      discord.dispatch(1);
      for (let n = 2; n <= 6; n += 1) discord.dispatch(n, { lost: true });
      discord.dispatch(7);
      await sleep(4_000);
      return `${told.includes('gap') ? '`gap`' : 'no signal'}, ${loss(context, [1, 2, 3, 4, 5, 6, 7])}`;
    },
  },

  malformed: {
    title: 'Frames that are no JSON, no object, binary; then one event',
    async run({ discord, received, told, unhandled }) {
      for (const data of ['{"op":0,"t":"BROKEN","s":', Buffer.from([1, 2, 3]), 'null', '{"op":0}']) discord.raw(data);
      await sleep(200);
      discord.dispatch(1);
      await sleep(1_500);
      const signal = told.includes('error') ? 'typed `error`' : 'no signal';
      const rejections = unhandled.length === 0 ? '' : `, **${unhandled.length} unhandled rejections**`;
      return `${signal}, ${received.includes(1) ? 'goes on' : '**the event did not come**'}${rejections}`;
    },
  },
};
