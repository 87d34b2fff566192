// How gateway clients come back, side by side: each case against each client in a process of its own.
// Options: --only=<case,…> --dry (print, write nothing)
import { messageFrom, optionsOf, startProcess } from '../lib/processes.mjs';
import { writeSection } from '../lib/report.mjs';
import { CASES } from './cases.mjs';

const { only, dry } = optionsOf(process.argv.slice(2));
const TIMEOUT_MS = 60_000;
/** Almost all of the time is waiting. */
const AT_ONCE = 8;
const LABELS = {
  guildkit: '**@guildkit/gateway**',
  discordjs: '@discordjs/ws',
  discordeno: '@discordeno/gateway',
  seyfert: 'seyfert',
};

const wanted = Object.keys(CASES).filter((name) => only?.split(',').includes(name) ?? true);
const nothingYet = () => Object.fromEntries(Object.keys(LABELS).map((client) => [client, []]));
const results = new Map(wanted.map((name) => [name, nothingYet()]));

async function run({ client, name }) {
  const child = startProcess(new URL('case.mjs', import.meta.url), [client, name]);
  const { result } = await messageFrom(child, undefined, CASES[name].timeoutMs ?? TIMEOUT_MS).catch(({ message }) => ({
    result: message,
  }));
  child.kill('SIGKILL');
  results.get(name)[client].push(result);
  console.log(`  ${name.padEnd(18)} ${client.padEnd(12)} ${result.text ?? result}`);
}

async function runAll(jobs, atOnce) {
  const waiting = [...jobs];
  const worker = async () => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) await run(job);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** Runs that came to the same are told once, with their times. */
function cell(runs) {
  const times = new Map();
  for (const run of runs) {
    const text = run.text ?? run;
    times.set(text, [...(times.get(text) ?? []), ...(run.time === undefined ? [] : [run.time])]);
  }
  return Array.from(times, ([text, of]) => (of.length === 0 ? text : `${text} (${of.join(', ')})`)).join('; ');
}

const jobs = wanted.flatMap((name) =>
  Array.from({ length: CASES[name].runs ?? 1 }, () =>
    Object.keys(LABELS)
      .filter((client) => !CASES[name].without?.includes(client))
      .map((client) => ({ client, name })),
  ).flat(),
);
await runAll(
  jobs.filter(({ name }) => !CASES[name].alone),
  AT_ONCE,
);
await runAll(
  jobs.filter(({ name }) => CASES[name].alone),
  1,
);

const lines = [
  'Each case befalls a client that is ready, against a stand-in for Discord on loopback that keeps sessions and replays them.',
  'One run each unless it says so; delays that clients draw at random differ from run to run.',
  '',
  `| case | ${Object.values(LABELS).join(' | ')} |`,
  `|---|${Object.keys(LABELS)
    .map(() => '---|')
    .join('')}`,
  ...wanted.map((name) => {
    const cells = Object.keys(LABELS).map((client) => cell(results.get(name)[client]) || '–');
    return `| ${CASES[name].title} | ${cells.join(' | ')} |`;
  }),
];
console.log(`\n${lines.join('\n')}`);
if (!dry && only === undefined) {
  await writeSection('gateway-recovery', 'Gateway: recovery', 'npm run bench -- gateway-recovery', lines);
}
