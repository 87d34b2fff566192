/** Owns what a command is: its input, who may give it, what it does. */
import type { FieldIssue } from '@guildkit/core/wire';
import type { Principal } from '../principal.js';

/** What checks an input: a zod schema, of any major version and of `zod/mini`. */
export interface InputSchema<Input> {
  /** The input as it is used, or what is wrong with it. */
  safeParse(value: unknown):
    | { readonly success: true; readonly data: Input }
    | {
        readonly success: false;
        readonly error: {
          readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
        };
      };
}

/** What `run` and `allow` know beside the input. */
export interface CommandContext {
  readonly name: string;
  readonly requestId: string;
  readonly traceId: string;
  /** Unix ms at which the command arrived. */
  readonly sentAt: number;
  readonly principal: Principal;
  /** As `resolveUser` gave them, or the principal's own. */
  readonly roles: readonly string[];
  /** Fires when nobody waits for the result any more. */
  readonly signal: AbortSignal;
}

/** A command. */
export interface CommandDefinition<Input = never> {
  readonly input: InputSchema<Input>;
  /**
   * Roles that the user must have, all of them.
   * @defaultValue none
   */
  readonly roles?: readonly string[] | undefined;
  /** The channel whose bucket the command takes from as well. */
  readonly channel?: ((input: Input) => string | undefined) | undefined;
  /** A last word on whether this user may do this, here. Anything but `true` is a no. */
  readonly allow?: ((input: Input, context: CommandContext) => boolean | Promise<boolean>) | undefined;
  /**
   * `false`: takes from no bucket.
   * @defaultValue true
   */
  readonly limited?: boolean | undefined;
  /** Does it, in this process. Without it the command goes to the link. What it gives is told to the client, as JSON. */
  readonly run?: ((input: Input, context: CommandContext) => unknown) | undefined;
}

/** A command as the link carries it. */
export interface LinkedCommand {
  readonly name: string;
  readonly input: unknown;
  readonly requestId: string;
  readonly traceId: string;
  readonly sentAt: number;
  readonly userId: string;
}

/** The way to whoever carries commands out in another process. */
export interface CommandLink {
  /** Commands are sent at once. */
  isUp(): boolean;
  /** Calls back whenever it is up again. */
  onUp(listener: () => void): () => void;
  /** Resolves to the result. Rejects with what is told as a refusal: see {@link CommandError}. */
  send(command: LinkedCommand, signal: AbortSignal): Promise<unknown>;
}

/** Gives a command its types: the input of `run` is what the schema makes. */
export function defineCommand<Input>(definition: CommandDefinition<Input>): CommandDefinition {
  return definition as unknown as CommandDefinition;
}

/** Where an input is wrong, and what; bounded, as it is told to the peer. */
export function fieldsOf(
  issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[],
): readonly FieldIssue[] {
  return issues.slice(0, 20).map(({ path, message }) => ({
    path: path.map(String).join('.').slice(0, 100),
    message: message.slice(0, 200),
  }));
}
