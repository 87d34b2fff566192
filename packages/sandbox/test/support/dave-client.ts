/** Makes a voice client speak DAVE, with davey: answers what the delivery service says, and decrypts. */
import { DAVESession } from '@snazzah/davey';
import type { VoiceClient, VoiceMessage } from './voice-client.js';

/** Begins at once: call it before the description comes, or right behind. */
export function speakDave(client: VoiceClient) {
  const { userId, channelId } = client.ticket;
  const session = new DAVESession(1, userId, channelId);
  const ready = (payload: Buffer): void => {
    const transitionId = payload.readUInt16BE(0);
    if (transitionId !== 0) client.send({ op: 23, d: { transition_id: transitionId } });
  };
  const binary = (op: number, ...parts: Buffer[]): void => client.sendRaw(Buffer.concat([Buffer.from([op]), ...parts]));
  const take = ({ op, d, payload = Buffer.alloc(0) }: VoiceMessage): void => {
    if (op === 4) binary(26, session.getSerializedKeyPackage());
    else if (op === 24 && d.epoch === 1) {
      session.reinit(1, userId, channelId);
      binary(26, session.getSerializedKeyPackage());
    } else if (op === 21 && d.transition_id !== 0) client.send({ op: 23, d: { transition_id: d.transition_id } });
    else if (op === 25) session.setExternalSender(payload);
    else if (op === 27) {
      const { commit, welcome } = session.processProposals(payload[0] ?? 0, payload.subarray(1), client.userIds);
      if (commit) binary(28, commit, ...(welcome ? [welcome] : []));
    } else if (op === 29) {
      session.processCommit(payload.subarray(2));
      ready(payload);
    } else if (op === 30) {
      session.processWelcome(payload.subarray(2));
      ready(payload);
    }
  };
  client.follow(take);
  return session;
}
