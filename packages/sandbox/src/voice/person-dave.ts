/** Owns a simulated person's part in DAVE: answers the delivery service as a client would, and encrypts what the person sends. */
import { DAVEY_MEDIA, type DaveySession, type DaveySessionFactory } from '../codec/davey.js';
import type { DaveMessage, DaveServiceInput } from './dave-service-types.js';

/** What a person's DAVE side is made with. */
export interface PersonDaveOptions {
  readonly userId: string;
  readonly channelId: string;
  readonly createSession: DaveySessionFactory;
  /** Everyone whom the voice gateway has named. */
  userIds(): readonly string[];
  /** Sends to the delivery service. */
  send(input: DaveServiceInput): void;
}

const VERSION = 1;

/** One person in one channel's group. */
export class PersonDave {
  private session: DaveySession;
  private version = VERSION;
  private readonly pending = new Map<number, number>();

  constructor(private readonly options: PersonDaveOptions) {
    this.session = options.createSession(VERSION, options.userId, options.channelId);
  }

  /** Whether what it encrypts can be read. */
  get isReady(): boolean {
    return this.version > 0 && this.session.ready;
  }

  /** Takes a message of the delivery service. */
  take(message: DaveMessage): void {
    const { userId, send } = this.options;
    if (message.kind === 'json') {
      const { op, d } = message;
      if (op === 22) this.execute(d.transition_id);
      else if (op === 21) {
        this.pending.set(d.transition_id, d.protocol_version);
        if (d.transition_id === 0) this.execute(0);
        else send({ type: 'transitionReady', userId, transitionId: d.transition_id });
      } else if (d.epoch === 1) {
        this.version = d.protocol_version;
        this.restart();
      }
      return;
    }
    const payload = Buffer.from(message.payload);
    switch (message.op) {
      case 25:
        this.session.setExternalSender(payload);
        send({ type: 'keyPackage', userId, payload: this.session.getSerializedKeyPackage() });
        return;
      case 27:
        this.answerProposals(payload);
        return;
      default:
        this.enterEpoch(payload.readUInt16BE(0), () => {
          if (message.op === 29) this.session.processCommit(payload.subarray(2));
          else this.session.processWelcome(payload.subarray(2));
        });
    }
  }

  /** Encrypts a frame; it stays as it is while there is no group. */
  encrypt(media: keyof typeof DAVEY_MEDIA, frame: Uint8Array): Uint8Array {
    if (!this.isReady) return frame;
    const { mediaType, codec } = DAVEY_MEDIA[media];
    return this.session.encrypt(mediaType, codec, Buffer.from(frame));
  }

  private answerProposals(payload: Buffer): void {
    const { userId, userIds, send } = this.options;
    try {
      const { commit, welcome } = this.session.processProposals(payload[0] ?? 0, payload.subarray(1), [...userIds()]);
      if (commit === undefined || commit === null) return;
      send({ type: 'commitWelcome', userId, payload: Buffer.concat(welcome ? [commit, welcome] : [commit]) });
    } catch {
      // Not for its epoch: others commit, and that commit is flagged if it cannot be processed.
    }
  }

  private enterEpoch(transitionId: number, process: () => void): void {
    const { userId, send } = this.options;
    try {
      process();
    } catch {
      send({ type: 'invalidCommitWelcome', userId, transitionId });
      this.restart();
      return;
    }
    if (transitionId === 0) return;
    this.pending.set(transitionId, this.version);
    send({ type: 'transitionReady', userId, transitionId });
  }

  private execute(transitionId: number): void {
    this.version = this.pending.get(transitionId) ?? this.version;
    this.pending.delete(transitionId);
  }

  private restart(): void {
    const { userId, channelId, send } = this.options;
    this.session.reinit(VERSION, userId, channelId);
    send({ type: 'keyPackage', userId, payload: this.session.getSerializedKeyPackage() });
  }
}
