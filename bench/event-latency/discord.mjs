// Discord's side: the sandbox in a process of its own. Commands come by IPC; each event is stamped as it is caused.
import { createSandbox } from '@guildkit/sandbox';
import { nowMs } from '../lib/stats.mjs';

const sandbox = await createSandbox({ seed: 1, rateLimits: false });
const people = [];
for (let i = 0; i < 50; i += 1) people.push(await sandbox.people.create({ name: `player-${i + 1}` }));

/** Causes `count` voice events, one every `everyMs`, on an open loop: a late one does not delay the next. */
async function play({ count, everyMs }) {
  const start = nowMs();
  const caused = [];
  for (let n = 0; n < count; n += 1) {
    const waitMs = start + n * everyMs - nowMs();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    const person = people[n % people.length];
    const joins = Math.floor(n / people.length) % 2 === 0;
    caused.push({ userId: person.id, event: joins ? 'voice.joined' : 'voice.left', at: nowMs() });
    await (joins ? person.joinVoice(sandbox.voiceChannelId) : person.leaveVoice());
  }
  return caused;
}

process.on('message', async (message) => {
  if (message.type === 'play') process.send({ type: 'played', caused: await play(message) });
  if (message.type === 'stop') {
    await sandbox.close();
    process.exit(0);
  }
});
process.send({ type: 'ready', connection: sandbox.connection, channelId: sandbox.voiceChannelId });
