/** A server as a CommonJS user writes it. Only type-checked, against the packed tarballs. */
import core = require('@guildkit/core');
import gatewayPackage = require('@guildkit/gateway');
import rest = require('@guildkit/rest');
import sandboxPackage = require('@guildkit/sandbox');
import hubEntry = require('@guildkit/server-kit/hub');
import http = require('@guildkit/server-kit/http');
import invitesEntry = require('@guildkit/server-kit/invites');
import jwt = require('@guildkit/server-kit/jwt');

async function main(): Promise<void> {
  const sandbox = await sandboxPackage.createSandbox({ seed: 1 });
  const client = new rest.DiscordRestClient(sandbox.connection);
  const gateway = new gatewayPackage.DiscordGatewayClient({ ...sandbox.connection, intents: ['Guilds'] });
  const issuer = await jwt.createJwtIssuer({ issuer: 'https://issuer.example', audience: 'app' });
  const verifier = jwt.createJwtVerifier({ issuer: 'https://issuer.example', audience: 'app', jwks: issuer.jwks() });
  const hub = new hubEntry.RealtimeHub({
    origins: ['https://app.example'],
    authenticate: ({ token }) => (token === undefined ? null : verifier.verify(token)),
    authorize: () => true,
  });
  gateway.onEvent('*', hub.publishDiscordEvent);
  const invites = invitesEntry.createInvites({ secrets: 'a secret of sixteen letters' });
  const answer: Response = await invites.verify('').then(
    () => http.jsonResponse({}),
    (error: unknown) => http.toErrorResponse(error),
  );
  if (answer.ok) return;
  await gateway.connect();
  const channels: readonly { readonly id: string }[] = await client.getChannels();
  if (channels.length === 0) throw new core.GuildkitError('AppError', 'no channels', { code: 'ERR_APP_EMPTY' });
}

main().catch((error: unknown) => core.messageOf(error));
