/**
 * A voice server of a few lines on loopback, real WebSocket and real UDP: does what it is told, remembers what it was told. It
 * forwards media between its clients. The sandbox has the faithful one.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createPacketCipher, demux, type EncryptionMode, type PacketCipher } from '@guildkit/rtp';
import { type WebSocket, WebSocketServer } from 'ws';

export interface FakeMessage {
  readonly op: number;
  readonly d: Record<string, unknown>;
}

/** One client's connection. */
export interface FakePeer {
  readonly socket: WebSocket;
  readonly ssrc: number;
  readonly received: FakeMessage[];
  readonly binary: Buffer[];
  readonly userId: string;
  send(op: number, d: unknown, seq?: number): void;
  sendBinary(seq: number, op: number, payload: Uint8Array): void;
}

export interface FakeVoiceOptions {
  modes?: readonly string[];
  /** Discovery datagrams that are not answered. */
  loseDiscovery?: number;
  answerKeepalives?: boolean;
  answerHeartbeats?: boolean;
  heartbeatMs?: number;
  /** Answers IDENTIFY with a close code, as often as there are codes. */
  closeIdentify?: number[];
  closeResume?: number[];
  host?: string;
  daveVersion?: number;
  silentHello?: boolean;
}

interface Session {
  readonly userId: string;
  readonly ssrc: number;
  peer: FakePeer;
  seal: PacketCipher | undefined;
  address: RemoteInfo | undefined;
  seq: number;
  sentWhileAway: string[];
}

export interface FakeVoiceServer {
  readonly endpoint: string;
  readonly options: FakeVoiceOptions;
  readonly peers: FakePeer[];
  readonly identifies: number;
  readonly resumes: number;
  readonly discoveries: number;
  readonly keepalives: number;
  /** Opened packets by SSRC of the session they came from. */
  readonly packets: Buffer[];
  /** The newest connection. */
  peer(): FakePeer;
  /** Seals and sends a plain packet to every client. */
  sendMedia(packet: Uint8Array): void;
  sendDatagram(bytes: Uint8Array): void;
  /** Nothing gets through on UDP. */
  blackout: boolean;
  /** What discovery answers instead of the truth. */
  pretend: { address: string; port: number } | undefined;
  close(): Promise<void>;
}

const KEY = Array.from({ length: 32 }, (_, index) => index);

export async function createFakeVoiceServer(options: FakeVoiceOptions = {}): Promise<FakeVoiceServer> {
  const host = options.host ?? '127.0.0.1';
  const server = new WebSocketServer({ host, port: 0 });
  await once(server, 'listening');
  const udp: Socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  udp.bind(0, host);
  await once(udp, 'listening');
  const udpPort = udp.address().port;
  const sessions = new Map<string, Session>();
  const bySsrc = new Map<number, Session>();
  let ssrcs = 100;
  const fake = {
    endpoint: `ws://${host.includes(':') ? `[${host}]` : host}:${(server.address() as AddressInfo).port}`,
    options,
    peers: [] as FakePeer[],
    identifies: 0,
    resumes: 0,
    discoveries: 0,
    keepalives: 0,
    packets: [] as Buffer[],
    blackout: false,
    pretend: undefined as { address: string; port: number } | undefined,
    peer(): FakePeer {
      const last = fake.peers.at(-1);
      if (last === undefined) throw new Error('nobody is connected');
      return last;
    },
    sendMedia(packet: Uint8Array): void {
      for (const session of bySsrc.values()) {
        if (session.seal === undefined || session.address === undefined || fake.blackout) continue;
        udp.send(session.seal.seal(packet), session.address.port, session.address.address);
      }
    },
    sendDatagram(bytes: Uint8Array): void {
      for (const { address } of bySsrc.values())
        if (address !== undefined) udp.send(bytes, address.port, address.address);
    },
    async close(): Promise<void> {
      for (const socket of server.clients) socket.terminate();
      server.close();
      udp.close();
      await once(server, 'close');
    },
  };

  udp.on('message', (bytes: Buffer, from) => {
    if (fake.blackout) return;
    if (bytes.length === 74 && bytes.readUInt16BE(0) === 1) {
      fake.discoveries += 1;
      if ((options.loseDiscovery ?? 0) >= fake.discoveries) return;
      const session = bySsrc.get(bytes.readUInt32BE(4));
      if (session !== undefined) session.address = from;
      const answer = Buffer.alloc(74);
      answer.writeUInt16BE(2, 0);
      answer.writeUInt16BE(70, 2);
      answer.writeUInt32BE(bytes.readUInt32BE(4), 4);
      answer.write(fake.pretend?.address ?? from.address, 8, 'latin1');
      answer.writeUInt16BE(fake.pretend?.port ?? from.port, 72);
      udp.send(answer, from.port, from.address);
      return;
    }
    if (bytes.length === 8 && bytes.readUInt32BE(0) === 0x1337cafe) {
      fake.keepalives += 1;
      if (options.answerKeepalives === false) return;
      const answer = Buffer.from(bytes);
      answer.writeUInt32BE(0x1337f00d, 0);
      udp.send(answer, from.port, from.address);
      return;
    }
    if (demux(bytes) === undefined) return;
    for (const session of bySsrc.values()) {
      if (session.address?.port !== from.port || session.seal === undefined) continue;
      const opened = session.seal.open(bytes);
      if (!opened.ok) continue;
      fake.packets.push(Buffer.from(opened.value));
      for (const other of bySsrc.values()) {
        if (other === session || other.seal === undefined || other.address === undefined) continue;
        udp.send(other.seal.seal(opened.value), other.address.port, other.address.address);
      }
    }
  });

  server.on('connection', (socket) => {
    let session: Session | undefined;
    const peer: { -readonly [K in keyof FakePeer]: FakePeer[K] } = {
      socket,
      ssrc: 0,
      received: [],
      binary: [],
      userId: '',
      send(op, d, seq) {
        socket.send(JSON.stringify(seq === undefined ? { op, d } : { op, d, seq }));
      },
      sendBinary(seq, op, payload) {
        socket.send(Buffer.concat([Buffer.from([seq >> 8, seq & 255, op]), payload]));
      },
    };
    fake.peers.push(peer);
    if (options.silentHello !== true) peer.send(8, { v: 8, heartbeat_interval: options.heartbeatMs ?? 13_750 });
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) {
        peer.binary.push(data);
        return;
      }
      const { op, d } = JSON.parse(data.toString()) as FakeMessage;
      peer.received.push({ op, d });
      switch (op) {
        case 0: {
          fake.identifies += 1;
          const code = options.closeIdentify?.shift();
          if (code !== undefined) {
            socket.close(code);
            return;
          }
          const userId = String(d.user_id);
          ssrcs += 10;
          session = { userId, ssrc: ssrcs, peer, seal: undefined, address: undefined, seq: 0, sentWhileAway: [] };
          sessions.set(String(d.session_id), session);
          bySsrc.set(ssrcs, session);
          peer.ssrc = ssrcs;
          peer.userId = userId;
          const streams = [
            { type: 'video', ssrc: ssrcs + 1, rtx_ssrc: ssrcs + 2, rid: '100', quality: 100, active: false },
          ];
          peer.send(2, {
            ssrc: ssrcs,
            ip: host,
            port: udpPort,
            modes: options.modes ?? ['aead_aes256_gcm_rtpsize', 'aead_xchacha20_poly1305_rtpsize'],
            experiments: [],
            streams: d.video === true ? streams : [],
          });
          return;
        }
        case 1: {
          const { mode } = d.data as { mode: EncryptionMode };
          void createPacketCipher(mode, Uint8Array.from(KEY)).then((cipher) => {
            if (session !== undefined) session.seal = cipher;
            peer.send(4, {
              audio_codec: 'opus',
              video_codec: 'VP8',
              media_session_id: 'm',
              mode,
              secret_key: KEY,
              dave_protocol_version: options.daveVersion ?? 0,
            });
          });
          return;
        }
        case 3:
          if (options.answerHeartbeats !== false) peer.send(6, { t: d.t });
          return;
        case 7: {
          fake.resumes += 1;
          const code = options.closeResume?.shift();
          const known = sessions.get(String(d.session_id));
          if (code !== undefined || known === undefined) {
            socket.close(code ?? 4006);
            return;
          }
          session = known;
          session.peer = peer;
          peer.ssrc = known.ssrc;
          peer.userId = known.userId;
          peer.send(9, null);
          return;
        }
        default:
      }
    });
    socket.on('error', () => {});
  });
  return fake;
}
