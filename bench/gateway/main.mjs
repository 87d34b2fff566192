// What a dispatch costs in each gateway client: CPU of the client's process and its memory, side by side in one run.
// Options: --events=<n> --warm-up=<n> --rounds=<n> --only=<contender,…> --dry (print, write nothing)

import { messageFrom, optionsOf, startProcess } from '../lib/processes.mjs';
import { writeSection } from '../lib/report.mjs';
import { median, spread } from '../lib/stats.mjs';

const { events = 200_000, 'warm-up': warmUp = 50_000, rounds = 5, only, dry } = optionsOf(process.argv.slice(2));
const CLIENT_TIMEOUT_MS = 90_000;

/** [contender, what it is, whether every dispatch has to be delivered] by transport. */
const TABLES = [
  [
    'none',
    [
      ['raw-bytes', 'ws, bytes only, nothing parsed'],
      ['raw', 'ws + `JSON.parse`', true],
      ['guildkit-all', '**@guildkit/gateway**, `onDispatch` for every event', true],
      ['guildkit-none', '**@guildkit/gateway**, nothing subscribed'],
      ['guildkit-voice', '**@guildkit/gateway**, `onEvent` for voice'],
      ['guildkit-domain', "**@guildkit/gateway**, `onEvent('*')`: all domain events"],
      ['discordjs', '@discordjs/ws', true],
      ['seyfert', 'seyfert (its `Shard`)', true],
      ['discordeno-snake', '@discordeno/gateway, `preferSnakeCase`', true],
      ['discordeno', '@discordeno/gateway', true],
    ],
  ],
  [
    'zlib-stream',
    [
      ['raw-zlib', 'ws + synchronous stateful inflate + `JSON.parse`', true],
      ['guildkit-all-zlib', '**@guildkit/gateway**, `onDispatch` for every event', true],
      ['guildkit-none-zlib', '**@guildkit/gateway**, nothing subscribed'],
      ['discordeno-snake-zlib', '@discordeno/gateway, `preferSnakeCase`', true],
      ['discordjs-zlib', '@discordjs/ws, native zlib', true],
    ],
  ],
  [
    'zstd-stream',
    [
      ['guildkit-all-zstd', '**@guildkit/gateway**, `onDispatch` for every event', true],
      ['guildkit-none-zstd', '**@guildkit/gateway**, nothing subscribed'],
      ['guildkit-all-fzstd', '**@guildkit/gateway**, the same by fzstd, as outside of Node and before 22.15', true],
      ['discordeno-snake-zstd', '@discordeno/gateway, `preferSnakeCase` (fzstd)', true],
    ],
  ],
];

const server = startProcess(new URL('server.mjs', import.meta.url), [events, warmUp]);
const { url, average, sizes } = await messageFrom(server, 'ready');
const wanted = only?.split(',');
const contenders = TABLES.flatMap(([transport, rows]) =>
  rows.filter(([name]) => average[transport] !== undefined && (wanted?.includes(name) ?? true)),
);

/** @returns What the client's process told, `undefined` when it came to nothing. */
async function run([name, , everyOne]) {
  const child = startProcess(new URL('client.mjs', import.meta.url), [name, url, events, warmUp]);
  const result = await messageFrom(child, undefined, CLIENT_TIMEOUT_MS).catch((error) => ({ failed: error.message }));
  child.kill('SIGKILL');
  const { failed, delivered, disorder } = result;
  const problem =
    failed ??
    (disorder > 0 ? `${disorder} out of order` : undefined) ??
    (everyOne && delivered !== events ? `${delivered} of ${events} delivered` : undefined);
  if (problem === undefined) return result;
  console.log(`  ${name}: ${problem}`);
  return { ...result, failed: problem };
}

const results = new Map(contenders.map(([name]) => [name, []]));
for (let round = 0; round < rounds; round += 1) {
  // Another one begins in each round: what wears off or builds up meets all of them.
  const shift = (round * Math.ceil(contenders.length / rounds)) % contenders.length;
  const order = [...contenders.slice(shift), ...contenders.slice(0, shift)];
  for (const contender of order) {
    const result = await run(contender);
    results.get(contender[0]).push({ ...result, round });
    if (result.failed === undefined) {
      console.log(
        `  ${round + 1}/${rounds} ${contender[0].padEnd(22)} ${result.cpuUs.toFixed(2)} µs  ${result.rssMb.toFixed(0)} MB`,
      );
    }
  }
}
server.kill();

const good = (name) => (results.get(name) ?? []).filter(({ failed }) => failed === undefined);
const cpu = (name) => (good(name).length === 0 ? undefined : median(good(name).map(({ cpuUs }) => cpuUs)));
const rss = (name) => (good(name).length === 0 ? undefined : median(good(name).map(({ rssMb }) => rssMb)));
/** Of the same round: what slows the machine down slows both. */
function ratio(name, base) {
  const pairs = good(name).flatMap(({ round, cpuUs }) => {
    const other = good(base).find((result) => result.round === round);
    return other === undefined ? [] : [cpuUs / other.cpuUs];
  });
  return pairs.length === 0 ? undefined : median(pairs);
}
const fixed = (value, digits) => (value === undefined ? '–' : value.toFixed(digits));

function row([name, label]) {
  if (good(name).length === 0) {
    const [first] = results.get(name) ?? [];
    return first === undefined ? [] : [`| ${label} | failed: ${first.failed.slice(0, 60)} | | | |`];
  }
  const { min, max } = spread(good(name).map(({ cpuUs }) => cpuUs));
  return [
    `| ${label} | ${fixed(cpu(name), 2)} | ${fixed(min, 2)}–${fixed(max, 2)} | ${fixed(ratio(name, 'raw'), 2)} | ${fixed(rss(name), 0)} |`,
  ];
}

const aims = [
  ['subscribed to everything, against ws + `JSON.parse`', ratio('guildkit-all', 'raw'), '×', 'at most 1.10'],
  ['nothing subscribed, against @discordjs/ws', ratio('discordjs', 'guildkit-none'), '× cheaper', 'at least 3'],
  ['zlib-stream, against @discordjs/ws', ratio('discordjs-zlib', 'guildkit-all-zlib'), '× cheaper', 'at least 4'],
  ['zlib-stream, peak memory', rss('guildkit-all-zlib'), ' MB', 'under 110'],
];
const total = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
const lines = [
  `${events.toLocaleString('en')} dispatches on loopback, made by a generator that always makes the same ones, written raw by a server in a`,
  'process of its own that has serialised, compressed and framed them before: the client is what is busy. Each client runs in',
  `a process of its own. CPU is user and system time of that process, all of its threads, between the first and the last`,
  `dispatch, behind ${warmUp.toLocaleString('en')} that are not measured: so long V8 compiles. Memory is the process's largest RSS. Medians of`,
  `${rounds} rounds in turning order, with the smallest and the largest;`,
  'the ratio to ws + `JSON.parse` is that of the same round, the median again. Every client but those that are to parse less',
  'delivered every dispatch, in order.',
  '',
];
for (const [transport, rows] of TABLES) {
  const known = rows.filter(([name]) => results.has(name));
  if (known.length === 0) continue;
  const title = transport === 'none' ? 'No compression' : `\`${transport}\``;
  lines.push(
    `**${title}**, ${average[transport].toFixed(0)} bytes a dispatch on average`,
    '',
    '| client | CPU µs per dispatch | min–max | × ws + `JSON.parse` | RSS MB |',
    '|---|---|---|---|---|',
    ...known.flatMap(row),
    '',
  );
}
lines.push('| aim | measured | wanted |', '|---|---|---|');
for (const [what, value, unit, aim] of aims)
  lines.push(`| ${what} | ${fixed(value, 2)}${value === undefined ? '' : unit} | ${aim} |`);
lines.push('', '| dispatch | share | bytes on average | min–max |', '|---|---|---|---|');
for (const { name, count, bytes, min, max } of sizes) {
  lines.push(
    `| ${name} | ${((100 * count) / events).toFixed(2)} % | ${Math.round(bytes / count).toLocaleString('en')} | ${min.toLocaleString('en')}–${max.toLocaleString('en')} |`,
  );
}
lines.push(
  '',
  `${(total / 1e6).toFixed(0)} MB of JSON in all. seyfert's socket only speaks TLS to port 443; \`node:https\` was pointed at`,
  'plain loopback for it, which spares it TLS. @discordeno/gateway turns every key into camel case unless told not to.',
  'A flood measures cost, not pace: a client that takes messages in asynchronously piles them up here, and that is its memory.',
);
console.log(`\n${lines.join('\n')}`);
if (!dry && only === undefined)
  await writeSection('gateway', 'Gateway: cost of a dispatch', 'npm run bench -- gateway', lines);
