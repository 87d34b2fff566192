/** Every route with hostile parameters: never a 500, every answer as clients read it, and a world that is still whole. */
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ROUTES } from '../../src/protocol/routes/index.js';
import { call } from '../support/gateway-client.js';
import { checkAnswer } from '../support/strict.js';

/** Ids and the like that lead somewhere. */
async function furnish(sandbox: Sandbox) {
  const text = `/channels/${sandbox.textChannelId}`;
  const anna = await sandbox.people.create({ name: 'anna', permissions: ['MoveMembers'] });
  await anna.joinVoice(sandbox.voiceChannelId);
  const outside = await sandbox.people.create({ name: 'outside', member: false });
  const message = await anna.send(sandbox.textChannelId, 'x');
  await anna.react(sandbox.textChannelId, message.id, '👍');
  const hook = (await call(sandbox, 'POST', `${text}/webhooks`, { body: { name: 'h' } })).body;
  const invite = (await call(sandbox, 'POST', `${text}/invites`, { body: {} })).body;
  const own = (await call(sandbox, 'POST', `${text}/messages`, { body: { content: 'own' } })).body;
  const command = await call(sandbox, 'POST', `/applications/${sandbox.oauth.clientId}/commands`, {
    body: { name: 'x', description: 'x' },
  });
  const role = (await call(sandbox, 'POST', `/guilds/${sandbox.guildId}/roles`, { body: {} })).body;
  const said = await call(sandbox, 'POST', `/webhooks/${hook.id}/${hook.token}?wait=true`, { body: { content: 'x' } });
  const joinToken = sandbox.oauth.tokensFor(outside).accessToken;
  return {
    ids: [sandbox.guildId, sandbox.textChannelId, sandbox.voiceChannelId, sandbox.oauth.clientId, '0', '1'],
    byParam: {
      guildId: [sandbox.guildId],
      channelId: [
        ...Array.from({ length: 6 }, () => sandbox.textChannelId),
        sandbox.voiceChannelId,
        await anna.openDm(sandbox.oauth.clientId),
      ],
      messageId: [message.id, own.id, said.body.id],
      userId: [anna.id, outside.id, sandbox.people.owner.id, sandbox.oauth.clientId],
      roleId: [role.id, sandbox.guildId, ...anna.roles],
      overwriteId: [role.id, anna.id, sandbox.guildId],
      applicationId: [sandbox.oauth.clientId],
      commandId: [command.body.id],
      webhookId: [hook.id],
      token: [hook.token],
      code: [invite.code],
      emoji: ['👍', '🎲', 'x', 'a:1'],
    } as Readonly<Record<string, readonly string[]>>,
    joinToken,
  };
}

const FIELDS =
  'name type topic nsfw position parent_id permission_overwrites user_limit bitrate rtc_region rate_limit_per_user id allow deny content tts embeds title description fields value inline footer text author url color timestamp image nonce enforce_nonce allowed_mentions parse users roles replied_user message_reference message_id fail_if_not_exists attachments filename flags messages nick mute deaf channel_id access_token permissions hoist mentionable colors primary_color max_age max_uses temporary unique username avatar system_channel_id recipient_id options default_member_permissions'.split(
    ' ',
  );

/** What a body may hold: often of the right kind, so that handlers are reached. */
const bodyFrom = (ids: readonly string[]): fc.Arbitrary<unknown> =>
  fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.constantFrom(
        null,
        true,
        false,
        0,
        1,
        2,
        4,
        -1,
        1e308,
        2 ** 53,
        '',
        ' ',
        '1024',
        '8',
        '👍',
        'hello',
        '@everyone <@1>',
        '__proto__',
        'x'.repeat(2100),
        '2026-01-01',
        'https://a.b',
        ['users'],
        ['everyone'],
      ),
      fc.constantFrom(...ids),
      fc.string({ unit: 'binary', maxLength: 12 }),
      fc.array(tie('any'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...FIELDS, '__proto__', 'constructor'), tie('any'), { maxKeys: 5 }),
    ),
  })).any;

test('every route, with parameters, queries and bodies of all kinds', async () => {
  await fc.assert(
    fc.asyncProperty(fc.infiniteStream(fc.nat()), fc.infiniteStream(fc.nat()), fc.nat(), async (picks, more, seed) => {
      await using sandbox = await createSandbox({ rateLimits: false });
      const { byParam, ids, joinToken } = await furnish(sandbox);
      const known = [...ids, ...Object.values(byParam).flat(), joinToken];
      const bodies = fc.sample(bodyFrom(known), { numRuns: 60, seed });
      const pick = <T>(items: readonly T[]): T => items[(picks.next().value ?? 0) % items.length] as T;
      for (const made of bodies) {
        const route = pick(ROUTES);
        const path = route.path.replaceAll(/:(\w+)/g, (_, name: string) => {
          const usual = (more.next().value ?? 0) % 10 > 0;
          return encodeURIComponent(
            usual ? pick(byParam[name] ?? known) : pick([...known, '..', '%', 'abc', '9'.repeat(20)]),
          );
        });
        const query = pick([
          '',
          '',
          `?limit=${pick(['1', '0', 'x'])}`,
          `?after=${pick(known)}`,
          '?wait=true',
          '?query=a&limit=5',
        ]);
        const isForm = route.takes === 'form' || route.path.endsWith('/authorize');
        // A bot that left sees nothing any more: seldom.
        const leaves = route.path === '/users/@me/guilds/:guildId' && (more.next().value ?? 0) % 12 > 0;
        if (isForm || leaves) continue;
        const object =
          typeof made === 'object' || (more.next().value ?? 0) % 5 === 0 ? made : { content: made, name: made };
        const answer = await call(sandbox, route.method, `${path}${query}`, {
          ...(route.method === 'GET' ? {} : { text: JSON.stringify(object) ?? '{}' }),
          ...(route.auth === 'bearer' ? { token: null, headers: { authorization: `Bearer ${joinToken}` } } : {}),
        });
        expect(answer.status).toBeLessThan(500);
      }
      expect(sandbox.traffic.counters.internalErrors).toBe(0);
      // Whatever was done, the world is whole: it can be saved, and what was saved begins again.
      const state = JSON.parse(JSON.stringify(sandbox.save()));
      await using again = await createSandbox({ state });
      expect(again.save()).toEqual(state);
    }),
    { numRuns: 40, seed: 4 },
  );
}, 120_000);

const OAUTH_FIELDS = [
  'client_id',
  'client_secret',
  'redirect_uri',
  'response_type',
  'scope',
  'state',
  'code_challenge',
  'code_challenge_method',
  'grant_type',
  'code',
  'code_verifier',
  'refresh_token',
  'token',
  'user_id',
  'decision',
  'prompt',
  'login_hint',
] as const;

test('OAuth2 parameters', async () => {
  await using sandbox = await createSandbox({ rateLimits: false });
  const anna = await sandbox.people.create({ name: 'anna' });
  const { clientId, clientSecret, authorizeUrl, tokenUrl, revokeUrl } = sandbox.oauth;
  const tokens = sandbox.oauth.tokensFor(anna);
  const redirect = 'http://localhost:3000/cb';
  const usual: Record<string, readonly string[]> = {
    client_id: [clientId],
    client_secret: [clientSecret],
    redirect_uri: [
      redirect,
      'http://localhost',
      'http://localhost:3000/cb?x=<y>',
      '//evil.test',
      'http://localhost\\@evil.test',
    ],
    response_type: ['code'],
    scope: ['identify', 'identify guilds.join', 'identify\r\nx'],
    state: ['s', '"><script>alert(1)</script>'],
    code_challenge: ['E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'],
    code_challenge_method: ['S256', 'plain'],
    grant_type: ['authorization_code', 'refresh_token'],
    refresh_token: [tokens.refreshToken],
    token: [tokens.accessToken],
    user_id: [anna.id],
    decision: ['approve', 'deny'],
    prompt: ['none', 'consent'],
    login_hint: [anna.id],
  };
  const fields = fc.record(
    Object.fromEntries(
      OAUTH_FIELDS.map((name) => [
        name,
        fc.oneof(
          { weight: 6, arbitrary: fc.constantFrom(...(usual[name] ?? ['x'])) },
          { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 30 }) },
          { weight: 1, arbitrary: fc.constantFrom('', '\r\nset-cookie: x', 'x'.repeat(5000), '%00', '__proto__') },
        ),
      ]),
    ),
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom('page', 'form', 'token', 'revoke'), fields, async (where, sent) => {
      const params = new URLSearchParams(sent as Record<string, string>);
      const url = where === 'token' ? tokenUrl : where === 'revoke' ? revokeUrl : authorizeUrl;
      const response =
        where === 'page'
          ? await fetch(`${url}?${params}`, { redirect: 'manual' })
          : await fetch(url, { method: 'POST', body: params, redirect: 'manual' });
      const text = await response.text();
      expect(response.status).toBeLessThan(500);
      expect(response.headers.get('set-cookie')).toBeNull();
      const location = response.headers.get('location');
      if (location !== null) expect(new URL(location).hostname).toBe('localhost');
      expect(text).not.toContain('<script>');
      if (where === 'token') checkAnswer('POST', '/oauth2/token', response.status, JSON.parse(text));
    }),
    { numRuns: 600, seed: 6 },
  );
  expect(sandbox.traffic.counters.internalErrors).toBe(0);
});

test('multipart bodies, whole and broken', async () => {
  await using sandbox = await createSandbox({ rateLimits: false });
  const path = `/channels/${sandbox.textChannelId}/messages`;
  const piece = fc.oneof(
    fc.constantFrom(
      '--b',
      '--b--',
      '\r\n',
      '\r\n\r\n',
      'content-disposition: form-data; name="payload_json"',
      'Content-Disposition: form-data; name="files[0]"; filename="../../x\r\n"',
      'content-disposition: form-data; name=files[0]; filename=x',
      'content-type: image/png',
      '{"content":"x"}',
      '{"content":"x","attachments":[{"id":0}]}',
      '\0',
    ),
    fc.string({ unit: 'binary', maxLength: 10 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 24 }), async (pieces) => {
      const answer = await call(sandbox, 'POST', path, {
        text: pieces.join(''),
        headers: { 'content-type': 'multipart/form-data; boundary=b' },
      });
      expect(answer.status).toBeLessThan(500);
    }),
    { numRuns: 400, seed: 8 },
  );
  expect(sandbox.traffic.counters.internalErrors).toBe(0);
});
