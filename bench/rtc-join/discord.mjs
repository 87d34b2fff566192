// The sandbox in a process of its own: with TLS, as @discordjs/voice speaks nothing else, and without limits, for who identifies often.
import { createSandbox } from '@guildkit/sandbox';

const sandbox = await createSandbox({ tls: true, seed: 11, rateLimits: false });
const { gatewayUrl, guildId, voiceChannelId, certificate, connection } = sandbox;
process.send({ gatewayUrl, guildId, channelId: voiceChannelId, certificate, token: connection.token });
