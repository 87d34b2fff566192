// One client, in a process of its own: joins, sends audio that is there already, and is timed until its first RTP packet is
// handed to the system. Twice: everything is loaded at the first join, nothing at the second.
import dgram from 'node:dgram';
import tls from 'node:tls';
import { WebSocket } from 'ws';

const [name, settings] = process.argv.slice(2);
const { gatewayUrl, guildId, channelId, certificate, token } = JSON.parse(settings);
tls.setDefaultCACertificates([...tls.getCACertificates('default'), certificate]);

// ---- the main gateway, the same for both

const gateway = new WebSocket(`${gatewayUrl}?v=10&encoding=json`);
const followers = new Set();
const userId = await new Promise((resolve, reject) => {
  gateway.on('error', reject);
  gateway.on('message', (data) => {
    const { op, t, d } = JSON.parse(data);
    if (op === 10) gateway.send(JSON.stringify({ op: 2, d: { token, intents: 129, properties: {} } }));
    if (t === 'READY') resolve(d.user.id);
    for (const follow of followers) follow(t, d);
  });
});
const sendVoiceState = (channel) =>
  gateway.send(
    JSON.stringify({ op: 4, d: { guild_id: guildId, channel_id: channel, self_mute: false, self_deaf: false } }),
  );

// ---- the first RTP packet, wherever it comes from

let onPacket = () => {};
const { send } = dgram.Socket.prototype;
dgram.Socket.prototype.send = function (bytes, ...rest) {
  if (bytes[0] >> 6 === 2 && (bytes[1] & 0x7f) === 120) onPacket();
  return send.call(this, bytes, ...rest);
};
const firstPacket = () =>
  new Promise((resolve) => {
    onPacket = () => resolve(performance.now());
  });

const PACKETS = Array.from({ length: 250 }, () => Buffer.concat([Buffer.from([0xfc]), Buffer.alloc(159, 1)]));

const CLIENTS = {
  async guildkit() {
    const { DiscordRtcClient } = await import('@guildkit/rtc');
    const signalling = {
      userId,
      sendVoiceState: async (request) => sendVoiceState(request.channelId),
      onVoiceState(listener) {
        const follow = (t, d) => {
          if (t !== 'VOICE_STATE_UPDATE') return;
          listener({ guildId: d.guild_id, userId: d.user_id, channelId: d.channel_id, sessionId: d.session_id });
        };
        followers.add(follow);
        return () => followers.delete(follow);
      },
      onVoiceServer(listener) {
        const follow = (t, d) => {
          if (t === 'VOICE_SERVER_UPDATE') listener({ guildId: d.guild_id, token: d.token, endpoint: d.endpoint });
        };
        followers.add(follow);
        return () => followers.delete(follow);
      },
    };
    return async () => {
      const rtc = new DiscordRtcClient({ signalling, guildId, ca: certificate });
      const packet = firstPacket();
      const start = performance.now();
      rtc.sendAudio(PACKETS);
      await rtc.connect(channelId);
      const took = (await packet) - start;
      await rtc[Symbol.asyncDispose]();
      return took;
    };
  },
  async discordjs() {
    const voice = await import('@discordjs/voice');
    const { Readable } = await import('node:stream');
    return async () => {
      let methods;
      const follow = (t, d) => {
        if (t === 'VOICE_SERVER_UPDATE') methods.onVoiceServerUpdate(d);
        if (t === 'VOICE_STATE_UPDATE' && d.user_id === userId) methods.onVoiceStateUpdate(d);
      };
      followers.add(follow);
      const player = voice.createAudioPlayer();
      const packet = firstPacket();
      const start = performance.now();
      const connection = voice.joinVoiceChannel({
        channelId,
        guildId,
        selfDeaf: false,
        adapterCreator(given) {
          methods = given;
          return {
            sendPayload(payload) {
              gateway.send(JSON.stringify(payload));
              return true;
            },
            destroy() {},
          };
        },
      });
      connection.subscribe(player);
      player.play(voice.createAudioResource(Readable.from(PACKETS), { inputType: voice.StreamType.Opus }));
      const took = (await packet) - start;
      player.stop(true);
      connection.destroy();
      followers.delete(follow);
      return took;
    };
  },
};

const join = await CLIENTS[name]();
const left = () =>
  new Promise((resolve) => {
    const follow = (t, d) => {
      if (t !== 'VOICE_STATE_UPDATE' || d.user_id !== userId || d.channel_id !== null) return;
      followers.delete(follow);
      resolve();
    };
    followers.add(follow);
  });
let gone = left();
const first = await join();
await gone;
gone = left();
const second = await join();
await gone;
process.send({ first, second });
