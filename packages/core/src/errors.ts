/**
 * Owns the base of every error the suite throws. Refuses to know any package's codes: each package has
 * its own `errors.ts` with one closed union of codes.
 */

/** Marks guildkit errors across module formats and duplicated installs, where `instanceof` fails. */
const ERROR_BRAND: unique symbol = Symbol.for('@guildkit/error') as never;

/** What an error carries beside its message. */
export interface GuildkitErrorInit<Code extends string = string> {
  /** Stable code, `ERR_<PKG>_<NOUN>_<CONDITION>`. */
  readonly code: Code;
  /** Whether the same call may succeed when it is made again later. */
  readonly retryable?: boolean | undefined;
  /** The error or value that led to this one. */
  readonly cause?: unknown;
}

/** Base class of every error that a guildkit package throws or emits. */
export class GuildkitError<Code extends string = string> extends Error {
  /** Stable code, `ERR_<PKG>_<NOUN>_<CONDITION>`; the errors page of the docs has a remedy for each. */
  readonly code: Code;
  /** Whether the same call may succeed when it is made again later. */
  readonly retryable: boolean;

  constructor(name: string, message: string, init: GuildkitErrorInit<Code>) {
    // With `cause: undefined` an error would have one.
    super(message, init.cause === undefined ? undefined : init);
    this.code = init.code;
    this.retryable = init.retryable ?? false;
    // Own but not enumerable: neither a log line nor a deep-equal should show them.
    const hidden = { value: name, configurable: true, writable: true };
    Object.defineProperties(this, { name: hidden, [ERROR_BRAND]: hidden });
  }

  /** Whether a value is an error of any guildkit package, of whichever copy or module format. */
  static is(value: unknown): value is GuildkitError {
    return brandOf(value) !== undefined;
  }
}

/**
 * Whether a value is the guildkit error of that class name. Packages build their `XError.is()` on it.
 */
export function isErrorNamed(value: unknown, name: string): boolean {
  return brandOf(value) === name;
}

/** The message of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  try {
    if (!(thrown instanceof Error)) return String(thrown);
    if (thrown.message !== '') return String(thrown.message);
    // Node's connect() to a name with several addresses fails with an AggregateError that has no message.
    if (thrown instanceof AggregateError && thrown.errors.length > 0) return thrown.errors.map(messageOf).join('; ');
    return String(thrown.name);
  } catch {
    return 'a value that cannot be printed';
  }
}

function brandOf(value: unknown): string | undefined {
  try {
    const brand = (value as { [ERROR_BRAND]?: unknown } | null | undefined)?.[ERROR_BRAND];
    return typeof brand === 'string' ? brand : undefined;
  } catch {
    // A proxy may throw on any access; it is no error of ours.
    return undefined;
  }
}
