/**
 * A month of faults in virtual time, with its figures: `npm run soak -- gateway [--days=30] [--seed=1] [--write]`.
 * `--write` puts them into docs/benchmarks.md.
 */
import { writeSection } from '../../../bench/lib/report.mjs';
import { figuresOf, numberOption, runTests } from '../../../tools/lib/soak.mjs';

const days = numberOption('days', 30);
const seed = numberOption('seed', 1);
const count = (value) => value.toLocaleString('en');
const seconds = (ms) => `${(ms / 1_000).toFixed(1)} s`;
const percent = (share) => `${(share * 100).toFixed(3)} %`;
const list = (counts) =>
  Object.entries(counts)
    .map(([name, value]) => `${name} ${count(value)}`)
    .join(', ');

console.log(`${days} days of virtual time, seed ${seed}`);
const started = performance.now();
const figures = figuresOf((report) =>
  runTests(['packages/gateway/test/model/soak.test.ts'], {
    GUILDKIT_SOAK_DAYS: days,
    GUILDKIT_SOAK_SEED: seed,
    GUILDKIT_SOAK_REPORT: report,
  }),
);
if (figures !== undefined) {
  print(figures);
  if (process.exitCode === undefined && process.argv.includes('--write')) await write(figures);
}
console.log(`took ${seconds(performance.now() - started)}`);

/** What is told of a run: what, and the figures. */
function rowsOf(figures) {
  const { recoveryMs, events, sends, heapMb } = figures;
  const faults = Object.values(figures.faults).reduce((sum, one) => sum + one, 0);
  return [
    ['faults', `${count(faults)}: ${list(figures.faults)}`],
    [
      'connected',
      `${percent(figures.connectedShare)} of the time in which Discord could be reached (all but ${figures.unavailableHours.toFixed(2)} h)`,
    ],
    [
      'outages',
      `${count(figures.outages)}, ${percent(figures.within30s)} over within 30 s of the fault, or of Discord's return`,
    ],
    [
      'recovery',
      `p50 ${seconds(recoveryMs.p50)}, p90 ${seconds(recoveryMs.p90)}, p99 ${seconds(recoveryMs.p99)}, max ${seconds(recoveryMs.max)}`,
    ],
    [
      'events',
      `${count(events.happened)} happened, ${count(events.delivered)} delivered once and in order, ${count(events.coveredBySession)} in sessions that ended and were told, ${count(events.coveredByGap)} in gaps that were told`,
    ],
    ['sends', `${count(sends.made)}: ${count(sends.sent)} sent, ${count(sends.rejected)} rejected, 0 open`],
    ['heap', `${heapMb.early.toFixed(1)} MB after a tenth of the time, ${heapMb.late.toFixed(1)} MB at the end`],
    ['connections', list(figures.discord)],
    ['told', list(figures.told)],
    ['checks', `${figures.checks} in calm weather; wrong: ${figures.wrong.length}`],
  ];
}

function print(figures) {
  for (const [name, text] of rowsOf(figures)) console.log(`${name.padEnd(12)} ${text}`);
  console.log(`\n${'what followed which fault'.padEnd(30)} outages    median       max`);
  for (const { cause, outages, medianMs, maxMs } of figures.byCause) {
    console.log(
      `${cause.padEnd(30)} ${count(outages).padStart(7)} ${seconds(medianMs).padStart(9)} ${seconds(maxMs).padStart(9)}`,
    );
  }
}

function write(figures) {
  const lines = [
    `${days} days of virtual time with a fault every few minutes, seed ${seed}: the client against a model of Discord that`,
    'keeps account of every event and every send. Wanted: connected 99.9 % of the time in which Discord could be reached,',
    '99 % of outages over within 30 s, memory flat, every event accounted for.',
    '',
    '| what | figures |',
    '|---|---|',
    ...rowsOf(figures).map(([name, text]) => `| ${name} | ${text} |`),
    '',
    '| what followed which fault | outages | median | max |',
    '|---|---|---|---|',
    ...figures.byCause.map(
      ({ cause, outages, medianMs, maxMs }) =>
        `| ${cause} | ${count(outages)} | ${seconds(medianMs)} | ${seconds(maxMs)} |`,
    ),
  ];
  const options = [...(days === 30 ? [] : [`--days=${days}`]), ...(seed === 1 ? [] : [`--seed=${seed}`]), '--write'];
  const command = `npm run soak -- gateway ${options.join(' ')}`;
  return writeSection('gateway-soak', `Gateway: ${days} days of faults`, command, lines);
}
