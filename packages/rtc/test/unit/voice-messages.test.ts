/** Messages of the voice gateway, in and out. */
import { Redacted } from '@guildkit/core';
import { expect, test } from 'vitest';
import { decodeVoiceBinary, decodeVoiceText } from '../../src/codec/decode-voice-message.js';
import {
  encodeSinkWants,
  encodeSpeaking,
  encodeVideo,
  encodeVoiceBinary,
  encodeVoiceControl,
} from '../../src/codec/encode-voice-message.js';

const text = (op: number, d: unknown, seq?: number) => decodeVoiceText(JSON.stringify({ op, d, seq }));
const frame = (op: number, d: unknown) => {
  const decoded = text(op, d);
  return decoded.ok ? decoded.frame : decoded.problem;
};
const USER = '852892297661906993';

test('READY: streams by quality, unknown modes kept', () => {
  const streams = [
    { type: 'video', ssrc: 12_872, rtx_ssrc: 12_873, rid: '50', quality: 50, active: false },
    { type: 'video', ssrc: 12_874, rtx_ssrc: 12_875, rid: '100', quality: 100, active: false },
  ];
  expect(
    frame(2, { ssrc: 12_871, ip: '127.0.0.1', port: 1234, modes: ['a', 1, 'b'], experiments: [], streams }),
  ).toEqual({
    kind: 'ready',
    offer: {
      ssrc: 12_871,
      ip: '127.0.0.1',
      port: 1234,
      modes: ['a', 'b'],
      streams: [
        { ssrc: 12_874, rtxSsrc: 12_875, rid: '100', quality: 100 },
        { ssrc: 12_872, rtxSsrc: 12_873, rid: '50', quality: 50 },
      ],
    },
  });
});

test('SESSION DESCRIPTION: the key does not print', () => {
  const key = Array.from({ length: 32 }, (_, index) => index);
  const decoded = frame(4, {
    mode: 'aead_aes256_gcm_rtpsize',
    secret_key: key,
    dave_protocol_version: 1,
    video_codec: 'AV1',
  });
  expect(decoded).toMatchObject({ kind: 'sessionDescription', description: { daveVersion: 1, videoCodec: 'AV1' } });
  expect(JSON.stringify(decoded)).toContain('[redacted]');
});

test('what is told of others', () => {
  expect(frame(5, { speaking: 5, ssrc: 2, user_id: USER })).toEqual({
    kind: 'news',
    news: { type: 'speaking', userId: USER, ssrc: 2, flags: 5 },
  });
  expect(frame(11, { user_ids: [USER, 7, 'x'] })).toEqual({
    kind: 'news',
    news: { type: 'clientsConnect', userIds: [USER] },
  });
  expect(frame(13, { user_id: USER })).toEqual({ kind: 'news', news: { type: 'clientDisconnect', userId: USER } });
  expect(frame(15, { any: 100, '12': 0, x: 3, '13': -1 })).toEqual({
    kind: 'news',
    news: { type: 'sinkWants', wants: { any: 100, ssrcs: { '12': 0 } } },
  });
  expect(frame(14, { video_codec: 'VP9' })).toEqual({ kind: 'news', news: { type: 'codecs', videoCodec: 'VP9' } });
  expect(frame(14, { media_session_id: 'x' })).toBeUndefined();
  const stream = {
    ssrc: 3,
    rtx_ssrc: 4,
    rid: '100',
    quality: 100,
    active: true,
    max_resolution: { type: 'fixed', width: 640, height: 360 },
  };
  expect(frame(12, { user_id: USER, audio_ssrc: 2, video_ssrc: 3, streams: [stream, null] })).toEqual({
    kind: 'news',
    news: {
      type: 'video',
      userId: USER,
      audioSsrc: 2,
      videoSsrc: 3,
      rtxSsrc: 4,
      streams: [
        {
          ssrc: 3,
          rtxSsrc: 4,
          rid: '100',
          quality: 100,
          active: true,
          maxBitrate: 0,
          maxFramerate: 0,
          width: 640,
          height: 360,
        },
      ],
    },
  });
  expect(frame(22, { transition_id: 1 })).toEqual({
    kind: 'news',
    news: { type: 'daveJson', op: 22, data: { transition_id: 1 } },
  });
});

test('numbers of messages', () => {
  expect(text(9, null, 7)).toEqual({ ok: true, frame: { kind: 'resumed' }, seq: 7 });
  expect(decodeVoiceText('{"op":9,"d":null,"seq":null}')).toMatchObject({ ok: true, seq: undefined });
  expect(text(18, { flags: 3 }, 8)).toEqual({ ok: true, frame: undefined, seq: 8 });
  expect(decodeVoiceBinary(Buffer.from([1, 2, 27, 9, 9]))).toEqual({
    ok: true,
    seq: 258,
    frame: { kind: 'news', news: { type: 'daveBinary', op: 27, payload: Uint8Array.from([9, 9]) } },
  });
});

test.each([
  ['{', 'not JSON'],
  ['[]', 'not an object'],
  ['{"op":"8"}', 'op is not a number'],
  ['{"op":8,"d":{"heartbeat_interval":0}}', 'op 8: d is not what it should be'],
  ['{"op":8,"d":{"heartbeat_interval":null}}', 'op 8: d is not what it should be'],
  ['{"op":9,"seq":-1}', 'op 9: seq is no number'],
  ['{"op":2,"d":{"ssrc":1,"ip":"evil.example","port":1,"modes":[]}}', 'op 2: d is not what it should be'],
  ['{"op":2,"d":{"ssrc":1,"ip":"1.2.3.4","port":0,"modes":[]}}', 'op 2: d is not what it should be'],
  ['{"op":4,"d":{"mode":"rot13","secret_key":[]}}', 'op 4: d is not what it should be'],
  ['{"op":4,"d":{"mode":"xsalsa20_poly1305","secret_key":[1]}}', 'op 4: d is not what it should be'],
  ['{"op":11,"d":null}', 'op 11: d is not what it should be'],
])('malformed: %s', (message, problem) => {
  expect(decodeVoiceText(message)).toEqual({ ok: false, problem });
});

test.each([[''], ['01'], ['0102'], ['010218'], ['01021f'], ['010205ff']])('malformed binary: %s', (hex) => {
  expect(decodeVoiceBinary(Buffer.from(hex, 'hex'))).toMatchObject({ ok: false });
});

test('what is sent', () => {
  const identity = { guildId: '1', userId: '2', maxDaveVersion: 1, videoCodecs: ['VP8', 'H264'] as const };
  const credentials = { sessionId: 's', token: new Redacted('secret') };
  const json = (message: string): unknown => JSON.parse(message);
  expect(json(encodeVoiceControl({ kind: 'identify', ...credentials }, identity))).toEqual({
    op: 0,
    d: {
      server_id: '1',
      user_id: '2',
      session_id: 's',
      token: 'secret',
      max_dave_protocol_version: 1,
      video: true,
      streams: [{ type: 'video', rid: '100', quality: 100 }],
    },
  });
  expect(
    json(encodeVoiceControl({ kind: 'identify', ...credentials }, { ...identity, videoCodecs: [] })),
  ).toMatchObject({
    d: expect.not.objectContaining({ video: true }),
  });
  expect(json(encodeVoiceControl({ kind: 'resume', ...credentials, seqAck: 10 }, identity))).toEqual({
    op: 7,
    d: { server_id: '1', session_id: 's', token: 'secret', seq_ack: 10 },
  });
  expect(json(encodeVoiceControl({ kind: 'heartbeat', nonce: 5, seqAck: -1 }, identity))).toEqual({
    op: 3,
    d: { t: 5, seq_ack: -1 },
  });
  const select = { kind: 'selectProtocol', address: '1.2.3.4', port: 5, mode: 'aead_aes256_gcm_rtpsize' } as const;
  expect(json(encodeVoiceControl(select, identity))).toEqual({
    op: 1,
    d: {
      protocol: 'udp',
      data: { address: '1.2.3.4', port: 5, mode: 'aead_aes256_gcm_rtpsize' },
      codecs: [
        { name: 'opus', type: 'audio', priority: 1_000, payload_type: 120 },
        {
          name: 'VP8',
          type: 'video',
          priority: 1_000,
          payload_type: 105,
          rtx_payload_type: 106,
          encode: true,
          decode: true,
        },
        {
          name: 'H264',
          type: 'video',
          priority: 2_000,
          payload_type: 101,
          rtx_payload_type: 102,
          encode: true,
          decode: true,
        },
      ],
    },
  });
  expect(json(encodeSpeaking(1, 9))).toEqual({ op: 5, d: { speaking: 1, delay: 0, ssrc: 9 } });
  expect(json(encodeVideo(9, undefined))).toEqual({
    op: 12,
    d: { audio_ssrc: 0, video_ssrc: 0, rtx_ssrc: 0, streams: [] },
  });
  expect(json(encodeSinkWants({ any: 100, ssrcs: { '5': 0 } }))).toEqual({ op: 15, d: { any: 100, '5': 0 } });
  expect(Buffer.from(encodeVoiceBinary(26, Uint8Array.from([1, 2]))).toString('hex')).toBe('1a0102');
});
