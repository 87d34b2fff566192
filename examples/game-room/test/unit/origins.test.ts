import { describe, expect, test } from 'vitest';
import { isAllowedOrigin, sameOrigin } from '../../src/server/origins.js';

const BASE = new URL('https://rooms.example.org');

describe('which pages may connect', () => {
  test('a GET without an origin is of the page’s own, when the browser says so', () => {
    const headers = (site?: string) =>
      new Headers({ host: 'localhost:3000', ...(site !== undefined && { 'sec-fetch-site': site }) });
    expect(sameOrigin(undefined, headers('same-origin'))).toBe('http://localhost:3000');
    expect(sameOrigin(BASE, headers('same-origin'))).toBe('https://rooms.example.org');
    for (const site of [undefined, 'same-site', 'cross-site', 'none']) {
      expect(sameOrigin(undefined, headers(site))).toBeUndefined();
      expect(sameOrigin(BASE, headers(site))).toBeUndefined();
    }
    // DNS rebinding: a page's own origin, but not ours.
    const rebound = sameOrigin(undefined, new Headers({ host: 'evil.example.org', 'sec-fetch-site': 'same-origin' }));
    expect(isAllowedOrigin(undefined, rebound as string, 'evil.example.org')).toBe(false);
  });
});
