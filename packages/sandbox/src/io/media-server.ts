/**
 * Owns the UDP socket of voice: IP discovery, keepalives, and the way of every packet from its sender, through its cipher
 * and the faults, to those who are to receive it. Refuses what is not a client's own, and counts it.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Clock } from '@guildkit/core';
import { buildRtcp, demux, type PacketCipher, parseRtcp, parseRtp, type RtcpPacket } from '@guildkit/rtp';
import { routeRtcp } from '../codec/rtcp-routes.js';
import { SandboxError } from '../errors.js';
import { discoveryAnswer, keepaliveAnswer, readDatagram } from '../protocol/voice/datagram.js';
import type { MediaLink } from '../protocol/voice/media-faults.js';
import type { VoiceRoom } from '../protocol/voice/room.js';
import { DelayQueue } from './delay-queue.js';

/** Why a packet went no further. */
export type MediaDrop =
  /** Larger than a datagram of voice can be. */
  | 'oversized'
  /** Neither media nor discovery nor a keepalive. */
  | 'unknown'
  /** From an address, and with an SSRC, that no session has. */
  | 'unknownSender'
  /** Before the session description. */
  | 'notReady'
  /** The cipher does not open it. */
  | 'forged'
  /** Opened, and no RTP or RTCP. */
  | 'malformed'
  /** In the name of an SSRC that is not the sender's. */
  | 'spoofedSsrc'
  /** Audio of someone who is muted. */
  | 'muted'
  /** RTCP about nobody who is there. */
  | 'aimless'
  /** For a receiver whose address is not known yet. */
  | 'noRoute'
  /** By a fault: `queue` before a narrow link. */
  | 'loss'
  | 'blackout'
  | 'queue';

/** What a client's media came to. */
export interface MediaStats {
  packetsIn: number;
  bytesIn: number;
  packetsOut: number;
  bytesOut: number;
  /** Packets of media before the opcode that announces them (5, 12). They are forwarded all the same. */
  unannounced: number;
  keepalives: number;
  discoveries: number;
  /** Times that its address changed, shown by a packet that its key opens. */
  rebinds: number;
  readonly dropped: Partial<Record<MediaDrop, number>>;
}

/** A client of the media server. */
export interface MediaPeer {
  readonly userId: string;
  readonly audioSsrc: number;
  readonly ssrcs: readonly number[];
  readonly stats: MediaStats;
  /** The channel; `undefined` before the session description. */
  room: VoiceRoom | undefined;
  cipher: PacketCipher | undefined;
  address: Address | undefined;
  /** What disturbs it; `undefined`: nothing. */
  up: MediaLink | undefined;
  down: MediaLink | undefined;
}

interface Address {
  readonly address: string;
  readonly port: number;
  /** By a packet that its key opened. Before, IP discovery may still say otherwise. */
  readonly proven: boolean;
}

/** What the socket is opened with. */
export interface MediaServerOptions {
  readonly host: string;
  readonly port: number;
  readonly clock: Clock;
  /** Something failed that should not: a bug, or a cipher whose nonces are used up. */
  onError(error: unknown): void;
}

/** No datagram of voice is larger than an Ethernet frame. */
const MAX_DATAGRAM_BYTES = 1_500;
/** What the system keeps of packets that are not read yet: a second of 25 people with video. */
const BUFFER_BYTES = 4 * 1024 * 1024;

/** A new client's figures. */
export const newMediaStats = (): MediaStats => ({
  packetsIn: 0,
  bytesIn: 0,
  packetsOut: 0,
  bytesOut: 0,
  unannounced: 0,
  keepalives: 0,
  discoveries: 0,
  rebinds: 0,
  dropped: {},
});

/** The media server. */
export class MediaServer {
  /** Of everything, that of unknown senders too. */
  readonly totals: MediaStats = newMediaStats();
  private readonly peers = new Map<string, MediaPeer>();
  private readonly bySsrc = new Map<number, MediaPeer>();
  private readonly byAddress = new Map<string, MediaPeer>();
  /** Who is in a channel, by user id. */
  private readonly inRoom = new Map<VoiceRoom, Map<string, MediaPeer>>();
  /** Who has no socket, and hears of RTCP all the same. */
  private readonly listeners = new Map<VoiceRoom, Map<string, (packets: readonly RtcpPacket[]) => void>>();
  private readonly late: DelayQueue;

  private constructor(
    private readonly socket: Socket,
    private readonly clock: Clock,
    private readonly onError: (error: unknown) => void,
  ) {
    this.late = new DelayQueue(clock);
    socket.on('message', (bytes, from) => this.guard(() => this.onDatagram(bytes, from)));
    // A receiver that is gone answers with ICMP, which is an error here on some systems.
    socket.on('error', () => {});
  }

  /** Opens the socket. @throws SandboxError (rejects) `ERR_SANDBOX_PORT_UNAVAILABLE`. */
  static open({ host, port, clock, onError }: MediaServerOptions): Promise<MediaServer> {
    const type = isIPv6(host) ? 'udp6' : 'udp4';
    const socket = createSocket({ type, recvBufferSize: BUFFER_BYTES, sendBufferSize: BUFFER_BYTES });
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => {
        socket.close();
        reject(new SandboxError('ERR_SANDBOX_PORT_UNAVAILABLE', `Cannot bind UDP ${host}:${port}.`, error));
      };
      socket.once('error', fail);
      socket.bind(port, host, () => {
        socket.off('error', fail);
        resolve(new MediaServer(socket, clock, onError));
      });
    });
  }

  /** Port of the socket. */
  get port(): number {
    return this.socket.address().port;
  }

  /** Takes a client on, by a name of its own. */
  add(key: string, peer: MediaPeer): void {
    this.remove(key);
    this.peers.set(key, peer);
    for (const ssrc of peer.ssrcs) this.bySsrc.set(ssrc, peer);
  }

  /** Lets a client go; nothing when it is not there. */
  remove(key: string): void {
    const peer = this.peers.get(key);
    if (peer === undefined) return;
    this.peers.delete(key);
    for (const ssrc of peer.ssrcs) this.bySsrc.delete(ssrc);
    this.unbind(peer);
    const others = peer.room === undefined ? undefined : this.inRoom.get(peer.room);
    others?.delete(peer.userId);
    if (others?.size === 0 && peer.room !== undefined) this.inRoom.delete(peer.room);
  }

  /** A client takes part in a channel from now on: until it is removed. */
  enter(key: string, room: VoiceRoom): void {
    const peer = this.peers.get(key);
    if (peer === undefined) return;
    peer.room = room;
    const others = this.inRoom.get(room);
    if (others === undefined) this.inRoom.set(room, new Map([[peer.userId, peer]]));
    else others.set(peer.userId, peer);
  }

  /** The client of that name. */
  peer(key: string): MediaPeer | undefined {
    return this.peers.get(key);
  }

  /** Every client. */
  all(): Iterable<MediaPeer> {
    return this.peers.values();
  }

  /** Forwards a plain RTP packet of someone who has no socket. */
  inject(room: VoiceRoom, userId: string, packet: Uint8Array, ssrc: number): void {
    const route = room.route(userId, ssrc);
    if (!route.ok) count(this.totals, route.reason);
    else for (const to of route.to) this.forward(room, to, packet);
  }

  /** Forwards a plain RTCP datagram of someone who has no socket. */
  injectRtcp(room: VoiceRoom, userId: string, packet: Uint8Array): void {
    this.onRtcp(undefined, room, userId, packet);
  }

  /** Hands over the RTCP that is for someone who has no socket. */
  listen(room: VoiceRoom, userId: string, listener: (packets: readonly RtcpPacket[]) => void): void {
    const listeners = this.listeners.get(room);
    if (listeners === undefined) this.listeners.set(room, new Map([[userId, listener]]));
    else listeners.set(userId, listener);
  }

  /** Ends what `listen` began. */
  unlisten(room: VoiceRoom, userId: string): void {
    const listeners = this.listeners.get(room);
    listeners?.delete(userId);
    if (listeners?.size === 0) this.listeners.delete(room);
  }

  /** Stops at once. */
  close(): Promise<void> {
    this.late.clear();
    return new Promise((resolve) => this.socket.close(() => resolve()));
  }

  private onDatagram(bytes: Uint8Array, from: RemoteInfo): void {
    this.totals.packetsIn += 1;
    this.totals.bytesIn += bytes.length;
    if (bytes.length > MAX_DATAGRAM_BYTES) {
      this.drop(this.byAddress.get(nameOf(from)), 'oversized');
      return;
    }
    const peer = this.senderOf(bytes, from);
    if (peer === undefined) {
      this.drop(undefined, readDatagram(bytes).kind === 'unknown' ? 'unknown' : 'unknownSender');
      return;
    }
    peer.stats.packetsIn += 1;
    peer.stats.bytesIn += bytes.length;
    this.pass(peer.up, peer, bytes.length, () => this.onArrival(peer, bytes, from));
  }

  /** By address; by SSRC for an address that is not known, which proves nothing yet. */
  private senderOf(bytes: Uint8Array, from: RemoteInfo): MediaPeer | undefined {
    const datagram = readDatagram(bytes);
    if (datagram.kind === 'discovery') {
      const peer = this.bySsrc.get(datagram.ssrc);
      return peer?.audioSsrc === datagram.ssrc ? peer : undefined;
    }
    const known = this.byAddress.get(nameOf(from));
    if (known !== undefined || datagram.kind !== 'media') return known;
    const at = demux(bytes) === 'rtcp' ? 4 : 8;
    return bytes.length < at + 4 ? undefined : this.bySsrc.get(u32(bytes, at));
  }

  private onArrival(peer: MediaPeer, bytes: Uint8Array, from: RemoteInfo): void {
    const datagram = readDatagram(bytes);
    switch (datagram.kind) {
      case 'discovery':
        peer.stats.discoveries += 1;
        if (peer.address?.proven !== true) this.bind(peer, { address: from.address, port: from.port, proven: false });
        this.send(peer, from, discoveryAnswer(datagram.ssrc, from.address, from.port));
        return;
      case 'keepalive':
        peer.stats.keepalives += 1;
        this.send(peer, from, keepaliveAnswer(datagram.sequence));
        return;
      case 'ping':
        peer.stats.keepalives += 1;
        return;
      case 'unknown':
        this.drop(peer, 'unknown');
        return;
      default:
        this.onMedia(peer, bytes, from);
    }
  }

  private onMedia(peer: MediaPeer, bytes: Uint8Array, from: RemoteInfo): void {
    const { cipher, room } = peer;
    if (cipher === undefined || room === undefined) {
      this.drop(peer, 'notReady');
      return;
    }
    const opened = cipher.open(bytes);
    if (!opened.ok) {
      this.drop(peer, opened.reason === 'forged' ? 'forged' : 'malformed');
      return;
    }
    const { address } = peer;
    if (address?.proven !== true || address.port !== from.port || address.address !== from.address) {
      if (address?.proven === true) peer.stats.rebinds += 1;
      this.bind(peer, { address: from.address, port: from.port, proven: true });
    }
    const plain = opened.value;
    if (demux(plain) === 'rtcp') this.onRtcp(peer, room, peer.userId, plain);
    else this.onRtp(peer, room, plain);
  }

  private onRtp(peer: MediaPeer, room: VoiceRoom, plain: Uint8Array): void {
    const parsed = parseRtp(plain);
    if (!parsed.ok) {
      this.drop(peer, 'malformed');
      return;
    }
    const route = room.route(peer.userId, parsed.value.ssrc);
    if (!route.ok) {
      this.drop(peer, route.reason);
      return;
    }
    if (!route.announced) {
      peer.stats.unannounced += 1;
      this.totals.unannounced += 1;
    }
    for (const userId of route.to) this.forward(room, userId, plain);
  }

  private onRtcp(peer: MediaPeer | undefined, room: VoiceRoom, userId: string, plain: Uint8Array): void {
    const parsed = parseRtcp(plain);
    if (!parsed.ok) {
      this.drop(peer, 'malformed');
      return;
    }
    const { byUser, spoofed, aimless } = routeRtcp(room, userId, parsed.value);
    for (let n = 0; n < spoofed; n += 1) this.drop(peer, 'spoofedSsrc');
    for (let n = 0; n < aimless; n += 1) this.drop(peer, 'aimless');
    for (const [to, packets] of byUser) {
      this.listeners.get(room)?.get(to)?.(packets);
      this.forward(room, to, buildRtcp(packets));
    }
  }

  private forward(room: VoiceRoom, userId: string, plain: Uint8Array): void {
    const peer = this.inRoom.get(room)?.get(userId);
    if (peer?.cipher === undefined) return;
    if (peer.address === undefined) this.drop(peer, 'noRoute');
    else this.send(peer, peer.address, peer.cipher.seal(plain));
  }

  private send(peer: MediaPeer, to: { readonly address: string; readonly port: number }, bytes: Uint8Array): void {
    this.pass(peer.down, peer, bytes.length, () => {
      peer.stats.packetsOut += 1;
      peer.stats.bytesOut += bytes.length;
      this.totals.packetsOut += 1;
      this.totals.bytesOut += bytes.length;
      this.socket.send(bytes, to.port, to.address, ignore);
    });
  }

  /** Lets something through a link: now, later, twice or never. */
  private pass(link: MediaLink | undefined, peer: MediaPeer, bytes: number, act: () => void): void {
    if (link === undefined) {
      act();
      return;
    }
    const now = this.clock.now();
    const fate = link.send(bytes, now);
    if (fate.lost !== undefined) {
      this.drop(peer, fate.lost);
      return;
    }
    for (const at of fate.at) {
      if (at <= now) act();
      else if (!this.late.push(at, () => this.guard(act))) this.drop(peer, 'queue');
    }
  }

  /** One packet must not bring the socket down. */
  private guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.onError(error);
    }
  }

  private bind(peer: MediaPeer, address: Address): void {
    this.unbind(peer);
    peer.address = address;
    this.byAddress.set(nameOf(address), peer);
  }

  private unbind(peer: MediaPeer): void {
    if (peer.address === undefined) return;
    const name = nameOf(peer.address);
    if (this.byAddress.get(name) === peer) this.byAddress.delete(name);
  }

  private drop(peer: MediaPeer | undefined, reason: MediaDrop): void {
    count(this.totals, reason);
    if (peer !== undefined) count(peer.stats, reason);
  }
}

function count(stats: MediaStats, reason: MediaDrop): void {
  stats.dropped[reason] = (stats.dropped[reason] ?? 0) + 1;
}

const nameOf = ({ address, port }: { readonly address: string; readonly port: number }): string => `${address}:${port}`;

const u32 = (bytes: Uint8Array, at: number): number =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at);

const ignore = (): void => {};
