// One way to seal and open, in a process of its own: CPU µs per packet, or bytes allocated per packet, for each size.
import { setImmediate } from 'node:timers/promises';
import { CONTENDERS } from './contenders.mjs';

const [name, sizes, packets, measured] = process.argv.slice(2);
const [, load] = Object.values(CONTENDERS)
  .flatMap((group) => Object.entries(group))
  .find(([own]) => own === name)[1];
const count = Number(packets);
/** The young generation is large enough for one measurement (see main.mjs), so nothing is collected during it. */
const MEASURED_ALLOCATIONS = 10_000;

const cipher = await load();

/** CPU of all threads, so that collecting what was allocated counts and other processes do not. */
function perPacket(work) {
  const before = process.cpuUsage();
  for (let n = 0; n < count; n += 1) work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

/** JavaScript objects and buffers, what stands outside of the heap included. */
async function bytesPerPacket(work) {
  const used = () => {
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  // Twice, with a turn of the event loop: what a buffer holds outside of the heap is given back only then.
  for (let n = 0; n < 2; n += 1) {
    global.gc();
    await setImmediate();
  }
  const before = used();
  for (let n = 0; n < MEASURED_ALLOCATIONS; n += 1) work();
  return (used() - before) / MEASURED_ALLOCATIONS;
}

const results = {};
for (const size of sizes.split(',').map(Number)) {
  const packet = Buffer.alloc(12 + size, 0x5a);
  packet.set(Buffer.from('807800010000000a00012345', 'hex'));
  const sealed = cipher.seal(packet);
  if (Buffer.compare(cipher.open(sealed), packet) !== 0) throw new Error(`${name} does not open what it sealed`);
  const seal = () => cipher.seal(packet);
  const open = () => cipher.open(sealed);
  for (let n = 0; n < 5_000; n += 1) {
    seal();
    open();
  }
  results[size] =
    measured === 'allocations'
      ? { sealBytes: await bytesPerPacket(seal), openBytes: await bytesPerPacket(open) }
      : { sealUs: perPacket(seal), openUs: perPacket(open) };
}
process.send(results);
