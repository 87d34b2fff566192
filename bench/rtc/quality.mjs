// A sender and one receiver of each library in one channel, over a bad network: what of ten seconds is heard and seen.
import { connectGateway, opusPackets, SEATS, trust } from '../lib/voice-seats.mjs';

const [settings, secondsText] = process.argv.slice(2);
const seconds = Number(secondsText);
const sandbox = JSON.parse(settings);
trust(sandbox.certificate);

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const [first, second, third] = sandbox.seats;
const join = async (name, { token, channelId }) => {
  const gateway = await connectGateway(sandbox, token);
  return { userId: gateway.userId, ...(await SEATS[name](gateway, channelId, sandbox.certificate)) };
};
const sender = await join('guildkit', first);
const ours = await join('guildkit', second);
const theirs = await join('discordjs', third);
// The group of the three is made.
await wait(2_000);

function listener() {
  const seen = { packets: 0, concealed: 0, silence: 0, outOfOrder: 0, last: -1 };
  return {
    seen,
    hear(opus, kind) {
      if (kind !== 'packet') {
        seen[kind] += 1;
        return;
      }
      if (opus.length !== 160) return;
      const n = opus.readUInt16BE?.(1) ?? (opus[1] << 8) | opus[2];
      if (n < seen.last) seen.outOfOrder += 1;
      seen.last = Math.max(seen.last, n);
      seen.packets += 1;
    },
  };
}

/** 30 frames a second, a keyframe every two seconds or where one is asked for: VP8 by its head, noise behind it. */
async function* video(state) {
  for (let n = 0; n < seconds * 30; n += 1) {
    const keyframe = n % 60 === 0 || state.isAsked;
    state.isAsked = false;
    const data = Buffer.alloc(keyframe ? 15_000 : 3_500, n & 0xff);
    data[0] = keyframe ? 0x10 : 0x11;
    if (keyframe) data.set([0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01], 3);
    yield { data, keyframe, timestamp: Math.round((n * 1_000_000) / 30) };
  }
}

process.on('message', async () => {
  const guildkit = listener();
  const discordjs = listener();
  const stop = ours.onOpus(sender.userId, guildkit.hear);
  theirs.onOpus(sender.userId, discordjs.hear);
  let frames = 0;
  const stopVideo = ours.rtc.onVideo(() => {
    frames += 1;
  });
  const state = { isAsked: false };
  const audio = sender.play(opusPackets(seconds * 50));
  const shown = sender.rtc.sendVideo(
    { codec: 'VP8', frames: video(state) },
    {
      onKeyframeRequest: () => {
        state.isAsked = true;
      },
    },
  );
  // A stream that has ended has no figures: the last ones count.
  const inbound = {};
  const sampling = setInterval(() => {
    for (const stream of ours.rtc.stats().inbound) inbound[stream.kind] = stream;
  }, 200);
  await Promise.all([audio.finished, shown.finished]);
  await wait(500);
  clearInterval(sampling);
  stop();
  stopVideo();
  process.send({
    type: 'result',
    sent: seconds * 50,
    guildkit: guildkit.seen,
    discordjs: discordjs.seen,
    frames,
    sentFrames: shown.sentFrames,
    recovered: inbound.video.recovered,
    keyframeRequests: inbound.video.keyframeRequests,
    targetDelayMs: inbound.audio.targetDelayMs,
  });
});
process.send({ type: 'ready' });
