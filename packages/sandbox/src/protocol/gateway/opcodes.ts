/** Owns the table of gateway opcodes (Discord docs, Opcodes and Status Codes): which way each goes, and what becomes of it here. */
import { GatewayOpcodes as Op } from 'discord-api-types/v10';

/** One opcode, one way. */
export interface OpcodeLine {
  readonly op: number;
  readonly name: string;
  /** `client`: sent by clients; `server`: sent by the sandbox. */
  readonly from: 'client' | 'server';
  /** What the sandbox does with it, or when it sends it. */
  readonly does: string;
}

/** Every opcode of the gateway that bots speak. What a client sends beside these is answered with 4001. */
export const OPCODES: readonly OpcodeLine[] = [
  { op: Op.Dispatch, name: 'Dispatch', from: 'server', does: 'numbered, filtered by intents, kept for RESUME' },
  { op: Op.Heartbeat, name: 'Heartbeat', from: 'client', does: 'answered with 11' },
  { op: Op.Heartbeat, name: 'Heartbeat', from: 'server', does: 'by `faults.requestHeartbeat`' },
  {
    op: Op.Identify,
    name: 'Identify',
    from: 'client',
    does: 'begins a session: token, intents, shard and limits are checked',
  },
  {
    op: Op.PresenceUpdate,
    name: 'Presence Update',
    from: 'client',
    does: 'kept and dispatched to those with the intent; more than 5 in 20 s of a session are ignored',
  },
  {
    op: Op.VoiceStateUpdate,
    name: 'Voice State Update',
    from: 'client',
    does: 'joins, moves, leaves; CONNECT and the user limit are checked',
  },
  { op: Op.Resume, name: 'Resume', from: 'client', does: 'replays what was missed, or answers 9 or 4007' },
  { op: Op.Reconnect, name: 'Reconnect', from: 'server', does: 'by `faults.reconnect`' },
  { op: Op.RequestGuildMembers, name: 'Request Guild Members', from: 'client', does: 'answered in chunks of 1,000' },
  {
    op: Op.InvalidSession,
    name: 'Invalid Session',
    from: 'server',
    does: 'for a session that is gone, and by `faults.invalidateSession`',
  },
  { op: Op.Hello, name: 'Hello', from: 'server', does: 'first on each connection' },
  { op: Op.HeartbeatAck, name: 'Heartbeat ACK', from: 'server', does: 'unless `faults.heartbeatAcks(false)`' },
  {
    op: Op.RequestSoundboardSounds,
    name: 'Request Soundboard Sounds',
    from: 'client',
    does: 'answered with no sounds',
  },
  { op: Op.RequestChannelInfo, name: 'Request Channel Info', from: 'client', does: 'answered' },
];
