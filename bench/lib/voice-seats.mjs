/** Seats in a voice channel of the sandbox, by @guildkit/rtc and by @discordjs/voice, behind one shape; what they send is seen. */
import dgram from 'node:dgram';
import { Readable } from 'node:stream';
import tls from 'node:tls';
import { WebSocket } from 'ws';

/** Trusts the sandbox's certificate in this process. */
export function trust(certificate) {
  tls.setDefaultCACertificates([...tls.getCACertificates('default'), certificate]);
}

/** Calls back for every datagram of RTP audio that a socket of this process is handed, before it goes. */
export function onSentAudio(callback) {
  const { send } = dgram.Socket.prototype;
  dgram.Socket.prototype.send = function (bytes, ...rest) {
    if (bytes[0] >> 6 === 2 && (bytes[1] & 0x7f) === 120) callback(bytes);
    return send.call(this, bytes, ...rest);
  };
}

/** The main gateway of one bot, in a few lines, the same for both. */
export async function connectGateway({ gatewayUrl, guildId }, token) {
  const socket = new WebSocket(`${gatewayUrl}?v=10&encoding=json`);
  const followers = new Set();
  const userId = await new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('message', (data) => {
      const { op, t, d } = JSON.parse(data);
      if (op === 10) {
        socket.send(JSON.stringify({ op: 2, d: { token, intents: 129, properties: {} } }));
        setInterval(() => socket.send('{"op":1,"d":null}'), d.heartbeat_interval).unref();
      }
      if (t === 'READY') resolve(d.user.id);
      for (const follow of followers) follow(t, d);
    });
  });
  const follow = (wanted, listener) => {
    const follower = (t, d) => t === wanted && listener(d);
    followers.add(follower);
    return () => followers.delete(follower);
  };
  return { userId, guildId, send: (payload) => socket.send(JSON.stringify(payload)), follow };
}

/** `{ play(packets), onOpus(userId, callback), stats() }` in a channel, by library. */
export const SEATS = {
  async guildkit(gateway, channelId, certificate) {
    const { DiscordRtcClient } = await import('@guildkit/rtc');
    const { userId, guildId, follow, send } = gateway;
    const signalling = {
      userId,
      sendVoiceState: async ({ channelId: channel }) =>
        send({ op: 4, d: { guild_id: guildId, channel_id: channel, self_mute: false, self_deaf: false } }),
      onVoiceState: (listener) =>
        follow('VOICE_STATE_UPDATE', (d) =>
          listener({ guildId: d.guild_id, userId: d.user_id, channelId: d.channel_id, sessionId: d.session_id }),
        ),
      onVoiceServer: (listener) =>
        follow('VOICE_SERVER_UPDATE', (d) => listener({ guildId: d.guild_id, token: d.token, endpoint: d.endpoint })),
    };
    const rtc = new DiscordRtcClient({ signalling, guildId, ca: certificate });
    await rtc.connect(channelId);
    return {
      rtc,
      play: (packets) => rtc.sendAudio(packets),
      onOpus: (from, callback) => rtc.onAudio((frame) => callback(frame.opus, frame.kind), { userId: from }),
    };
  },
  async discordjs(gateway, channelId) {
    const voice = await import('@discordjs/voice');
    const connection = voice.joinVoiceChannel({
      channelId,
      guildId: gateway.guildId,
      group: gateway.userId,
      selfDeaf: false,
      adapterCreator(methods) {
        gateway.follow('VOICE_SERVER_UPDATE', (d) => methods.onVoiceServerUpdate(d));
        gateway.follow('VOICE_STATE_UPDATE', (d) => d.user_id === gateway.userId && methods.onVoiceStateUpdate(d));
        return {
          sendPayload(payload) {
            gateway.send(payload);
            return true;
          },
          destroy() {},
        };
      },
    });
    connection.on('error', () => {});
    await voice.entersState(connection, voice.VoiceConnectionStatus.Ready, 30_000);
    return {
      play(packets) {
        const player = voice.createAudioPlayer();
        connection.subscribe(player);
        const stream = Readable.from(packets);
        player.play(voice.createAudioResource(stream, { inputType: voice.StreamType.Opus }));
      },
      onOpus(from, callback) {
        const stream = connection.receiver.subscribe(from, { end: { behavior: voice.EndBehaviorType.Manual } });
        stream.on('data', (packet) => callback(packet, 'packet'));
        stream.on('error', () => {});
      },
    };
  },
};

/** Opus packets of 160 bytes (64 kbit/s) with their numbers. */
export const opusPackets = (count) =>
  Array.from({ length: count }, (_, n) => {
    const packet = Buffer.alloc(160, 1);
    packet[0] = 0xfc;
    packet.writeUInt16BE(n, 1);
    return packet;
  });
