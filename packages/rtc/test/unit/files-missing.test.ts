import { opusFromFile } from '@guildkit/rtc/files';
import { expect, it, vi } from 'vitest';

vi.mock('mediabunny', () => {
  throw new Error("Cannot find package 'mediabunny'");
});

it('says which package is missing', async () => {
  const opening = opusFromFile(new Uint8Array(10)).open(new AbortController().signal);
  await expect(opening).rejects.toMatchObject({ code: 'ERR_RTC_FILE_READER_MISSING' });
  await expect(opening).rejects.toThrow(/mediabunny/);
});
