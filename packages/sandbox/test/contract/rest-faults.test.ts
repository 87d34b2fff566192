/** Faults of REST that strike a share of the requests, and pages where JSON belongs. */
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

let sandbox: Sandbox;

beforeEach(async () => {
  sandbox = await createSandbox({ seed: 1, rateLimits: false });
});
afterEach(() => sandbox.close());

const get = (path = '/gateway') => fetch(`${sandbox.connection.apiBase}${path}`);

/** The statuses of so many requests, one after the other. */
async function statuses(count: number): Promise<number[]> {
  const list: number[] = [];
  for (let n = 0; n < count; n += 1) list.push((await get()).status);
  return list;
}

describe('a share of the requests', () => {
  test('fails, the same ones with the same seed', async () => {
    sandbox.faults.disturbRest({ answer: 500, share: 0.5 });
    const first = await statuses(40);
    expect(first.filter((status) => status === 500).length).toBeGreaterThan(8);
    expect(first.filter((status) => status === 200).length).toBeGreaterThan(8);
    await using same = await createSandbox({ seed: 1, rateLimits: false });
    sandbox.faults.clear();
    same.faults.disturbRest({ answer: 500, share: 0.5 });
    const apiBase = same.connection.apiBase;
    for (const status of first) expect((await fetch(`${apiBase}/gateway`)).status).toBe(status);
  });

  test('is left to the next fault by those it does not strike; 0 strikes none, 1 strikes all', async () => {
    sandbox.faults.disturbRest({ answer: 500, share: 0 });
    sandbox.faults.disturbRest({ answer: 502, share: 0.5, seed: 3 });
    sandbox.faults.disturbRest({ answer: 503, share: 1 });
    expect(new Set(await statuses(30))).toEqual(new Set([502, 503]));
  });

  test.each([-0.1, 1.1, Number.NaN])('%d is refused', (share) => {
    expect(() => sandbox.faults.disturbRest({ answer: 500, share })).toThrow(RangeError);
  });
});

describe('a page where JSON belongs', () => {
  const html = '<html>busy</html>';

  test('comes with the status of the answer, and the request is carried out', async () => {
    sandbox.faults.disturbRest({ html, count: 1 });
    const answer = await fetch(`${sandbox.connection.apiBase}/channels/${sandbox.textChannelId}/messages`, {
      method: 'POST',
      headers: { authorization: `Bot ${sandbox.connection.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ content: 'hello' }),
    });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('text/html');
    expect(await answer.text()).toBe(html);
    expect(sandbox.channels.messages(sandbox.textChannelId)).toHaveLength(1);
  });

  test('comes with a status instead of the answer; a 429 says when to come back', async () => {
    sandbox.faults.disturbRest({ answer: 502, html, count: 1 });
    sandbox.faults.disturbRest({ answer: 429, html, retryAfterSeconds: 2.5, count: 1 });
    const bad = await get();
    expect([bad.status, await bad.text()]).toEqual([502, html]);
    const many = await get();
    expect([many.status, many.headers.get('retry-after'), await many.text()]).toEqual([429, '3', html]);
  });
});
