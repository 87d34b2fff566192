/** The examples of the guides are run: what they say works is what works. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, expect, it, vi } from 'vitest';

const docs = fileURLToPath(new URL('../../../../docs/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'guildkit-docs-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What each guide's example prints: the comments beside its `console.log`. */
const GUIDES: Readonly<Record<string, readonly unknown[]>> = {
  'commands.md': [200],
  'hub.md': [expect.objectContaining({ channelId: '10', guildId: '1' })],
  'http.md': [
    201,
    409,
    expect.objectContaining({ error: expect.objectContaining({ code: 'ERR_HTTP_INPUT_INVALID' }) }),
    200,
  ],
  'invites.md': ['20', 'ERR_INVITE_TOKEN_REVOKED'],
  'jwt.md': [200, 401, 2],
  'link.md': [{ done: 'sendMessage', input: { channelId: '10', content: 'hello' } }],
  'media.md': [80, 'the seat is free again'],
  'oauth.md': ['/table/1', { name: 'Eve' }],
  'observability.md': [true],
  'rooms.md': [],
  'webhooks.md': ['channel.created', 1],
};

/** The fences that are promises: ` ```ts ` without `no-check`. */
function examplesOf(guide: string): string[] {
  const text = readFileSync(join(docs, guide), 'utf8');
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code as string);
}

it.each(Object.keys(GUIDES))('%s', async (guide) => {
  const examples = examplesOf(guide);
  expect(examples.length).toBeGreaterThan(0);
  const printed: unknown[] = [];
  const log = vi.spyOn(console, 'log').mockImplementation((value) => void printed.push(value));
  // The logger's line, which the guide shows beside it.
  const out = vi.spyOn(process.stdout, 'write').mockImplementation(() => true);
  try {
    for (const [index, code] of examples.entries()) {
      const path = join(folder, `${guide}.${index}.ts`);
      // These are not to be found from a folder of the system: by their addresses, as this package has them.
      const known = ['zod', 'ws'].map((name) => [name, pathToFileURL(fileURLToPath(import.meta.resolve(name))).href]);
      const text = known.reduce((all, [name, url]) => all.replaceAll(`'${name}'`, `'${url}'`), code);
      writeFileSync(path, text);
      await import(/* @vite-ignore */ path);
    }
  } finally {
    log.mockRestore();
    out.mockRestore();
  }
  expect(printed).toEqual(GUIDES[guide]);
});
