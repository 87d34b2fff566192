/** Owns whom a message mentions: what its text names, less what `allowed_mentions` and permissions leave out (Discord docs, Message: Allowed Mentions). */

/** `allowed_mentions` of a message. */
export interface AllowedMentions {
  readonly parse: readonly ('users' | 'roles' | 'everyone')[];
  readonly users: readonly string[];
  readonly roles: readonly string[];
  readonly repliedUser: boolean;
}

/** What a message mentions. */
export interface Mentions {
  readonly users: readonly string[];
  readonly roles: readonly string[];
  readonly everyone: boolean;
}

/** What stands where the message is. */
export interface MentionSurroundings {
  isUser(id: string): boolean;
  /** Whether the role is there, and the author may mention it. */
  isRole(id: string): boolean;
  readonly mayMentionEveryone: boolean;
  /** Author of the message that this one answers. */
  readonly repliedTo: string | undefined;
}

/** Mentions of one message at most, of each kind (Discord docs: Allowed Mentions). */
const MAX_MENTIONS = 100;

/** Reads a message's mentions. Without `allowed` everything that is named is mentioned. */
export function mentionsIn(
  content: string,
  allowed: AllowedMentions | undefined,
  around: MentionSurroundings,
): Mentions {
  const may = (kind: 'users' | 'roles', id: string): boolean =>
    allowed === undefined || allowed.parse.includes(kind) || allowed[kind].includes(id);
  const named = (pattern: RegExp): string[] => [...new Set([...content.matchAll(pattern)].map(([, id]) => id ?? ''))];
  const users = named(/<@!?(\d{1,20})>/g).filter((id) => around.isUser(id) && may('users', id));
  const roles = named(/<@&(\d{1,20})>/g).filter((id) => around.isRole(id) && may('roles', id));
  const { repliedTo } = around;
  if (repliedTo !== undefined && !users.includes(repliedTo) && (allowed?.repliedUser ?? true)) users.unshift(repliedTo);
  const everyone =
    /@(?:everyone|here)\b/.test(content) &&
    around.mayMentionEveryone &&
    (allowed === undefined || allowed.parse.includes('everyone'));
  return { users: users.slice(0, MAX_MENTIONS), roles: roles.slice(0, MAX_MENTIONS), everyone };
}
