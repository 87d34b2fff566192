import { describe, expect, test } from 'vitest';
import { routeOf } from '../../src/protocol/route.js';

const ID = '123456789012345678';
const OTHER = '223456789012345678';
const TOKEN = 'Wq7xZ-very_secret.Token0123456789012345678901234567890123456789';

describe('routeOf', () => {
  test.each([
    [`/channels/${ID}`, '/channels/:id', `channels/${ID}`],
    [`/channels/${ID}/messages/${OTHER}?around=1`, '/channels/:id/messages/:id', `channels/${ID}`],
    [
      `/channels/${ID}/messages/${OTHER}/reactions/%F0%9F%8E%B2/@me`,
      '/channels/:id/messages/:id/reactions/:emoji/@me',
      `channels/${ID}`,
    ],
    [
      `/channels/${ID}/messages/${OTHER}/reactions/party:${OTHER}/${OTHER}`,
      '/channels/:id/messages/:id/reactions/:emoji/:id',
      `channels/${ID}`,
    ],
    [`/guilds/${ID}/members/${OTHER}/roles/${OTHER}`, '/guilds/:id/members/:id/roles/:id', `guilds/${ID}`],
    [`/guilds/templates/hgM48av5Q69A`, '/guilds/templates/:code', ''],
    [`/invites/aBc123`, '/invites/:code', ''],
    ['/users/@me', '/users/@me', ''],
    ['/gateway/bot', '/gateway/bot', ''],
    ['/oauth2/token', '/oauth2/token', ''],
    [`/webhooks/${ID}`, '/webhooks/:id', `webhooks/${ID}`],
    [`/webhooks/${ID}/${TOKEN}`, '/webhooks/:id/:token', `webhooks/${ID}/${TOKEN}`],
    [
      `/webhooks/${ID}/${TOKEN}/messages/@original`,
      '/webhooks/:id/:token/messages/@original',
      `webhooks/${ID}/${TOKEN}`,
    ],
    [`/interactions/${ID}/${TOKEN}/callback`, '/interactions/:id/:token/callback', `interactions/${ID}/${TOKEN}`],
    [`/unknown/${TOKEN}`, '/unknown/:value', ''],
  ])('%s', (path, template, major) => {
    const info = routeOf('GET', path);
    expect(info).toMatchObject({ route: `GET ${template}`, major });
    expect(info.route).not.toContain(TOKEN);
    expect(info.majorId).not.toContain(TOKEN);
  });

  test('interactions and their follow-ups are exempt from the global limit, webhooks are not', () => {
    expect(routeOf('POST', `/interactions/${ID}/${TOKEN}/callback`).exempt).toBe(true);
    expect(routeOf('POST', `/webhooks/${ID}/aW50ZXJhY3Rpb246MTIz`).exempt).toBe(true);
    expect(routeOf('POST', `/webhooks/${ID}/${TOKEN}`).exempt).toBe(false);
  });
});
