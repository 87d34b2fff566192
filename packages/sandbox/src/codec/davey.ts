/**
 * Owns the seam to `@snazzah/davey`, an optional peer: the MLS side of simulated people who send media where DAVE is on.
 * Loaded when the first one does.
 */

/** What is used of a session of davey. */
export interface DaveySession {
  readonly ready: boolean;
  setExternalSender(data: Buffer): void;
  getSerializedKeyPackage(): Buffer;
  processProposals(
    operation: number,
    proposals: Buffer,
    recognizedUserIds: string[],
  ): { readonly commit?: Buffer | undefined; readonly welcome?: Buffer | undefined };
  processCommit(commit: Buffer): void;
  processWelcome(welcome: Buffer): void;
  reinit(version: number, userId: string, channelId: string): void;
  encrypt(mediaType: number, codec: number, packet: Buffer): Buffer;
}

/** Makes sessions. */
export type DaveySessionFactory = (version: number, userId: string, channelId: string) => DaveySession;

/** Numbers of davey's types of media, each with the one codec that people send. */
export const DAVEY_MEDIA = {
  audio: { mediaType: 0, codec: 1 },
  video: { mediaType: 1, codec: 2 },
} as const;

/** Loads davey; rejects when it is not installed. */
export async function loadDavey(
  load: () => Promise<unknown> = () => import('@snazzah/davey'),
): Promise<DaveySessionFactory> {
  // As CommonJS it has its exports on `default`, depending on who loads it.
  const module = (await load()) as { DAVESession?: unknown; default?: { DAVESession?: unknown } };
  const DAVESession = module.DAVESession ?? module.default?.DAVESession;
  if (typeof DAVESession !== 'function') throw new TypeError('@snazzah/davey has no DAVESession');
  const Session = DAVESession as new (version: number, userId: string, channelId: string) => DaveySession;
  return (version, userId, channelId) => new Session(version, userId, channelId);
}
