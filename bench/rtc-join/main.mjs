// From asking to join a voice channel to the first packet of audio, beside @discordjs/voice, against the sandbox.
// Options: --rounds=<n> --dry (print, write nothing)
import { messageFrom, optionsOf, startProcess } from '../lib/processes.mjs';
import { writeSection } from '../lib/report.mjs';
import { median, spread } from '../lib/stats.mjs';

const { rounds = 11, dry } = optionsOf(process.argv.slice(2));
const TIMEOUT_MS = 60_000;
const NAMES = { guildkit: '**@guildkit/rtc**', discordjs: '@discordjs/voice' };

const discord = startProcess(new URL('discord.mjs', import.meta.url), []);
const settings = JSON.stringify(await messageFrom(discord, undefined, TIMEOUT_MS));
const results = { guildkit: [], discordjs: [] };
for (let round = 0; round < rounds; round += 1) {
  const names = Object.keys(NAMES);
  // Another one begins in each round: what wears off or builds up meets both.
  if (round % 2 === 1) names.reverse();
  for (const name of names) {
    const child = startProcess(new URL('client.mjs', import.meta.url), [name, settings]);
    const result = await messageFrom(child, undefined, TIMEOUT_MS);
    child.kill('SIGKILL');
    results[name].push(result);
    console.log(
      `  ${round + 1}/${rounds} ${name.padEnd(10)} ${result.first.toFixed(0)} ms, ${result.second.toFixed(0)} ms`,
    );
  }
}
discord.kill('SIGKILL');

const cell = (name, key) => {
  const values = results[name].map((result) => result[key]);
  const { min, max } = spread(values);
  return `${median(values).toFixed(0)} (${min.toFixed(0)}–${max.toFixed(0)})`;
};
const lines = [
  'From asking to join to the first RTP packet of audio that is handed to the system, ms: medians (lowest–highest) of',
  `${rounds} processes in turn. Sandbox with TLS and DAVE on the same machine, so the network takes no time; the audio was there`,
  'before. At the first join of a process ciphers and DAVE are loaded, and @guildkit/rtc measures which cipher is quickest.',
  '',
  '| | first join | second join |',
  '|---|---|---|',
  ...Object.entries(NAMES).map(([name, label]) => `| ${label} | ${cell(name, 'first')} | ${cell(name, 'second')} |`),
];
console.log(`\n${lines.join('\n')}`);
if (!dry)
  await writeSection('rtc-join', 'Voice: from the join to the first packet', 'npm run bench -- rtc-join', lines);
