/**
 * Owns a connection's side of DAVE, Discord's end-to-end encryption (DAVE whitepaper 1.1): what the voice gateway says goes
 * in, what it has to be told comes out, frames are encrypted and decrypted in between. Refuses sockets and timers.
 *
 * How a connection uses it, one client per voice gateway session (kept over a resume, made anew with every Identify):
 *
 * 1. Before Identify: `const dave = createDaveClient({ userId, channelId, library: await loadDaveLibrary() })`, unless
 *    `dave: false`; op 0 carries `max_dave_protocol_version: dave.maxProtocolVersion`, 0 without a client.
 * 2. Op 4: `handle({ type: 'session', protocolVersion }, now)`. Ops 11, 13, 21, 22, 24: `handle(daveInputOf(op, d), now)`
 *    where that is not `undefined`. Binary 25, 27, 29, 30: `handle({ type: 'binary', op, payload }, now)`, the payload being
 *    what follows the op byte. All in the order of arrival, also in a replay.
 * 3. Every effect in order: `sendJson` and `sendBinary` to the voice gateway (binary as `u8 op | payload`), `event` onwards.
 * 4. After every `handle`: one timer for `deadline`; when it comes, `handle({ type: 'timer' }, now)`.
 * 5. Sending: `encrypt` a whole encoded frame, then packetise it. Receiving: depacketise, then `decrypt` the whole frame, as
 *    late as can be (when a frame leaves the jitter buffer): a frame that overtook the commit of its epoch can be opened then.
 *    After a `pending` answer the same frame may be tried again once an event `keys` has come.
 */
export { loadDaveLibrary } from '../codec/dave/davey.js';
export type { DaveLibrary } from '../codec/dave/mls-session.js';
export type {
  DaveActivity,
  DaveClient,
  DaveCodec,
  DaveEffect,
  DaveEvent,
  DaveInput,
  DaveMediaKind,
  DaveStats,
} from '../protocol/dave/dave-types.js';
export { daveInputOf } from '../protocol/dave/json-messages.js';
export { createDaveClient } from './dave-client.js';
