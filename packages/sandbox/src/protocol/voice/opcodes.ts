/**
 * Owns the table of voice gateway opcodes (Discord docs, Opcodes and Status Codes: Voice; those that Discord's own clients
 * use beside it): which way each goes, how, and what becomes of it here.
 */

/** Numbers of the opcodes by name. */
export const VoiceOp = {
  Identify: 0,
  SelectProtocol: 1,
  Ready: 2,
  Heartbeat: 3,
  SessionDescription: 4,
  Speaking: 5,
  HeartbeatAck: 6,
  Resume: 7,
  Hello: 8,
  Resumed: 9,
  ClientsConnect: 11,
  Video: 12,
  ClientDisconnect: 13,
  SessionUpdate: 14,
  MediaSinkWants: 15,
  BackendVersion: 16,
  Flags: 18,
  Platform: 20,
  PrepareTransition: 21,
  ExecuteTransition: 22,
  TransitionReady: 23,
  PrepareEpoch: 24,
  ExternalSender: 25,
  KeyPackage: 26,
  Proposals: 27,
  CommitWelcome: 28,
  AnnounceCommit: 29,
  Welcome: 30,
  InvalidCommitWelcome: 31,
  NoRoute: 32,
} as const;

/** One opcode, one way. */
export interface VoiceOpcodeLine {
  readonly op: number;
  readonly name: string;
  /** `client`: sent by clients; `server`: sent by the sandbox. */
  readonly from: 'client' | 'server';
  readonly form: 'json' | 'binary';
  /** Whether it has a sequence number, and is kept for a resume. */
  readonly numbered?: boolean | undefined;
  /** What the sandbox does with it, or when it sends it. */
  readonly does: string;
}

const client = (op: number, name: string, does: string, form: 'json' | 'binary' = 'json'): VoiceOpcodeLine => ({
  op,
  name,
  from: 'client',
  form,
  does,
});
const server = (op: number, name: string, does: string): VoiceOpcodeLine => ({
  op,
  name,
  from: 'server',
  form: 'json',
  does,
});
const numbered = (op: number, name: string, does: string, form: 'json' | 'binary' = 'json'): VoiceOpcodeLine => ({
  ...server(op, name, does),
  form,
  numbered: true,
});

/** Every opcode of the voice gateway. What a client sends beside these is answered with 4001. */
export const VOICE_OPCODES: readonly VoiceOpcodeLine[] = [
  client(
    VoiceOp.Identify,
    'Identify',
    'token, session and server are checked against the voice state of the main gateway',
  ),
  client(VoiceOp.SelectProtocol, 'Select Protocol', 'protocol `udp` and an offered mode; may be sent again'),
  server(VoiceOp.Ready, 'Ready', 'SSRCs, address of the media server, modes, streams'),
  client(VoiceOp.Heartbeat, 'Heartbeat', 'answered with 6; `seq_ack` frees what is kept for a resume'),
  server(VoiceOp.SessionDescription, 'Session Description', 'mode, key, codecs, DAVE version'),
  client(VoiceOp.Speaking, 'Speaking', 'told to the others in the channel'),
  numbered(VoiceOp.Speaking, 'Speaking', 'with `user_id`; to newcomers for everyone who announced'),
  server(VoiceOp.HeartbeatAck, 'Heartbeat ACK', 'unless `faults.voice.heartbeatAcks(false)`'),
  client(VoiceOp.Resume, 'Resume', 'replays what was missed after `seq_ack`, or 4004, 4006, 4011'),
  server(VoiceOp.Hello, 'Hello', 'first on each connection'),
  server(VoiceOp.Resumed, 'Resumed', 'before the replay'),
  numbered(VoiceOp.ClientsConnect, 'Clients Connect', 'who is in the channel, to newcomers; newcomers, to the others'),
  client(VoiceOp.Video, 'Video', 'told to the others; switches `self_video` of the voice state'),
  numbered(VoiceOp.Video, 'Video', 'with `user_id`; to newcomers for everyone who shows video'),
  numbered(VoiceOp.ClientDisconnect, 'Client Disconnect', 'who left, to the others'),
  client(VoiceOp.SessionUpdate, 'Session Update', 'codecs; answered with the codec chosen'),
  server(VoiceOp.SessionUpdate, 'Session Update', 'the codecs chosen'),
  client(VoiceOp.MediaSinkWants, 'Media Sink Wants', 'a stream that is wanted with 0 is not forwarded'),
  server(VoiceOp.MediaSinkWants, 'Media Sink Wants', 'what the others want of the streams of a client'),
  client(VoiceOp.BackendVersion, 'Voice Backend Version', 'answered'),
  server(VoiceOp.BackendVersion, 'Voice Backend Version', 'when asked'),
  numbered(VoiceOp.Flags, 'Client Flags', 'with 11'),
  numbered(VoiceOp.Platform, 'Client Platform', 'with 11'),
  numbered(VoiceOp.PrepareTransition, 'DAVE Prepare Transition', 'when encryption goes or comes back'),
  numbered(VoiceOp.ExecuteTransition, 'DAVE Execute Transition', 'when everyone is ready'),
  client(VoiceOp.TransitionReady, 'DAVE Transition Ready', 'counted'),
  numbered(VoiceOp.PrepareEpoch, 'DAVE Prepare Epoch', 'when the group begins anew'),
  numbered(VoiceOp.ExternalSender, 'DAVE External Sender', 'after Session Description', 'binary'),
  client(VoiceOp.KeyPackage, 'DAVE Key Package', 'proposed to the group', 'binary'),
  numbered(VoiceOp.Proposals, 'DAVE Proposals', 'members to add and to remove', 'binary'),
  client(VoiceOp.CommitWelcome, 'DAVE Commit Welcome', 'the first valid one of an epoch wins', 'binary'),
  numbered(VoiceOp.AnnounceCommit, 'DAVE Announce Commit', 'to the members', 'binary'),
  numbered(VoiceOp.Welcome, 'DAVE Welcome', 'to those added', 'binary'),
  client(VoiceOp.InvalidCommitWelcome, 'DAVE Invalid Commit Welcome', 'the member is added anew'),
  client(VoiceOp.NoRoute, 'No Route', 'counted'),
];
