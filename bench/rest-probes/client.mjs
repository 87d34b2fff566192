// One client and one probe in a process. argv: client, probe, origin
import { REST_CLIENTS } from '../lib/rest-clients.mjs';
import { PROBES } from './probes.mjs';

const [name, probe, origin] = process.argv.slice(2);
const { options, run } = PROBES[probe];
process.on('unhandledRejection', () => {});
// A request that never settles may hold nothing open: the process must not end before it is found out.
setInterval(() => {}, 60_000);
const events = [];
const client = await REST_CLIENTS[name]({ origin, ...options, onRateLimited: (event) => events.push(event) });
process.once('message', async () => {
  const startedAt = performance.now();
  const result = await run(client, events).catch((error) => ({ threw: String(error).slice(0, 80) }));
  process.send({ type: 'done', result, ms: performance.now() - startedAt }, () => process.exit(0));
});
process.send({ type: 'ready' });
