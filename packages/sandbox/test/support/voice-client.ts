/** A voice client without manners: sends what it is told, keeps what it gets. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import {
  buildRtcp,
  buildRtp,
  createPacketCipher,
  type EncryptionMode,
  type PacketCipher,
  parseRtcp,
  parseRtp,
  type RtcpPacket,
  type RtpPacket,
  type RtpPacketInit,
} from '@guildkit/rtp';
import type { Sandbox } from '@guildkit/sandbox';
import { WebSocket } from 'ws';
import { discoveryAnswer } from '../../src/protocol/voice/datagram.js';
import { type Closing, RawClient } from './gateway-client.js';

export interface VoiceMessage {
  readonly op: number;
  readonly seq: number | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever the payload holds
  readonly d: any;
  /** Of a binary message. */
  readonly payload: Buffer | undefined;
}

/** What VOICE_STATE_UPDATE and VOICE_SERVER_UPDATE said. */
export interface VoiceTicket {
  readonly userId: string;
  readonly guildId: string;
  readonly channelId: string;
  readonly sessionId: string;
  readonly token: string;
  readonly endpoint: string;
}

/** Puts a bot into a voice channel by the main gateway; the last server update counts. */
export async function takeTicket(
  sandbox: Sandbox,
  client: RawClient,
  channelId = sandbox.voiceChannelId,
): Promise<VoiceTicket> {
  const { guildId } = sandbox;
  const known = client.frames.filter(({ t }) => t === 'VOICE_SERVER_UPDATE').length;
  client.send({ op: 4, d: { guild_id: guildId, channel_id: channelId, self_mute: false, self_deaf: false } });
  const isNew = (_: unknown, at: number): boolean => at >= known;
  const servers = () => client.frames.filter(({ t }) => t === 'VOICE_SERVER_UPDATE');
  const server = await client.frame(
    (frame) =>
      frame.t === 'VOICE_SERVER_UPDATE' && servers().filter(isNew).includes(frame) && frame.d.endpoint !== null,
  );
  const ready = await client.dispatch('READY');
  const userId = ready.d.user.id as string;
  return {
    userId,
    guildId,
    channelId,
    sessionId: client.sessionId,
    token: server.d.token,
    endpoint: server.d.endpoint,
  };
}

/** A bot in the voice channel: its main gateway connection and its ticket. */
export async function seat(sandbox: Sandbox, token = sandbox.connection.token, channelId = sandbox.voiceChannelId) {
  const gateway = await RawClient.identified(sandbox, { token });
  return { gateway, ticket: await takeTicket(sandbox, gateway, channelId) };
}

export class VoiceClient {
  readonly messages: VoiceMessage[] = [];
  readonly packets: RtpPacket[] = [];
  readonly rtcp: RtcpPacket[] = [];
  /** Datagrams that are no media. */
  readonly others: Buffer[] = [];
  readonly closed: Promise<Closing>;
  udp: Socket | undefined;
  cipher: PacketCipher | undefined;
  private readonly followers: ((message: VoiceMessage) => void)[] = [];
  private readonly opened: Promise<void>;
  private readonly waiting: { fits: () => boolean; resolve: () => void }[] = [];
  private readonly nextSequence = new Map<number, number>();

  constructor(
    readonly ticket: VoiceTicket,
    readonly ws: WebSocket,
  ) {
    this.opened = new Promise((resolve, reject) => {
      ws.once('open', () => resolve());
      ws.once('error', reject);
    });
    this.opened.catch(() => {});
    ws.on('error', () => {});
    this.closed = new Promise((resolve) => {
      ws.once('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    ws.on('message', (data: Buffer, isBinary) => {
      if (isBinary)
        this.keep({ op: data[2] ?? -1, seq: data.readUInt16BE(0), d: undefined, payload: data.subarray(3) });
      else this.keep({ payload: undefined, seq: undefined, ...JSON.parse(data.toString()) });
    });
  }

  static to(ticket: VoiceTicket, { version = 8, ca }: { version?: number; ca?: string | undefined } = {}): VoiceClient {
    const scheme = ca === undefined ? 'ws' : 'wss';
    return new VoiceClient(ticket, new WebSocket(`${scheme}://${ticket.endpoint}?v=${version}`, { ca }));
  }

  /** Goes all the way to the session description. */
  static async live(
    ticket: VoiceTicket,
    options: {
      mode?: EncryptionMode;
      version?: number;
      dave?: number;
      streams?: object[];
      codecs?: object[];
      ca?: string | undefined;
    } = {},
  ): Promise<VoiceClient> {
    const client = VoiceClient.to(ticket, options);
    client.identify({
      max_dave_protocol_version: options.dave ?? 0,
      ...(options.streams ? { streams: options.streams } : {}),
    });
    await client.select(options.mode, options.codecs);
    return client;
  }

  send(payload: unknown): void {
    this.sendRaw(JSON.stringify(payload));
  }

  sendRaw(data: string | Buffer): void {
    void this.opened.then(
      () => this.ws.send(data, () => {}),
      () => {},
    );
  }

  identify(d: object = {}): void {
    const { guildId, userId, sessionId, token } = this.ticket;
    this.send({ op: 0, d: { server_id: guildId, user_id: userId, session_id: sessionId, token, ...d } });
  }

  resume(seqAck: number, d: object = {}): void {
    const { guildId, sessionId, token } = this.ticket;
    this.send({ op: 7, d: { server_id: guildId, session_id: sessionId, token, seq_ack: seqAck, ...d } });
  }

  /** Discovers its address, selects, and waits for the description. */
  async select(mode?: EncryptionMode, codecs?: object[]): Promise<VoiceMessage> {
    const ready = await this.op(2);
    await this.openUdp();
    const local = await this.discover(ready.d.ssrc);
    const chosen = mode ?? (ready.d.modes[0] as EncryptionMode);
    const had = this.messages.filter(({ op }) => op === 4).length;
    this.send({
      op: 1,
      d: { protocol: 'udp', data: { ...local, mode: chosen }, ...(codecs === undefined ? {} : { codecs }) },
    });
    const descriptions = (): VoiceMessage[] => this.messages.filter(({ op }) => op === 4);
    await this.until(() => descriptions().length > had);
    const description = descriptions().at(-1) as VoiceMessage;
    this.cipher = await createPacketCipher(chosen, description.d.secret_key);
    return description;
  }

  async openUdp(): Promise<Socket> {
    if (this.udp !== undefined) return this.udp;
    const { ip } = (await this.op(2)).d;
    const udp = createSocket(ip.includes(':') ? 'udp6' : 'udp4');
    this.udp = udp;
    udp.on('message', (bytes) => {
      const opened = (bytes[0] ?? 0) >> 6 === 2 ? this.cipher?.open(bytes) : undefined;
      if (opened === undefined) this.others.push(bytes);
      else if (opened.ok) {
        const rtp = parseRtp(opened.value);
        const rtcp = parseRtcp(opened.value);
        if (rtp.ok) this.packets.push(rtp.value);
        else if (rtcp.ok) this.rtcp.push(...rtcp.value);
      }
      this.wake();
    });
    udp.bind(0, ip);
    await once(udp, 'listening');
    return udp;
  }

  async discover(ssrc: number): Promise<{ address: string; port: number }> {
    const request = discoveryAnswer(ssrc, '', 0);
    request[1] = 1;
    this.datagram(request);
    await this.until(() => this.others.some((bytes) => bytes.length === 74));
    const answer = this.others.find((bytes) => bytes.length === 74) as Buffer;
    return { address: answer.toString('latin1', 8, 72).replace(/\0+$/, ''), port: answer.readUInt16BE(72) };
  }

  /** Sends a datagram as it is. */
  datagram(bytes: Uint8Array): void {
    const { ip, port } = this.messages.find(({ op }) => op === 2)?.d ?? {};
    this.udp?.send(bytes, port, ip);
  }

  speak(speaking = 1): void {
    this.send({ op: 5, d: { speaking, delay: 0, ssrc: this.ssrc } });
  }

  /** Sends a packet; of its own SSRC and with the next number when nothing else is said. */
  rtp(packet: Partial<RtpPacketInit> & { payload: Uint8Array }): void {
    const { ssrc = this.ssrc } = packet;
    const sequenceNumber = this.nextSequence.get(ssrc) ?? 0;
    this.nextSequence.set(ssrc, (sequenceNumber + 1) & 0xffff);
    const plain = buildRtp({ payloadType: 120, sequenceNumber, timestamp: sequenceNumber * 960, ...packet, ssrc });
    this.datagram((this.cipher as PacketCipher).seal(plain));
  }

  sendRtcp(packets: RtcpPacket | readonly RtcpPacket[]): void {
    this.datagram((this.cipher as PacketCipher).seal(buildRtcp(packets)));
  }

  get ssrc(): number {
    return this.messages.find(({ op }) => op === 2)?.d.ssrc ?? 0;
  }

  /** The streams that Ready named. */
  get streams(): { ssrc: number; rtx_ssrc: number; rid: string; type: string }[] {
    return this.messages.find(({ op }) => op === 2)?.d.streams ?? [];
  }

  /** Number of the last message; -1 when there was none. */
  get seq(): number {
    return this.messages.reduce((last, { seq }) => seq ?? last, -1);
  }

  /** Everyone whom the gateway has named, and itself. */
  get userIds(): string[] {
    const ids = new Set([this.ticket.userId]);
    for (const { op, d } of this.messages) {
      if (op === 11) for (const id of d.user_ids) ids.add(id);
      if (op === 13) ids.delete(d.user_id);
    }
    return [...ids];
  }

  /** Calls back for every message that comes from now on. */
  follow(listener: (message: VoiceMessage) => void): void {
    this.followers.push(listener);
  }

  op(op: number): Promise<VoiceMessage> {
    return this.message((message) => message.op === op);
  }

  /** The first message that fits, of those that came and those to come. */
  async message(fits: (message: VoiceMessage) => boolean): Promise<VoiceMessage> {
    await this.until(() => this.messages.some(fits));
    return this.messages.find(fits) as VoiceMessage;
  }

  /** Waits for so many packets. */
  async received(count: number): Promise<readonly RtpPacket[]> {
    await this.until(() => this.packets.length >= count);
    return this.packets;
  }

  /** Answers to one heartbeat: everything sent before it has been dealt with. */
  async settled(): Promise<void> {
    const acks = this.messages.filter(({ op }) => op === 6).length;
    this.send({ op: 3, d: { t: acks, seq_ack: this.seq } });
    await this.until(() => this.messages.filter(({ op }) => op === 6).length > acks);
  }

  /** The same for datagrams: those before have arrived, on loopback. */
  async echoed(): Promise<void> {
    const had = this.others.length;
    this.datagram(Buffer.from('1337cafe00000001', 'hex'));
    await this.until(() => this.others.length > had);
  }

  until(fits: () => boolean): Promise<void> {
    if (fits()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.waiting.push({ fits, resolve });
      void this.closed.then(({ code, reason }) => reject(new Error(`closed with ${code} ${reason}`)));
    });
  }

  /** Ends without a word. */
  end(): void {
    this.ws.terminate();
    this.udp?.close();
    this.udp = undefined;
  }

  private keep(message: VoiceMessage): void {
    this.messages.push(message);
    for (const follower of this.followers) follower(message);
    this.wake();
  }

  private wake(): void {
    for (const wait of [...this.waiting]) {
      if (!wait.fits()) continue;
      this.waiting.splice(this.waiting.indexOf(wait), 1);
      wait.resolve();
    }
  }
}
