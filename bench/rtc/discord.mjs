// The sandbox in a process of its own: with TLS, as @discordjs/voice speaks nothing else; a bot and a channel for each seat.
import { createSandbox } from '@guildkit/sandbox';

const seats = Number(process.argv[2]);
const apart = process.argv[3] === 'apart';
const sandbox = await createSandbox({ tls: true, seed: 11, rateLimits: false });
const { gatewayUrl, guildId, voiceChannelId, certificate } = sandbox;
const list = [];
for (let n = 0; n < seats; n += 1) {
  const { token } = await sandbox.bots.create({ name: `seat-${n}` });
  const channel = apart ? await sandbox.channels.create({ name: `voice-${n}` }) : { id: voiceChannelId };
  list.push({ token, channelId: channel.id });
}
process.on('message', ({ media }) => {
  sandbox.faults.media(media);
  process.send({ type: 'set' });
});
process.send({ type: 'ready', gatewayUrl, guildId, certificate, seats: list });
