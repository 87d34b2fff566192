// The sandbox itself: start, many at once, a guild of 5,000 people, one dispatch to 1,000 sessions.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createSandbox } from '@guildkit/sandbox';
import { WebSocket } from 'ws';
import { writeSection } from '../lib/report.mjs';
import { ms, percentiles } from '../lib/stats.mjs';

const STARTS = 100;
const AT_ONCE = 200;
const PEOPLE = 5000;
const SESSIONS = 1000;
const EVENTS = 200;
const ALL_MEMBERS = 1 | 2 | 128 | 256;

const mb = () => process.memoryUsage().rss / 2 ** 20;
const handles = () => process.getActiveResourcesInfo().filter((name) => /TCP|Timeout/.test(name)).length;

async function measureStart() {
  const begun = performance.now();
  const first = await createSandbox();
  const cold = performance.now() - begun;
  await first.close();
  const warm = [];
  for (let n = 0; n < STARTS; n += 1) {
    const before = performance.now();
    const sandbox = await createSandbox({ seed: n });
    warm.push(performance.now() - before);
    await sandbox.close();
  }
  return { cold, warm: percentiles(warm) };
}

async function measureMany() {
  globalThis.gc?.();
  const [rss, held] = [mb(), handles()];
  const begun = performance.now();
  const sandboxes = await Promise.all(Array.from({ length: AT_ONCE }, (_, seed) => createSandbox({ seed })));
  const opened = performance.now() - begun;
  const grown = mb() - rss;
  await Promise.all(sandboxes.map((sandbox) => sandbox.close()));
  const whole = performance.now() - begun;
  await new Promise((resolve) => setTimeout(resolve, 100));
  return { opened, whole, grown, left: Math.max(0, handles() - held) };
}

/** A client in this process, for what is measured end to end. */
function connect(sandbox, compress) {
  const query = compress === undefined ? '' : `?v=10&encoding=json&compress=${compress}`;
  const ws = new WebSocket(`${sandbox.gatewayUrl}${query}`, { perMessageDeflate: false });
  const waiting = [];
  ws.on('message', (data) => {
    for (const wait of [...waiting]) if (wait(data)) waiting.splice(waiting.indexOf(wait), 1);
  });
  const until = (fits) =>
    new Promise((resolve) => {
      waiting.push((data) => {
        const done = fits(data);
        if (done) resolve(performance.now());
        return done;
      });
    });
  return { ws, until };
}

const startsWith = (text) => (data) => data.subarray(0, 40).toString().includes(`"t":"${text}"`);

async function measurePeople() {
  await using sandbox = await createSandbox({ rateLimits: false });
  const begun = performance.now();
  for (let n = 0; n < PEOPLE; n += 1) await sandbox.people.create({ name: `person ${n}`, nick: `nick ${n}` });
  const created = performance.now() - begun;
  const { ws, until } = connect(sandbox);
  await new Promise((resolve) => ws.once('message', resolve));
  let bytes = 0;
  const guild = until((data) => {
    if (startsWith('GUILD_CREATE')(data)) bytes = data.length;
    return bytes > 0;
  });
  const asked = performance.now();
  const { token } = sandbox.connection;
  ws.send(JSON.stringify({ op: 2, d: { token, intents: ALL_MEMBERS, properties: {} } }));
  const guildCreate = (await guild) - asked;
  let chunks = 0;
  let chunkBytes = 0;
  const all = until((data) => {
    if (startsWith('GUILD_MEMBERS_CHUNK')(data)) {
      chunks += 1;
      chunkBytes += data.length;
    }
    return chunks === Math.ceil((PEOPLE + 2) / 1000);
  });
  const before = performance.now();
  ws.send(JSON.stringify({ op: 8, d: { guild_id: sandbox.guildId, query: '', limit: 0 } }));
  const chunking = (await all) - before;
  ws.terminate();
  return { created, guildCreate, bytes, chunking, chunks, chunkBytes };
}

async function measureDispatch(compress) {
  await using sandbox = await createSandbox({ rateLimits: false });
  const anna = await sandbox.people.create({ name: 'anna' });
  await anna.joinVoice(sandbox.voiceChannelId);
  const options = {
    url: sandbox.gatewayUrl,
    token: sandbox.connection.token,
    count: SESSIONS,
    intents: 129,
    ...(compress === undefined ? {} : { compress }),
  };
  const child = fork(fileURLToPath(new URL('clients.mjs', import.meta.url)), [JSON.stringify(options)]);
  const next = (type) =>
    new Promise((resolve, reject) => {
      child.on('message', (message) => message.type === type && resolve(message));
      child.once('exit', (code) => reject(new Error(`clients ended with ${code}`)));
    });
  await next('ready');
  const rss = mb();
  const round = async (events) => {
    child.send({ wanted: events * SESSIONS });
    const all = next('all');
    await new Promise((resolve) => setTimeout(resolve, 50));
    const [cpu, begun] = [process.cpuUsage(), performance.now()];
    let blocked = 0;
    for (let n = 0; n < events; n += 1) {
      const before = performance.now();
      await anna.setMute(n % 2 === 0);
      blocked += performance.now() - before;
      // Sockets are written to between events, as they would be.
      await new Promise(setImmediate);
    }
    const { bytes } = await all;
    const { user, system } = process.cpuUsage(cpu);
    const deliveries = events * SESSIONS;
    return {
      perDispatch: blocked / events,
      cpu: (user + system) / deliveries,
      rate: deliveries / ((performance.now() - begun) / 1000),
      bytes: bytes / deliveries,
    };
  };
  await round(20);
  const result = await round(EVENTS);
  child.kill();
  return { ...result, rss };
}

const start = await measureStart();
const many = await measureMany();
const people = await measurePeople();
const plain = await measureDispatch();
const zlib = await measureDispatch('zlib-stream');
const zstd = await measureDispatch('zstd-stream');

const kb = (bytes) => `${(bytes / 1024).toFixed(0)} KiB`;
const number = (value) => Math.round(value).toLocaleString('en');
const row = (name, it) =>
  `| ${name} | ${ms(it.perDispatch)} | ${it.cpu.toFixed(1)} | ${number(it.rate)} | ${number(it.bytes)} | ${number(it.rss)} |`;
const lines = [
  `\`createSandbox()\`: ${ms(start.cold)} ms the first time in a process, then ${ms(start.warm.p50)} ms (p95 ${ms(start.warm.p95)}, ${STARTS} starts).`,
  `${AT_ONCE} at once: open after ${ms(many.opened)} ms, closed after ${ms(many.whole)} ms, ${many.grown.toFixed(0)} MB for all, ${many.left} sockets or timers left.`,
  '',
  `A guild of ${number(PEOPLE)} people: created in ${ms(people.created)} ms; IDENTIFY to GUILD_CREATE with every member (${kb(people.bytes)})`,
  `${ms(people.guildCreate)} ms; all members by opcode 8 in ${people.chunks} chunks (${kb(people.chunkBytes)}) ${ms(people.chunking)} ms. Client in the same process.`,
  '',
  `A dispatch to ${number(SESSIONS)} sessions: ${EVENTS} VOICE_STATE_UPDATE, clients in another process.`,
  '',
  '| | ms a dispatch, until handed to the sockets | CPU µs a delivery | deliveries a second | bytes each | RSS MB |',
  '|---|---|---|---|---|---|',
  row('plain', plain),
  row('zlib-stream', zlib),
  row('zstd-stream', zstd),
];
console.log(lines.join('\n'));
if (many.left > 0) process.exitCode = 1;
else if (process.env.NO_REPORT === undefined)
  await writeSection('sandbox', 'The sandbox', 'npm run bench -- sandbox', lines);
