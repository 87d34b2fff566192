/** A command bus over a link: what the gateway service says reaches the page with the right status. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CommandBus, defineCommand } from '@guildkit/server-kit/commands';
import { LinkClient, LinkServer } from '@guildkit/server-kit/link';
import { expect, it, vi } from 'vitest';
import * as z from 'zod/mini';

it('carries commands, results and refusals', async () => {
  const seen: unknown[] = [];
  const failures: Record<string, unknown> = {
    gone: Object.assign(new Error('unknown channel'), { status: 404 }),
    fast: Object.assign(new Error('slow down'), { status: 429, retryAfterMs: 1_500 }),
    down: new Error('10.1.2.3 refused'),
  };
  const service = new LinkServer({
    tokens: 'a link token of many letters',
    onCommand: ({ name, input, actor }) => {
      seen.push([name, input, actor]);
      const { text } = input as { text: string };
      if (failures[text] !== undefined) throw failures[text];
      return { said: text };
    },
  });
  const server = createServer();
  service.attach(server, { path: '/link' });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const link = new LinkClient({
    url: `ws://127.0.0.1:${port}/link`,
    token: 'a link token of many letters',
    onEvent: () => {},
  });
  const bus = new CommandBus({ commands: { say: defineCommand({ input: z.object({ text: z.string() }) }) }, link });
  const principal = { userId: '42', roles: [], expiresAt: Number.POSITIVE_INFINITY };
  const say = (text: string) =>
    bus.handle({ name: 'say', input: { text }, requestId: text, traceId: text, sentAt: Date.now(), principal });
  try {
    // Before the link is up the command waits.
    const early = say('hello');
    link.start();
    expect(await early).toMatchObject({ ok: true, result: { said: 'hello' } });
    expect(seen[0]).toEqual(['say', { text: 'hello' }, '42']);
    expect(await say('gone')).toMatchObject({ ok: false, error: { status: 404 } });
    expect(await say('fast')).toMatchObject({ ok: false, error: { status: 429, retryAfterMs: 1_500 } });
    const down = await say('down');
    expect(down).toMatchObject({ ok: false, error: { status: 502 } });
    expect(JSON.stringify(down)).not.toContain('10.1.2.3');
  } finally {
    await link.close();
    await service.close();
    await new Promise((resolve) => server.close(resolve));
    await vi.waitFor(() => expect(service.stats().peers).toBe(0));
  }
});
