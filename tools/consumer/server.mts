/** A server as an ESM user writes it. Only type-checked, against the packed tarballs. */
import { createServer } from 'node:http';
import { GuildkitError, type Logger } from '@guildkit/core';
import { DiscordGatewayClient } from '@guildkit/gateway';
import { DiscordApiError, DiscordRestClient } from '@guildkit/rest';
import { createSandbox } from '@guildkit/sandbox';
import { WebhookForwarder } from '@guildkit/server-kit/hmac';
import { RealtimeHub } from '@guildkit/server-kit/hub';
import { createJwtVerifier } from '@guildkit/server-kit/jwt';
import { LinkClient } from '@guildkit/server-kit/link';
import { createDiscordOAuth, createSessions } from '@guildkit/server-kit/oauth';
import { createLogger, createMetrics } from '@guildkit/server-kit/observability';
import { RoomService } from '@guildkit/server-kit/rooms';

// A variable that may be unset goes into an option as it is, with exactOptionalPropertyTypes on.
const logger: Logger | undefined = process.env.QUIET === undefined ? undefined : undefined;
const sandbox = await createSandbox({ seed: 1, guildName: process.env.GUILD_NAME });
const rest = new DiscordRestClient(sandbox.connection);
const gateway = new DiscordGatewayClient({
  ...sandbox.connection,
  intents: ['Guilds', 'GuildVoiceStates'],
  fetchGatewayInfo: undefined,
  logger,
});
const verifier = createJwtVerifier({
  issuer: 'https://issuer.example',
  audience: 'app',
  jwksUrl: 'https://issuer.example/.well-known/jwks.json',
});
const hub = new RealtimeHub({
  origins: ['https://app.example'],
  authenticate: ({ token }) => (token === undefined ? null : verifier.verify(token)),
  authorize: (principal, room) => principal.roles.includes('player') && room.startsWith('channel:'),
  logger,
});
gateway.onEvent('*', hub.publishDiscordEvent);
gateway.onEvent('voice.joined', ({ payload }) => payload.username.toUpperCase());
gateway.onDispatch('VOICE_STATE_UPDATE', (state, { seq, replayed }) => [state.user_id, seq + 1, !replayed]);
gateway.on('stateChange', ({ from, to }) => `${from} ${to}`);
hub.attach(createServer(), { ws: '/api/ws' });

// The parts take each other, and the REST client, without a cast.
const secrets = process.env.SECRETS ?? 'a secret of sixteen letters';
const rooms = new RoomService({ guildId: sandbox.guildId, rest, logger: createLogger({ level: 'silent' }) });
gateway.onEvent('*', rooms.applyEvent);
gateway.onEvent('*', createMetrics({ processMetrics: false }).countDomainEvent);
gateway.onEvent('*', new WebhookForwarder({ url: 'http://127.0.0.1:1/hub', secrets }).forward);
new LinkClient({ url: 'ws://127.0.0.1:1/link', token: secrets, onEvent: hub.publishDiscordEvent, logger });
const { clientId, clientSecret } = sandbox.oauth;
const oauth = createDiscordOAuth({ clientId, clientSecret, redirectUri: 'http://localhost:3000/callback' });
createSessions({ oauth, secrets, origin: 'http://localhost:3000', logger }).requireSession(async () => new Response());
await gateway.connect({ signal: AbortSignal.timeout(1000) });
try {
  const channel = await rest.createVoiceChannel({ name: 'Table 1', userLimit: undefined }, { reason: 'game' });
  await rest.createVoiceChannel('Table 2', undefined, 4);
  const person = await sandbox.people.create({ name: 'player-1' });
  await person.joinVoice(channel.id);
  await rest.deleteChannel(channel.id);
} catch (error) {
  if (DiscordApiError.is(error)) error.status.toFixed();
  else if (GuildkitError.is(error)) error.code.toLowerCase();
  // @ts-expect-error anything else is unknown
  else error.code;
}
// @ts-expect-error an unknown option is refused
new DiscordRestClient({ tokens: 'x' });
await hub.close({ drainMs: 10 });
