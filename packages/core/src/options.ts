/**
 * Owns how options become settings: defaults, unknown keys, ranges. Every public constructor of the suite
 * goes through {@link resolveOptions}, so all of them fail the same way.
 */

/** Tells what is wrong with a value, `undefined` when nothing is: `'must be …'`. */
export type OptionCheck = (value: unknown) => string | undefined;

/** One check per option that can be out of range. */
export type OptionChecks<T> = { readonly [K in keyof T]?: OptionCheck };

/** `T` where every key may also be `undefined`: what a user with `exactOptionalPropertyTypes` writes. */
export type OptionsInput<T> = { readonly [K in keyof T]?: T[K] | undefined };

/**
 * Merges options over their defaults. `undefined` means the default; an own key that `defaults` lacks, or a
 * value that its check refuses, throws.
 *
 * @param owner Who is configured, for the message: `'DiscordGatewayClient'`.
 * @param defaults Every known option. A required option or one without a default is listed with `undefined`.
 * @throws TypeError naming the option and what it must be.
 */
export function resolveOptions<T extends object>(
  owner: string,
  defaults: T,
  options: OptionsInput<T> | undefined,
  checks: OptionChecks<T> = {},
): T {
  const given: unknown = options ?? {};
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new TypeError(`${owner}: options must be an object`);
  }
  const resolved = { ...defaults } as Record<string, unknown>;
  for (const [key, value] of Object.entries(given)) {
    if (!Object.hasOwn(defaults, key)) {
      throw new TypeError(`${owner}: unknown option "${key}". Known: ${Object.keys(defaults).sort().join(', ')}`);
    }
    if (value !== undefined) resolved[key] = value;
  }
  for (const [key, check] of Object.entries(checks) as [string, OptionCheck | undefined][]) {
    const problem = check?.(resolved[key]);
    if (problem !== undefined) throw new TypeError(`${owner}: option "${key}" ${problem}`);
  }
  return resolved as T;
}

/** Checks for {@link resolveOptions}. */
export const check = {
  /** A safe integer within the bounds. */
  integer:
    (min: number, max: number = Number.MAX_SAFE_INTEGER): OptionCheck =>
    (value) =>
      typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max
        ? undefined
        : `must be an integer from ${min} to ${max}`,
  /** A number within the bounds; `NaN` is none. */
  number:
    (min: number, max: number): OptionCheck =>
    (value) =>
      typeof value === 'number' && value >= min && value <= max ? undefined : `must be a number from ${min} to ${max}`,
  /** A string that is not empty. */
  text:
    (what = 'a non-empty string'): OptionCheck =>
    (value) =>
      typeof value === 'string' && value.length > 0 ? undefined : `must be ${what}`,
  /** `true` or `false`, nothing that is merely truthy. */
  boolean: (): OptionCheck => (value) => (typeof value === 'boolean' ? undefined : 'must be true or false'),
  /** Anything that can be called. */
  function: (): OptionCheck => (value) => (typeof value === 'function' ? undefined : 'must be a function'),
  /** One of the strings. */
  oneOf:
    (...allowed: readonly string[]): OptionCheck =>
    (value) =>
      allowed.includes(value as string) ? undefined : `must be one of ${allowed.join(', ')}`,
  /** An absolute http or https URL; a path is kept, a trailing slash is the caller's to trim. */
  httpUrl: (): OptionCheck => (value) =>
    typeof value === 'string' && /^https?:\/\/[^\s/?#]+(?:[/?#]\S*)?$/i.test(value)
      ? undefined
      : 'must be an http or https URL',
  /** As the inner check, but an absent value is fine, too. */
  optional:
    (inner: OptionCheck): OptionCheck =>
    (value) =>
      value === undefined ? undefined : inner(value),
} as const;
