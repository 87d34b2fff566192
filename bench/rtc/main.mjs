// Voice beside @discordjs/voice: packets, pacing with many senders, CPU, and what is heard and seen over a bad network.
// Options: --only=<packets|pacing|quality|members> --rounds=<n> --seconds=<n> --senders=<n,…> --dry (print, write nothing)
import { messageFrom, optionsOf, startProcess } from '../lib/processes.mjs';
import { writeSection } from '../lib/report.mjs';
import { median, spread } from '../lib/stats.mjs';

const { only, rounds = 5, seconds = 20, senders = '1,50,200', dry } = optionsOf(process.argv.slice(2));
const TIMEOUT_MS = 180_000;
const PACKETS = 30_000;
const COUNTING = ['--expose-gc', '--max-semi-space-size=512', '--min-semi-space-size=512'];
const own = (file) => new URL(file, import.meta.url);
const sections = [];

async function answerOf(file, args, flags = []) {
  const child = startProcess(own(file), args, flags);
  try {
    return await messageFrom(child, undefined, TIMEOUT_MS);
  } finally {
    child.kill('SIGKILL');
  }
}

/** `median (lowest–highest)` */
const cell = (values, digits = 2) => {
  const { min, max } = spread(values);
  return `${median(values).toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`;
};

async function packets() {
  const CONTENDERS = {
    'guildkit-aes': '**@guildkit/rtp**, AES-256-GCM',
    'discordjs-aes': '@discordjs/voice, AES-256-GCM',
    'guildkit-xchacha': '**@guildkit/rtp**, XChaCha20, libsodium-wrappers',
    'discordjs-xchacha-@stablelib/xchacha20poly1305': '@discordjs/voice, XChaCha20, @stablelib',
    'discordjs-xchacha-@noble/ciphers/chacha': '@discordjs/voice, XChaCha20, @noble/ciphers',
  };
  const names = Object.keys(CONTENDERS);
  const results = new Map(names.map((name) => [name, []]));
  const allocated = new Map();
  for (const name of names)
    allocated.set(name, await answerOf('packets.mjs', [name, PACKETS, 'allocations'], COUNTING));
  for (let round = 0; round < rounds; round += 1) {
    // Another one begins in each round: what wears off or builds up meets all of them.
    const shift = round % names.length;
    for (const name of [...names.slice(shift), ...names.slice(0, shift)]) {
      const result = await answerOf('packets.mjs', [name, PACKETS, 'times']);
      results.get(name).push(result);
      console.log(`  ${round + 1}/${rounds} ${name.padEnd(50)} ${result.seal.toFixed(2)}/${result.open.toFixed(2)} µs`);
    }
  }
  const values = (name, key) => results.get(name).map((result) => result[key]);
  /** Of the same round: what slows the machine down slows both. */
  const times = (base, ours, key) =>
    `${median(values(base, key).map((value, n) => value / values(ours, key)[n])).toFixed(2)}×`;
  sections.push(
    '**An Opus packet of 160 bytes to a datagram and back**, each library’s own code, without sockets and DAVE. CPU µs per packet in',
    `a process of its own, ${rounds} rounds in turn of ${PACKETS.toLocaleString('en')} packets: medians (lowest–highest). Allocated: bytes per packet, seal / open.`,
    '',
    '| | seal | open | allocated |',
    '|---|---|---|---|',
    ...names.map((name) => {
      const { seal, open } = allocated.get(name);
      const label = CONTENDERS[name];
      return `| ${label} | ${cell(values(name, 'seal'))} | ${cell(values(name, 'open'))} | ${Math.round(seal)} / ${Math.round(open)} |`;
    }),
    '',
    '| packets per second | seal | open | wanted |',
    '|---|---|---|---|',
    ...[
      ['AES-256-GCM', 'discordjs-aes', 'guildkit-aes', 'seal 1.15×, open 1.3×'],
      ['XChaCha20 against its @stablelib', names[3], 'guildkit-xchacha', '1.5×'],
      ['XChaCha20 against its @noble', names[4], 'guildkit-xchacha', '3×'],
    ].map(
      ([what, base, ours, wanted]) =>
        `| ${what} | ${times(base, ours, 'seal')} | ${times(base, ours, 'open')} | ${wanted} |`,
    ),
    '',
  );
}

async function sandboxWith(seats, apart) {
  const child = startProcess(own('discord.mjs'), [seats, apart ? 'apart' : 'together']);
  const { type: _, ...settings } = await messageFrom(child, 'ready', TIMEOUT_MS);
  return { child, settings };
}

async function pacing() {
  const rows = [];
  for (const count of String(senders).split(',').map(Number)) {
    const results = { guildkit: [], discordjs: [], timer: [] };
    for (let round = 0; round < rounds; round += 1) {
      const names = ['guildkit', 'discordjs'];
      if (round % 2 === 1) names.reverse();
      results.timer.push(await answerOf('timer.mjs', [seconds]));
      for (const name of names) {
        const { child, settings } = await sandboxWith(count, true);
        const result = await answerOf('pacing.mjs', [name, JSON.stringify(settings), seconds]);
        child.kill('SIGKILL');
        results[name].push(result);
        console.log(
          `  ${count} senders ${round + 1}/${rounds} ${name.padEnd(10)} p50 ${result.p50.toFixed(2)} p99 ${result.p99.toFixed(2)} p99.9 ${result.p999.toFixed(2)} ms, ${result.packets} of ${result.expected}, CPU ${result.cpuPerSeat.toFixed(3)} %`,
        );
      }
    }
    for (const [name, label] of [
      ['guildkit', '**@guildkit/rtc**'],
      ['discordjs', '@discordjs/voice'],
      ['timer', 'a bare timer'],
    ]) {
      const of = (key) => results[name].map((result) => result[key]);
      const cpu = name === 'timer' ? '–' : cell(of('cpuPerSeat'), 3);
      rows.push(`| ${count} | ${label} | ${cell(of('p50'))} | ${cell(of('p99'))} | ${cell(of('p999'))} | ${cpu} |`);
    }
  }
  sections.push(
    '**Pacing**: how far from the time of its own timestamp a packet is handed to the system, ms, against the middle of its',
    `stream, and CPU per connection in % of a core. One process for all senders, each in a channel of its own; ${seconds} s, ${rounds} runs in turn`,
    `of each: medians (lowest–highest). Wanted: p99 below 2 ms at 50 senders. Other work on the machine shows here first: the bare timer is what it costs alone.`,
    '',
    '| senders | | p50 | p99 | p99.9 | CPU |',
    '|---|---|---|---|---|---|',
    ...rows,
    '',
  );
}

async function quality() {
  const rows = [];
  const { child, settings } = await sandboxWith(3, false);
  const client = startProcess(own('quality.mjs'), [JSON.stringify(settings), seconds]);
  await messageFrom(client, 'ready', TIMEOUT_MS);
  for (const loss of [0, 0.01, 0.05, 0.1]) {
    const set = messageFrom(child, 'set', TIMEOUT_MS);
    // On the way down alone: each receiver's own losses, and half of the retransmissions' way.
    child.send({
      media: { loss, delayMs: 20, jitterMs: loss === 0 ? 0 : 40, reorder: loss / 2, direction: 'down', seed: 3 },
    });
    await set;
    client.send({});
    const { sent, guildkit, discordjs, frames, sentFrames, recovered, keyframeRequests, targetDelayMs } =
      await messageFrom(client, 'result', TIMEOUT_MS);
    const share = (count, of = sent) => `${((count / of) * 100).toFixed(1)} %`;
    console.log(
      `  loss ${loss}`,
      JSON.stringify({ sent, guildkit, discordjs, frames, sentFrames, recovered, keyframeRequests }),
    );
    rows.push(
      `| ${loss * 100} % | ${share(guildkit.packets)} as sent, ${share(guildkit.concealed)} concealed, ${share(guildkit.silence)} silent, ${share(guildkit.outOfOrder)} out of order; ${targetDelayMs} ms | ${share(discordjs.packets)} as sent, ${share(sent - discordjs.packets)} missing, ${share(discordjs.outOfOrder)} out of order | ${share(frames, sentFrames)}, ${recovered} packets by retransmission, ${keyframeRequests} keyframes asked for |`,
    );
  }
  client.kill('SIGKILL');
  child.kill('SIGKILL');
  sections.push(
    `**What is received** over the sandbox’s bad network (20 ms, and 40 ms of jitter where packets are lost), ${seconds} s each, with DAVE: Opus by`,
    'both libraries at once from the same sender, VP8 at 30 frames a second by @guildkit/rtc (@discordjs/voice has no video).',
    '',
    '| loss | audio, **@guildkit/rtc** | audio, @discordjs/voice | video, frames whole and decodable |',
    '|---|---|---|---|',
    ...rows,
    '',
  );
}

async function members() {
  const CHANGES = 10;
  const results = [];
  for (let round = 0; round < rounds; round += 1) {
    const { child, settings } = await sandboxWith(3, false);
    const result = await answerOf('members.mjs', [JSON.stringify(settings), CHANGES]);
    child.kill('SIGKILL');
    results.push(result);
    console.log(`  members ${round + 1}/${rounds}`, JSON.stringify(result));
  }
  const of = (value) => cell(results.map(value), 1);
  sections.push(
    `**Members who come and go**: a third one joins and leaves while one talks, ${CHANGES} changes of the encrypted group in each of`,
    `${rounds} runs. Frames of 20 ms that did not arrive, for each change: ${of(({ sent, came, changes }) => (sent - came) / changes)}; made up or silent:`,
    `${of(({ concealed, silence, changes }) => (concealed + silence) / changes)}.`,
    '',
  );
}

const PARTS = { packets, pacing, quality, members };
for (const [name, run] of Object.entries(PARTS)) {
  if (only !== undefined && !String(only).split(',').includes(name)) continue;
  console.log(`  ${name}`);
  await run();
}
console.log(`\n${sections.join('\n')}`);
if (!dry) await writeSection('rtc', 'Voice beside @discordjs/voice', 'npm run bench -- rtc', sections);
