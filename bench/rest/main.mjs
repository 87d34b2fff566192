// What a request costs in each REST client, side by side in one run: CPU of the client's process, rate, memory.
// Options: --requests=<n> --warm-up=<n> --rounds=<n> --only=<client,…> --dry (print, write nothing)
import { messageFrom, optionsOf, startProcess } from '../lib/processes.mjs';
import { writeSection } from '../lib/report.mjs';
import { median, spread } from '../lib/stats.mjs';

const { requests = 20_000, rounds = 5, only, dry, ...given } = optionsOf(process.argv.slice(2));
/** From about 30,000 on none of the clients gets any faster: V8 has compiled what it will. */
const warmUp = given['warm-up'] ?? 40_000;
const CLIENT_TIMEOUT_MS = 180_000;
const LABELS = {
  undici: '`undici.request`: HTTP alone',
  guildkit: '**@guildkit/rest**',
  discordjs: '@discordjs/rest',
  fetch: 'global `fetch`: HTTP alone',
  discordeno: '@discordeno/rest',
  oceanic: 'oceanic.js',
  seyfert: 'seyfert (its `ApiHandler`)',
};

const names = Object.keys(LABELS).filter((name) => only?.split(',').includes(name) ?? true);
const server = startProcess(new URL('server.mjs', import.meta.url), []);
const { origin } = await messageFrom(server, 'ready', 10_000);

async function run(name) {
  const child = startProcess(new URL('client.mjs', import.meta.url), [name, origin, requests, warmUp]);
  const result = await messageFrom(child, 'done', CLIENT_TIMEOUT_MS).catch((error) => ({ failed: error.message }));
  child.kill('SIGKILL');
  if (result.failed === undefined && result.answered !== requests)
    result.failed = `${result.answered} of ${requests} answered`;
  return result;
}

const results = new Map(names.map((name) => [name, []]));
const failures = new Map();
for (let round = 0; round < rounds; round += 1) {
  // Another one begins in each round: what wears off or builds up meets all of them.
  const shift = round % names.length;
  for (const name of [...names.slice(shift), ...names.slice(0, shift)]) {
    const result = await run(name);
    if (result.failed === undefined) results.get(name).push(result);
    else failures.set(name, result.failed);
    const said =
      result.failed ?? `${result.cpuUs.toFixed(1)} µs  ${result.perSecond.toFixed(0)}/s  ${result.rssMb.toFixed(0)} MB`;
    console.log(`  ${round + 1}/${rounds} ${name.padEnd(12)} ${said}`);
  }
}
server.kill();

/** The median over the rounds of one client against another in the same round: what slows the machine slows both. */
function ratio(name, other) {
  const a = results.get(name) ?? [];
  const b = results.get(other) ?? [];
  const pairs = a.slice(0, b.length).map(({ cpuUs }, round) => cpuUs / b[round].cpuUs);
  return pairs.length === 0 ? undefined : median(pairs);
}

const lines = [
  `${requests.toLocaleString('en')} GETs (after ${warmUp.toLocaleString('en')} to warm up) over 200 channels, 64 at once, limits that never hold anything up, answers of 470 bytes with`,
  'the 21 header lines that Discord sends, from a server in a process of its own on loopback. Each client in a process of its',
  `own, ${rounds} rounds in turn: medians (lowest and highest). CPU is that of the client’s process, user and system.`,
  '',
  '| client | CPU µs per request | × undici | requests per second | peak RSS, MB |',
  '|---|---|---|---|---|',
];
for (const name of names) {
  const list = results.get(name);
  if (list.length === 0) {
    lines.push(`| ${LABELS[name]} | ${failures.get(name)} | | | |`);
    continue;
  }
  const of = (key) => list.map((result) => result[key]);
  const { min, max } = spread(of('cpuUs'));
  const times = ratio(name, 'undici');
  lines.push(
    `| ${LABELS[name]} | ${median(of('cpuUs')).toFixed(1)} (${min.toFixed(1)}–${max.toFixed(1)}) | ${times?.toFixed(2) ?? ''} | ${Math.round(median(of('perSecond'))).toLocaleString('en')} | ${median(of('rssMb')).toFixed(0)} |`,
  );
}
const ofDiscordjs = ratio('discordjs', 'guildkit');
if (ofDiscordjs !== undefined)
  lines.push('', `@discordjs/rest needs ${ofDiscordjs.toFixed(2)} times the CPU of @guildkit/rest.`);
console.log(`\n${lines.join('\n')}`);
if (failures.size > 0) process.exitCode = 1;
if (!dry) await writeSection('rest', 'REST: what a request costs', 'npm run bench -- rest', lines);
