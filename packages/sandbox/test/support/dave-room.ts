/**
 * Members of one voice channel with the client library that others use, wired to the delivery service in process: messages
 * wait in order until they are delivered, so that a test decides who hears what first, and what is lost.
 */
import davey from '@snazzah/davey';
import { createDaveService } from '../../src/voice/dave-service.js';
import type {
  DaveMessage,
  DaveService,
  DaveServiceInput,
  DaveServiceOptions,
} from '../../src/voice/dave-service-types.js';

/** davey's MediaType. Its const enum cannot be used here. */
const AUDIO = 0;

export const CHANNEL = '927310423890473011';
export const userId = (n: number): string => String(100_000_000_000_000_000n + BigInt(n));

/** An Opus packet, as far as encryption is concerned. */
export const opusFrame = (n: number): Buffer => Buffer.from([0x78, n & 0xff, (n >> 8) & 0xff, ...Array(77).fill(0xab)]);

/** A client without mercy: does what it is told, keeps what it was told. */
export class Member {
  readonly session: davey.DAVESession | undefined;
  readonly inbox: DaveMessage[] = [];
  readonly heard: number[] = [];
  readonly executed: number[] = [];
  readonly failures: string[] = [];
  version: number;
  /** Answers proposals with commits. */
  commits = true;
  /** Flags whatever it is told to process. */
  broken = false;
  /** Answers op 29 and 30 with op 23. */
  acknowledges = true;

  constructor(
    private readonly room: DaveRoom,
    readonly id: string,
    readonly maxVersion: number,
    version: number,
  ) {
    this.version = version;
    if (maxVersion > 0) this.session = new davey.DAVESession(1, id, CHANNEL);
  }

  sendKeyPackage(): void {
    if (this.session === undefined) return;
    const payload = this.session.getSerializedKeyPackage();
    this.room.queue.push({ type: 'keyPackage', userId: this.id, payload });
  }

  private ready(transitionId: number): void {
    if (transitionId !== 0 && this.acknowledges) {
      this.room.queue.push({ type: 'transitionReady', userId: this.id, transitionId });
    }
  }

  private invalid(transitionId: number, error: unknown): void {
    this.failures.push(String(error));
    this.room.queue.push({ type: 'invalidCommitWelcome', userId: this.id, transitionId });
    this.session?.reinit(1, this.id, CHANNEL);
    this.sendKeyPackage();
  }

  hear(message: DaveMessage): void {
    this.heard.push(message.op);
    const { session } = this;
    if (message.kind === 'json') {
      const { d } = message;
      if (message.op === 22) this.executed.push(message.d.transition_id);
      if (message.op === 21) {
        if (message.d.transition_id === 0) this.version = message.d.protocol_version;
        else this.ready(message.d.transition_id);
      }
      if (message.op === 24 && 'epoch' in d && d.epoch === 1) {
        this.version = d.protocol_version;
        session?.reinit(1, this.id, CHANNEL);
        this.sendKeyPackage();
      }
      return;
    }
    const payload = Buffer.from(message.payload);
    if (session === undefined) throw new Error(`op ${message.op} to a member without DAVE`);
    if (message.op === 25) session.setExternalSender(payload);
    if (message.op === 27) this.takeProposals(session, payload);
    if (message.op === 29 || message.op === 30) {
      const transitionId = payload.readUInt16BE(0);
      try {
        if (this.broken) throw new Error('broken');
        if (message.op === 29) session.processCommit(payload.subarray(2));
        else session.processWelcome(payload.subarray(2));
        this.ready(transitionId);
      } catch (error) {
        this.invalid(transitionId, error);
      }
    }
  }

  private takeProposals(session: davey.DAVESession, payload: Buffer): void {
    try {
      const { commit, welcome } = session.processProposals(payload[0] ?? 0, payload.subarray(1), this.room.ids());
      if (commit === undefined || !this.commits) return;
      const answer = welcome === undefined ? commit : Buffer.concat([commit, welcome]);
      this.room.queue.push({ type: 'commitWelcome', userId: this.id, payload: answer });
    } catch (error) {
      this.failures.push(String(error));
    }
  }
}

/** A channel with its service and its members. */
export class DaveRoom {
  readonly service: DaveService;
  readonly members = new Map<string, Member>();
  /** What members sent and the service has not taken yet. */
  readonly queue: DaveServiceInput[] = [];
  /** What was sent to whom, ever. */
  readonly sent: { readonly userId: string; readonly message: DaveMessage }[] = [];
  now = 0;

  constructor(options: Partial<DaveServiceOptions> = {}) {
    this.service = createDaveService({ channelId: CHANNEL, ...options });
  }

  ids(): string[] {
    return [...this.members.keys()];
  }

  give(input: DaveServiceInput): void {
    for (const { userId: to, message } of this.service.handle(input, this.now)) {
      this.sent.push({ userId: to, message });
      this.members.get(to)?.inbox.push(message);
    }
  }

  /** Joins without anything being delivered. */
  enter(n: number, maxVersion = 1): Member {
    const id = userId(n);
    const member = new Member(this, id, maxVersion, this.service.versionFor(maxVersion));
    this.members.set(id, member);
    this.give({ type: 'joined', userId: id, maxVersion });
    if (member.version > 0) member.sendKeyPackage();
    return member;
  }

  join(n: number, maxVersion = 1): Member {
    const member = this.enter(n, maxVersion);
    this.settle();
    return member;
  }

  leave(member: Member): void {
    this.members.delete(member.id);
    this.give({ type: 'left', userId: member.id });
    this.settle();
  }

  /** Delivers everything both ways, in order. */
  deliver(): void {
    for (;;) {
      let moved = false;
      for (const input of this.queue.splice(0)) {
        moved = true;
        this.give(input);
      }
      for (const member of this.members.values()) {
        for (const message of member.inbox.splice(0)) {
          moved = true;
          member.hear(message);
        }
      }
      if (!moved) return;
    }
  }

  /** Delivers everything and lets pass what time it takes, until nothing is due within `ms`. */
  settle(ms = 100): void {
    const until = this.now + ms;
    this.deliver();
    for (let due = this.service.deadline; due !== undefined && due <= until; due = this.service.deadline) {
      this.now = Math.max(this.now, due);
      this.give({ type: 'timer' });
      this.deliver();
    }
  }

  pass(ms: number): void {
    this.settle(ms);
    this.now += ms;
  }

  /** What is wrong with the group that all members should be in, if anything. */
  wrong(): string | undefined {
    const members = [...this.members.values()];
    const { leaves, members: known } = this.service.view;
    if (known.join() !== this.ids().join()) return `the service knows ${known.join()}`;
    if (members.length < 2) return undefined;
    const codes = new Set(members.map(({ session }) => session?.voicePrivacyCode));
    if (codes.size !== 1) return `${codes.size} different epochs`;
    for (const { id, session } of members) {
      if (session?.ready !== true) return `${id} is not ready`;
      if (leaves[session.ownLeafIndex ?? -1] !== id)
        return `${id} sits at ${session.ownLeafIndex}, not as the service thinks`;
      if (session.getUserIds().sort().join() !== this.ids().sort().join()) return `${id} knows other members`;
    }
    for (const from of members) {
      const frame = opusFrame(7);
      const sealed = from.session?.encryptOpus(frame) ?? Buffer.alloc(0);
      for (const to of members) {
        if (to === from) continue;
        if (to.session?.decrypt(from.id, AUDIO, sealed).equals(frame) !== true) return `${to.id} cannot hear`;
      }
    }
    return undefined;
  }
}
