/** Paths that were templated before are remembered, within bounds, and none that must not be. */
import { describe, expect, test } from 'vitest';
import { Routes } from '../../src/io/routes.js';

describe('routes', () => {
  test('are the same object the second time, apart by method', () => {
    const routes = new Routes();
    const path = '/channels/100000001/messages';
    const added = routes.add('GET', path);
    expect(added).toMatchObject({ route: 'GET /channels/:id/messages', major: 'channels/100000001' });
    expect(routes.find('GET', path)).toBe(added);
    expect(routes.find('POST', path)).toBeUndefined();
  });

  test.each([
    ['a webhook’s token', '/webhooks/100000001/secret-token'],
    ['an interaction’s token', '/interactions/100000001/secret-token/callback'],
    ['a token where no id stands before it', '/webhooks/app/secret-token'],
    ['a message’s id', '/channels/100000001/messages/100000002'],
    ['a query', '/channels/100000001/messages?limit=5'],
  ])('%s is not remembered', (_what, path) => {
    const routes = new Routes();
    routes.add('GET', path);
    expect(routes.find('GET', path)).toBeUndefined();
  });

  test('are forgotten when they are a thousand', () => {
    const routes = new Routes();
    for (let n = 0; n < 1_001; n += 1) routes.add('GET', `/channels/${100_000 + n}`);
    expect(routes.find('GET', '/channels/100000')).toBeUndefined();
    expect(routes.find('GET', '/channels/101000')).toBeDefined();
  });
});
