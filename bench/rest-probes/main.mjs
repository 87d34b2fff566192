// What each REST client does when limits, failures and silence come: one probe after the other, all clients at once, each
// against a server of its own. Options: --only=<probe,…> --clients=<client,…> --dry (print, write nothing)
import { messageFrom, optionsOf, startProcess } from '../lib/processes.mjs';
import { writeSection } from '../lib/report.mjs';
import { PROBES } from './probes.mjs';
import { startDiscord } from './server.mjs';

const { only, clients, dry } = optionsOf(process.argv.slice(2));
const COLUMNS = {
  guildkit: '@guildkit/rest',
  discordjs: '@discordjs/rest',
  discordeno: '@discordeno/rest',
  seyfert: 'seyfert',
  oceanic: 'oceanic.js',
};
const HAS_EVENT = new Set(['guildkit', 'discordjs', 'seyfert']);
const names = Object.keys(COLUMNS).filter((name) => clients?.split(',').includes(name) ?? true);
const probes = Object.keys(PROBES).filter((probe) => only?.split(',').includes(probe) ?? true);

async function start(name, probe) {
  const { rules, origin } = PROBES[probe];
  const discord = rules === undefined ? undefined : await startDiscord(rules);
  const url = new URL('client.mjs', import.meta.url);
  const child = startProcess(url, [name, probe, origin ?? discord.origin], ['--expose-gc']);
  await messageFrom(child, 'ready', 20_000);
  return { name, probe, child, discord };
}

async function finish({ name, probe, child, discord }) {
  const { say, sayLate, withinMs } = PROBES[probe];
  const done = messageFrom(child, 'done', withinMs).catch((error) => ({ failed: error.message }));
  child.send('go');
  const { result, ms, failed } = await done;
  child.kill('SIGKILL');
  discord?.stop();
  const seen = discord?.seen;
  if (failed === 'timed out') return sayLate?.(result, seen) ?? `pending after ${withinMs / 1_000} s`;
  if (failed !== undefined || result.threw !== undefined) return failed ?? result.threw;
  return say(result, seen, ms, HAS_EVENT.has(name));
}

const rows = [];
for (const probe of probes) {
  const running = [];
  for (const name of names) running.push(await start(name, probe));
  const cells = await Promise.all(running.map(finish));
  rows.push(`| ${[PROBES[probe].title, ...cells].join(' | ')} |`);
  console.log(`  ${probe}: ${cells.map((cell, n) => `${names[n]} ${cell}`).join(' · ')}`);
}

const lines = [
  'Each cell is one client in a process of its own against a server of its own that counts as Discord does: buckets in',
  'fixed windows, the global limit in a sliding one. Defaults, unless the row says more. Bold is what Discord asks for.',
  '',
  `| | ${names.map((name) => COLUMNS[name]).join(' | ')} |`,
  `|---|${names.map(() => '---|').join('')}`,
  ...rows,
];
console.log(`\n${lines.join('\n')}`);
if (!dry) await writeSection('rest-probes', 'REST: limits and failures', 'npm run bench -- rest-probes', lines);
process.exit(0);
