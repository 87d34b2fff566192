// Senders of one library in one process, each in a channel of its own: how far from its time each packet was handed to the
// system, and the CPU it took.

import { median } from '../lib/stats.mjs';
import { connectGateway, onSentAudio, opusPackets, SEATS, trust } from '../lib/voice-seats.mjs';

const [name, settings, secondsText] = process.argv.slice(2);
const seconds = Number(secondsText);
const sandbox = JSON.parse(settings);
trust(sandbox.certificate);
const WARM_UP_MS = 1_000;

const seats = [];
for (const { token, channelId } of sandbox.seats) {
  const gateway = await connectGateway(sandbox, token);
  seats.push(await SEATS[name](gateway, channelId, sandbox.certificate));
}

const times = new Map();
let isCounting = false;
onSentAudio((bytes) => {
  if (!isCounting) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const ssrc = view.getUint32(8);
  if (!times.has(ssrc)) times.set(ssrc, []);
  times.get(ssrc).push({ at: performance.now(), timestamp: view.getUint32(4) });
});

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
for (const seat of seats) {
  seat.play(opusPackets((seconds + 3) * 50));
  // People do not begin to speak at the same moment.
  await wait(1);
}
await wait(WARM_UP_MS);
isCounting = true;
const before = process.cpuUsage();
await wait(seconds * 1_000);
isCounting = false;
const { user, system } = process.cpuUsage(before);

/** Distance from where the packet's own timestamp puts it, on the line in the middle of all of its stream's packets. */
const errors = [];
for (const list of times.values()) {
  const [{ timestamp: first }] = list;
  const late = list.map(({ at, timestamp }) => at - ((timestamp - first) | 0) / 48);
  const line = median(late);
  for (const value of late) errors.push(Math.abs(value - line));
}
const sorted = Float64Array.from(errors).sort();
const at = (p) => sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)];
process.send({
  p50: at(50),
  p99: at(99),
  p999: at(99.9),
  packets: errors.length,
  expected: seats.length * seconds * 50,
  cpuPerSeat: ((user + system) / 1_000 / (seconds * 1_000) / seats.length) * 100,
});
