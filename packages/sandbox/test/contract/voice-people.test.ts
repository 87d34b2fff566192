/** Simulated people who speak and show a picture, with and without DAVE. */
import { fromRtx, opus, vp8 } from '@guildkit/rtp';
import { createSandbox, SandboxError, type SandboxOptions } from '@guildkit/sandbox';
import { afterEach, describe, expect, test } from 'vitest';
import { speakDave } from '../support/dave-client.js';
import { seat, VoiceClient } from '../support/voice-client.js';

const open: { end(): void }[] = [];
afterEach(() => {
  for (const client of open.splice(0)) client.end();
});

async function begin() {
  const sandbox = await createSandbox({ voice: { dave: false } });
  open.push({ end: () => void sandbox.close() });
  const { ticket } = await seat(sandbox);
  const client = await VoiceClient.live(ticket);
  open.push(client);
  const anna = await sandbox.people.create({ name: 'anna' });
  await anna.joinVoice(sandbox.voiceChannelId);
  await client.op(11);
  return { sandbox, client, anna };
}

describe('voice', () => {
  test('packets of their own, announced, then silence', async () => {
    const { client, anna } = await begin();
    const packets = [1, 2, 3].map((n) => new Uint8Array([0xfc, n]));
    const playback = await anna.speak(packets);
    expect((await client.message(({ op, d }) => op === 5 && d.speaking === 1)).d.user_id).toBe(anna.id);
    await playback.finished;
    expect(playback.sent).toBe(3);
    const got = await client.received(8);
    expect(got.slice(0, 3).map(({ payload }) => [...payload])).toEqual(packets.map((packet) => [...packet]));
    expect(got.slice(3).every(({ payload }) => opus.isSilence(payload))).toBe(true);
    expect(got.map(({ timestamp }) => timestamp)).toEqual(got.map((_, at) => at * 960));
    expect(got.map(({ marker }) => marker)).toEqual(got.map((_, at) => at === 0));
    await client.message(({ op, d }) => op === 5 && d.speaking === 0);
    expect(client.rtcp[0]).toMatchObject({ type: 'senderReport', ssrc: got[0]?.ssrc, packetCount: 1 });
  });

  test('a tone that goes on until it is stopped, or they speak again, or leave', async () => {
    const { client, anna } = await begin();
    const tone = await anna.speak();
    const got = await client.received(5);
    expect(got.every(({ payload }) => opus.samplesOf(payload) === 960)).toBe(true);
    const again = await anna.speak();
    await tone.finished;
    await anna.leaveVoice();
    await again.finished;
    tone.stop();
    await client.settled();
    expect(client.messages.filter(({ op }) => op === 5).map(({ d }) => d.speaking)).toEqual([1, 1]);
    await expect(anna.speak()).rejects.toMatchObject({ code: 'ERR_SANDBOX_PERSON_NOT_CONNECTED' });
  });

  test('a source that waits can be stopped, and one that throws is told of', async () => {
    const { anna } = await begin();
    async function* waits(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array([0xfc]);
      await new Promise(() => {});
    }
    const playback = await anna.speak(waits());
    await expect.poll(() => playback.sent).toBe(1);
    playback.stop();
    await playback.finished;
    const throws = await anna.speak({
      [Symbol.iterator]() {
        throw new Error('no source');
      },
    });
    await expect(throws.finished).rejects.toThrow('no source');
  });
});

describe('video', () => {
  test('a test picture, with keyframes and retransmissions when they are asked for', async () => {
    const { sandbox, client, anna } = await begin();
    const playback = await anna.showVideo(undefined, 60);
    const video = await client.message(({ op, d }) => op === 12 && d.video_ssrc !== 0);
    const { video_ssrc: ssrc, rtx_ssrc: rtx, user_id: userId } = video.d;
    expect([userId, anna.voice?.video]).toEqual([anna.id, true]);
    const depacketizer = vp8.createDepacketizer();
    const frames = () =>
      client.packets.filter((packet) => packet.ssrc === ssrc).flatMap((packet) => depacketizer.push(packet));
    await client.until(() => client.packets.filter(({ marker }) => marker).length >= 5);
    const shown = frames();
    expect(shown.slice(0, 2).map(({ keyframe }) => keyframe)).toEqual([true, false]);
    // A VP8 keyframe: start code, 320 by 180 (RFC 6386 section 9.1).
    expect([...(shown[0]?.data.subarray(3, 10) ?? [])]).toEqual([0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0x00]);

    const lost = client.packets.find((packet) => packet.ssrc === ssrc);
    client.sendRtcp([
      { type: 'nack', senderSsrc: client.ssrc, mediaSsrc: ssrc, sequenceNumbers: [0, 60_000] },
      { type: 'pictureLossIndication', senderSsrc: client.ssrc, mediaSsrc: ssrc },
    ]);
    await client.until(() => client.packets.some((packet) => packet.ssrc === rtx));
    const packet = client.packets.find((it) => it.ssrc === rtx);
    const restored = packet === undefined ? undefined : fromRtx(packet, { ssrc, payloadType: 105 });
    expect(restored).toMatchObject({ ok: true, value: { sequenceNumber: 0, payload: lost?.payload } });
    await expect
      .poll(() => client.packets.filter((it) => it.ssrc === ssrc && isKeyframe(it.payload)).length)
      .toBeGreaterThan(1);

    playback.stop();
    await playback.finished;
    await client.message(({ op, d }) => op === 12 && d.video_ssrc === 0);
    expect(anna.voice?.video).toBe(false);
    expect(sandbox.voice.counters.internalErrors).toBe(0);
  });

  test('frames of their own; refusals', async () => {
    const { client, anna } = await begin();
    const frame = new Uint8Array(3_000).fill(7);
    const playback = await anna.showVideo([frame, frame]);
    await playback.finished;
    const depacketizer = vp8.createDepacketizer();
    await client.until(() => client.packets.filter(({ marker }) => marker).length === 2);
    expect(client.packets.flatMap((packet) => depacketizer.push(packet)).map(({ data }) => data.length)).toEqual([
      3_000, 3_000,
    ]);
    await expect(anna.showVideo([])).rejects.toThrow(TypeError);
    await expect(anna.showVideo([frame], 0)).rejects.toThrow(TypeError);
    await anna.leaveVoice();
    await expect(anna.showVideo()).rejects.toSatisfy(SandboxError.is);
  });
});

describe('with DAVE', () => {
  /** A client in the group of a channel, and who listens in it. */
  async function encrypted(options: SandboxOptions['voice'] = {}) {
    const sandbox = await createSandbox({ voice: options });
    open.push({ end: () => void sandbox.close() });
    const { ticket } = await seat(sandbox);
    const client = VoiceClient.to(ticket);
    open.push(client);
    const session = speakDave(client);
    client.identify({ max_dave_protocol_version: 1 });
    await client.select();
    const anna = await sandbox.people.create({ name: 'anna' });
    await anna.joinVoice(sandbox.voiceChannelId);
    await client.op(11);
    return { sandbox, client, session, anna };
  }

  test('voice and video can be read by the group alone', async () => {
    const { sandbox, client, session, anna } = await encrypted();
    const said = new Uint8Array(60).fill(7);
    const shown = new Uint8Array(2_500).fill(9);
    await (await anna.speak([said])).finished;
    await (await anna.showVideo([shown])).finished;
    const { ssrc } = (await client.op(5)).d;
    await client.until(() => client.packets.some(({ marker, payloadType }) => marker && payloadType === 105));
    const voice = client.packets.find((packet) => packet.ssrc === ssrc);
    expect(voice?.payload.length).toBeGreaterThan(said.length);
    expect([...session.decrypt(anna.id, 0, Buffer.from(voice?.payload ?? []))]).toEqual([...said]);
    const depacketizer = vp8.createDepacketizer();
    const frames = client.packets
      .filter(({ payloadType }) => payloadType === 105)
      .flatMap((packet) => depacketizer.push(packet));
    expect(frames.map(({ data }) => [...session.decrypt(anna.id, 1, Buffer.from(data))])).toEqual([[...shown]]);
    expect(sandbox.voice.channel(sandbox.voiceChannelId)?.dave?.view).toMatchObject({
      established: true,
      protocolVersion: 1,
    });
    await anna.leaveVoice();
    // Alone again: the group begins anew.
    await client.message(({ op, d }) => op === 24 && d.epoch === 1);
    expect(sandbox.voice.counters.internalErrors).toBe(0);
  });

  test('who speaks before there is a client joins when it comes', async () => {
    const sandbox = await createSandbox();
    open.push({ end: () => void sandbox.close() });
    const anna = await sandbox.people.create({ name: 'anna' });
    await anna.joinVoice(sandbox.voiceChannelId);
    const tone = await anna.speak();
    const { ticket } = await seat(sandbox);
    const client = VoiceClient.to(ticket);
    open.push(client);
    const session = speakDave(client);
    client.identify({ max_dave_protocol_version: 1 });
    await client.select();
    await expect.poll(() => session.ready).toBe(true);
    const had = client.packets.length;
    await client.received(had + 10);
    const last = client.packets.at(-1);
    expect(opus.samplesOf(session.decrypt(anna.id, 0, Buffer.from(last?.payload ?? [])))).toBe(960);
    tone.stop();
  });

  test('when DAVE is only preferred, someone without it turns it off for all', async () => {
    const { sandbox, client, anna } = await encrypted({ dave: 'prefer' });
    await (await anna.speak([new Uint8Array([0xfc, 1])])).finished;
    expect(sandbox.voice.channel(sandbox.voiceChannelId)?.dave?.view.established).toBe(true);
    const bot = await sandbox.bots.create({ name: 'plain' });
    const plain = await VoiceClient.live((await seat(sandbox, bot.token)).ticket);
    open.push(plain);
    expect((await plain.op(4)).d.dave_protocol_version).toBe(0);
    expect((await client.op(21)).d).toMatchObject({ protocol_version: 0 });
    await expect.poll(() => sandbox.voice.channel(sandbox.voiceChannelId)?.dave?.view.protocolVersion).toBe(0);
    await client.op(22);
    await (await anna.speak([new Uint8Array([0xfc, 2])])).finished;
    await plain.until(() => plain.packets.some(({ payload }) => payload[1] === 2));
  });
});

/** First packet of a frame (S bit, partition 0) whose payload says keyframe (RFC 7741 section 4.2). */
function isKeyframe(payload: Uint8Array): boolean {
  const depacketizer = vp8.createDepacketizer();
  const packet = { payload, marker: true, sequenceNumber: 0, timestamp: 0 };
  return ((payload[0] ?? 0) & 0x10) !== 0 && depacketizer.push(packet).some(({ keyframe }) => keyframe);
}
