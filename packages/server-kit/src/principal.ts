/** Owns who a request or connection acts for: the one shape that every part of server-kit passes on. */

/** Someone who has proved who they are. */
export interface Principal {
  /** A Discord user id, or whatever identifies a user in this app. */
  readonly userId: string;
  /** Roles such as `chat:write`; what they allow is the app's to say. */
  readonly roles: readonly string[];
  /** Unix ms at which the proof ends; `Infinity` for one that does not end. */
  readonly expiresAt: number;
}
