// Someone talks, someone listens, a third one comes and goes: how many frames each change of the encrypted group costs.
import { setTimeout as wait } from 'node:timers/promises';
import { connectGateway, opusPackets, SEATS, trust } from '../lib/voice-seats.mjs';

const [settings, changesText] = process.argv.slice(2);
const changes = Number(changesText);
const sandbox = JSON.parse(settings);
trust(sandbox.certificate);
/** Of the group, between two changes. */
const PAUSE_MS = 1_000;
const SECONDS = (changes * PAUSE_MS) / 1_000 + 4;

const join = async ({ token, channelId }) => {
  const gateway = await connectGateway(sandbox, token);
  return { userId: gateway.userId, ...(await SEATS.guildkit(gateway, channelId, sandbox.certificate)) };
};
const [first, second, third] = sandbox.seats;
const sender = await join(first);
const receiver = await join(second);
await wait(2_000);

const came = new Set();
const made = { concealed: 0, silence: 0 };
receiver.onOpus(sender.userId, (opus, kind) => {
  if (kind !== 'packet') made[kind] += 1;
  else if (opus.length === 160) came.add((opus[1] << 8) | opus[2]);
});
const audio = sender.play(opusPackets(SECONDS * 50));
await wait(1_000);
let epochs = 0;
receiver.rtc.on('encryption', () => {
  epochs += 1;
});
let guest;
for (let n = 0; n < changes; n += 1) {
  if (guest === undefined) {
    guest = await join(third);
  } else {
    await guest.rtc[Symbol.asyncDispose]();
    guest = undefined;
  }
  await wait(PAUSE_MS);
}
await audio.finished;
await wait(500);
process.send({ sent: SECONDS * 50, came: came.size, ...made, changes, epochs });
