/** From what a voice server update names to addresses. */
import { expect, test } from 'vitest';
import { voiceUrls } from '../../src/protocol/voice-endpoint.js';

test.each([
  ['us-west1.discord.media:443', 'auto', ['wss://us-west1.discord.media:443/?v=8']],
  ['us-west1.discord.media', 'auto', ['wss://us-west1.discord.media/?v=8']],
  ['wss://us-west1.discord.media', 'auto', ['wss://us-west1.discord.media/?v=8']],
  ['127.0.0.1:4000', 'auto', ['ws://127.0.0.1:4000/?v=8', 'wss://127.0.0.1:4000/?v=8']],
  ['localhost:4000', 'auto', ['ws://localhost:4000/?v=8', 'wss://localhost:4000/?v=8']],
  ['[::1]:4000', 'auto', ['ws://[::1]:4000/?v=8', 'wss://[::1]:4000/?v=8']],
  ['ws://127.0.0.1:4000', 'auto', ['ws://127.0.0.1:4000/?v=8']],
  ['127.0.0.1:4000', 'wss', ['wss://127.0.0.1:4000/?v=8']],
  ['voice.test:4000', 'ws', ['ws://voice.test:4000/?v=8']],
] as const)('%s, %s', (endpoint, scheme, urls) => {
  expect(voiceUrls(endpoint, scheme)).toEqual(urls);
});

test.each([
  // Plain text outside the machine only when it was asked for.
  'ws://us-west1.discord.media',
  'ws://127.0.0.1.example.org:80',
  '',
  'http://127.0.0.1',
  'host:0',
  'host:65536',
  'host:port',
  'user@host',
  'host/path',
  'host?query',
  'host#',
  'ho st',
  '-host',
  `${'x'.repeat(300)}`,
])('not an address: %s', (endpoint) => {
  expect(voiceUrls(endpoint, 'auto')).toEqual([]);
});
