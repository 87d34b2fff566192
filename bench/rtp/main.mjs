// What it costs to seal and to open a packet, by cipher and library, side by side in one run.
// Options: --packets=<n> --rounds=<n> --only=<contender,…> --dry (print, write nothing)
import { messageFrom, optionsOf, startProcess } from '../lib/processes.mjs';
import { writeSection } from '../lib/report.mjs';
import { median, spread } from '../lib/stats.mjs';
import { CONTENDERS } from './contenders.mjs';

const { packets = 30_000, rounds = 5, only, dry } = optionsOf(process.argv.slice(2));
/** 20 ms of Opus at 64 kbit/s, and a full packet of video. */
const SIZES = [160, 1_100];
const CLIENT_TIMEOUT_MS = 60_000;

const names = Object.values(CONTENDERS)
  .flatMap((group) => Object.keys(group))
  .filter((name) => only?.split(',').includes(name) ?? true);
const results = new Map(names.map((name) => [name, []]));

/** Nothing is collected while allocations are counted. Times are taken without: a large young generation costs time. */
const COUNTING = ['--expose-gc', '--max-semi-space-size=512', '--min-semi-space-size=512'];

async function run(name, measured, flags) {
  const url = new URL('client.mjs', import.meta.url);
  const child = startProcess(url, [name, SIZES.join(), packets, measured], flags);
  const result = await messageFrom(child, undefined, CLIENT_TIMEOUT_MS);
  child.kill('SIGKILL');
  return result;
}

const allocated = new Map();
for (const name of names) allocated.set(name, await run(name, 'allocations', COUNTING));

for (let round = 0; round < rounds; round += 1) {
  // Another one begins in each round: what wears off or builds up meets all of them.
  const shift = round % names.length;
  for (const name of [...names.slice(shift), ...names.slice(0, shift)]) {
    const result = await run(name, 'times', []);
    results.get(name).push({ round, ...result });
    const said = SIZES.map((size) => `${result[size].sealUs.toFixed(2)}/${result[size].openUs.toFixed(2)}`).join('  ');
    console.log(`  ${round + 1}/${rounds} ${name.padEnd(48)} ${said} µs`);
  }
}

const values = (name, size, key) => results.get(name).map((result) => result[size][key]);
const middle = (name, size, key) => median(values(name, size, key));
/** Of the same round: what slows the machine down slows both. */
const times = (name, base, size, key) =>
  median(values(name, size, key).map((value, round) => value / values(base, size, key)[round]));

const cell = (name, size, key) => {
  const { min, max } = spread(values(name, size, key));
  return `${middle(name, size, key).toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`;
};

const lines = [
  `Whole packets: header and ${SIZES.join(' or ')} bytes in, datagram out, and back. CPU µs per packet, each contender in a`,
  `process of its own, ${rounds} rounds in turn of ${packets.toLocaleString('en')} packets: medians (lowest–highest). Allocated: bytes of objects and`,
  `buffers per packet of ${SIZES[0]} bytes, seal / open. A raw AES key is what costs on Node 24; on Node 20 it costs nothing.`,
  '',
];
for (const [cipher, group] of Object.entries(CONTENDERS)) {
  const known = Object.entries(group).filter(([name]) => results.has(name));
  if (known.length === 0) continue;
  lines.push(
    `**${cipher}**`,
    '',
    `| | ${SIZES.flatMap((size) => [`seal ${size} B`, `open ${size} B`]).join(' | ')} | allocated |`,
    `|---|${'---|'.repeat(SIZES.length * 2)}---|`,
  );
  for (const [name, [label]] of known) {
    const figures = SIZES.flatMap((size) => [cell(name, size, 'sealUs'), cell(name, size, 'openUs')]);
    const { sealBytes, openBytes } = allocated.get(name)[SIZES[0]];
    lines.push(`| ${label} | ${figures.join(' | ')} | ${Math.round(sealBytes)} / ${Math.round(openBytes)} |`);
  }
  lines.push('');
}

const aims = [
  ['AES-256-GCM against a raw key and `Buffer.concat`', 'aes-concat', 'aes-guildkit', 'seal 1.15×, open 1.3×'],
  ['XChaCha20 against @noble/ciphers', 'xchacha-noble', 'xchacha-guildkit', '3×'],
  ['XChaCha20 against @stablelib', 'xchacha-stablelib', 'xchacha-guildkit', '1.5×'],
].filter(([, other, own]) => results.has(other) && results.has(own));
if (aims.length > 0) {
  lines.push(`| packets per second, ${SIZES[0]} B | seal | open | wanted |`, '|---|---|---|---|');
  for (const [what, other, own, wanted] of aims) {
    const ratio = (key) => `${times(other, own, SIZES[0], key).toFixed(2)}×`;
    lines.push(`| ${what} | ${ratio('sealUs')} | ${ratio('openUs')} | ${wanted} |`);
  }
}

console.log(`\n${lines.join('\n')}`);
if (!dry) await writeSection('rtp', 'Sealing and opening RTP packets', 'npm run bench -- rtp', lines);
