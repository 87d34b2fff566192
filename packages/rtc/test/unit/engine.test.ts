import { createVirtualClock } from '@guildkit/testkit';
import { describe, expect, it } from 'vitest';
import { createMediaEngine } from '../../src/media/media-engine.js';
import { opusPackets, vp8Frames } from '../support/frames.js';
import { createLink } from '../support/media-link.js';

describe('two engines', () => {
  it('carry Opus packets bit for bit, and tell who speaks', async () => {
    const clock = createVirtualClock();
    const [left, right] = createLink(clock);
    const talks: string[] = [];
    const sender = createMediaEngine({ transport: left, random: () => 0.9 });
    const receiver = createMediaEngine({
      transport: right,
      onTalk: ({ userId, talking }) => talks.push(`${userId} ${talking}`),
    });
    const heard: Uint8Array[] = [];
    const kinds = new Set<string>();
    receiver.onAudio((frame) => {
      kinds.add(frame.kind);
      if (frame.opus !== undefined) heard.push(frame.opus);
    });
    const packets = opusPackets(100);
    const audio = sender.sendAudio(packets);
    let finished = false;
    void audio.finished.then(() => {
      finished = true;
    });
    await clock.advance(4_000);
    expect(finished).toBe(true);
    expect(audio.state).toBe('ended');
    expect(audio.sentMs).toBe(2_000);
    expect(heard.slice(0, 100)).toEqual(packets);
    expect(heard.slice(100).map((packet) => Buffer.from(packet).toString('hex'))).toEqual(
      Array.from({ length: 5 }, () => 'f8fffe'),
    );
    expect([...kinds]).toEqual(['packet']);
    expect(left.speaking).toEqual([1, 0]);
    expect(talks).toEqual(['user-0 true', 'user-0 false']);
    expect(clock.pending).toBeLessThanOrEqual(2);
    sender.close();
    receiver.close();
    expect(clock.pending).toBe(0);
  });

  it('carry video bit for bit, at the pace of its timestamps', async () => {
    const clock = createVirtualClock();
    const [left, right] = createLink(clock);
    const sender = createMediaEngine({ transport: left });
    const receiver = createMediaEngine({ transport: right });
    const seen: Uint8Array[] = [];
    const at: number[] = [];
    receiver.onVideo((frame) => {
      seen.push(frame.data);
      at.push(frame.arrivedAt);
    });
    const frames = vp8Frames(60);
    const video = sender.sendVideo({ codec: 'VP8', frames });
    await clock.advance(1_985);
    const [outbound] = sender.stats().outbound.filter(({ kind }) => kind === 'video');
    expect(outbound).toMatchObject({ frames: 60, keyframes: 2, codec: 'VP8', retransmitted: 0, keyframeRequests: 0 });
    const [inbound] = receiver.stats().inbound.filter(({ kind }) => kind === 'video');
    expect(inbound).toMatchObject({ frames: 60, keyframes: 2, lost: 0, droppedFrames: 0, userId: 'user-0' });
    await clock.advance(3_000);
    expect(video.state).toBe('ended');
    await video.finished;
    expect(seen).toEqual(frames.map(({ data }) => data));
    for (let n = 1; n < at.length; n += 1)
      expect(Math.abs((at[n] as number) - (at[n - 1] as number) - 100 / 3)).toBeLessThan(6);
    sender.close();
    receiver.close();
    expect(clock.pending).toBe(0);
  });

  it('go on over loss, another order and jitter: sound is made up, pictures come again', async () => {
    const clock = createVirtualClock();
    const [left, right] = createLink(clock, { seed: 5, loss: 0.05, jitterMs: 60, delayMs: 20 });
    const sender = createMediaEngine({ transport: left, random: () => 0.3 });
    const receiver = createMediaEngine({ transport: right, random: () => 0.6 });
    const kinds = { packet: 0, concealed: 0, silence: 0 };
    const numbers: number[] = [];
    receiver.onAudio(({ kind, opus }) => {
      kinds[kind] += 1;
      if (opus !== undefined) numbers.push(((opus[1] as number) << 8) | (opus[2] as number));
    });
    const seen = new Map<number, boolean>();
    const frames = vp8Frames(600, 60);
    const index = new Map(frames.map(({ data }, n) => [Buffer.from(data).toString('latin1'), n]));
    const order: number[] = [];
    receiver.onVideo(({ data, discontinuity, keyframe }) => {
      const n = index.get(Buffer.from(data).toString('latin1')) as number;
      expect(n).toBeDefined();
      // Behind what is missing, nothing is handed out but a keyframe.
      expect(discontinuity && !keyframe).toBe(false);
      order.push(n);
      seen.set(n, true);
    });
    sender.sendAudio(opusPackets(1_000));
    sender.sendVideo({ codec: 'VP8', frames });
    await clock.advance(19_950);
    const audio = receiver.stats().inbound.find(({ kind }) => kind === 'audio');
    const video = receiver.stats().inbound.find(({ kind }) => kind === 'video');
    const sent = sender.stats().outbound;
    // Every 20 ms were played: as it came, or made up.
    expect(kinds.packet + kinds.concealed + kinds.silence).toBeGreaterThan(980);
    expect(kinds.packet).toBeGreaterThan(900);
    expect(kinds.concealed).toBeGreaterThan(20);
    expect(kinds.silence).toBeLessThan(10);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    expect(audio?.lost).toBeGreaterThan(20);
    expect(audio?.jitterMs).toBeGreaterThan(5);
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(seen.size).toBeGreaterThan(570);
    expect(video?.recovered).toBeGreaterThan(50);
    expect(sent.find(({ kind }) => kind === 'video')?.retransmitted).toBeGreaterThan(50);
    expect(sent.find(({ kind }) => kind === 'audio')?.roundTripMs).toBeGreaterThan(20);
    expect(sent.find(({ kind }) => kind === 'audio')?.remoteLoss).toBeGreaterThan(0);
    sender.close();
    receiver.close();
  });
});
