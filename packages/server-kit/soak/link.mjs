/**
 * The link over real sockets for longer: how long a command takes to the gateway service, a process of its own, on a healthy
 * link; then cuts at random for a while, with events one way and commands the other. Fails when an event is lost, doubled or
 * out of order, or a command carried out twice.
 *
 * `npm run soak -- link [--seconds=30]`. Needs a build.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { numberOption } from '../../../tools/lib/soak.mjs';
import { LinkClient, LinkServer } from '../dist/link/index.js';

/** Unix ms that processes of one machine share. */
const nowMs = () => performance.timeOrigin + performance.now();

if (process.argv.includes('--service')) await serve();

/** The gateway service of the first part: tells when a command reached it. */
async function serve() {
  const far = new LinkServer({ tokens: 'a link token of many letters', onCommand: () => nowMs() });
  const listening = createServer();
  far.attach(listening, { path: '/link' });
  await new Promise((resolve) => listening.listen(0, '127.0.0.1', resolve));
  process.send(listening.address().port);
  // Ends with its parent.
  await once(process, 'disconnect');
  process.exit();
}

const seconds = numberOption('seconds', 30);
const token = 'a link token of many letters';
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const share = (values, part) => values.sort((a, b) => a - b)[Math.floor(values.length * part)]?.toFixed(2);

const child = fork(fileURLToPath(import.meta.url), ['--service']);
const [farPort] = await once(child, 'message');
const healthy = new LinkClient({ url: `ws://127.0.0.1:${farPort}/link`, token, onEvent: () => {} });
healthy.start();
while (!healthy.isOpen) await pause(5);
const [toGateway, answered] = [[], []];
for (let n = 0; n < 2_000; n += 1) {
  const begun = nowMs();
  const one = healthy.command('echo', { channelId: '10', content: 'x'.repeat(100) }).then((arrived) => {
    toGateway.push(arrived - begun);
    answered.push(nowMs() - begun);
  });
  if (n % 2 === 0) await one;
  await pause(2);
}
await healthy.close();
child.disconnect();
const figures = (values) =>
  `p50 ${share(values, 0.5)} ms, p95 ${share(values, 0.95)} ms, p99 ${share(values, 0.99)} ms`;
console.log(`2,000 commands on a healthy link, load average ${loadavg()[0].toFixed(1)}`);
console.log(`to the gateway: ${figures(toGateway)}; answered: ${figures(answered)}`);

const runs = new Map();
const service = new LinkServer({
  tokens: token,
  maxEvents: 100_000,
  maxResults: 1_000_000,
  onCommand: async ({ requestId, input }) => {
    runs.set(requestId, (runs.get(requestId) ?? 0) + 1);
    if (input % 10 === 0) await pause(Math.random() * 20);
    return input;
  },
});
const sockets = new Set();
const server = createServer();
server.on('connection', (socket) => {
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
});
service.attach(server, { path: '/link' });
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

const heard = [];
const url = `ws://127.0.0.1:${server.address().port}/link`;
const link = new LinkClient({
  url,
  token,
  onEvent: ({ id }) => heard.push(id),
  backoffBaseMs: 20,
  backoffCapMs: 200,
  maxCommands: 10_000,
  commandTimeoutMs: 60_000,
});
link.start();
while (!link.isOpen) await pause(5);

const until = Date.now() + seconds * 1000;
let events = 0;
let cuts = 0;
const commands = [];
while (Date.now() < until) {
  for (let n = 0; n < 5; n += 1) {
    events += 1;
    service.publish({
      event: 'typing.started',
      payload: { guildId: '1', channelId: '10', userId: '7', timestamp: 1 },
      id: String(events),
      traceId: 't',
      ts: 1,
    });
    commands.push(link.command('echo', commands.length, { requestId: `r${commands.length}` }));
  }
  if (Math.random() < 0.02) {
    cuts += 1;
    for (const socket of sockets) socket.destroy();
  }
  await pause(5);
}
const results = await Promise.all(commands);
for (let waited = 0; heard.length < events && waited < 10_000; waited += 10) await pause(10);
const problems = [
  heard.length === events && heard.every((id, index) => id === String(index + 1))
    ? ''
    : `events: ${heard.length} of ${events}, or out of order`,
  results.every((value, index) => value === index) ? '' : 'a command got the result of another',
  [...runs.values()].some((times) => times > 1) ? 'a command was carried out twice' : '',
].filter(Boolean);
console.log(
  `${seconds} s: ${cuts} cuts, ${events} events, ${commands.length} commands, ${service.stats().repeated} answered from memory`,
);
await link.close();
await service.close();
server.close();
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
