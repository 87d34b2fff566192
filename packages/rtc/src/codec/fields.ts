/** Owns reading single fields out of a body that others wrote. `undefined` stands for absent and for a wrong type. */

/** A JSON object whose fields are not known yet. */
export type Fields = Readonly<Record<string, unknown>>;

/** The value if it is an object. */
export function fields(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

/** The value if it is a string that is not empty and not absurd. */
export function text(value: unknown): string | undefined {
  return typeof value === 'string' && value.length > 0 && value.length <= 1_024 ? value : undefined;
}

/** A user's or channel's id. */
export function snowflake(value: unknown): string | undefined {
  return typeof value === 'string' && /^\d{1,20}$/.test(value) ? value : undefined;
}

/** The value if it is an integer that fits so many bits. */
export function uint(value: unknown, bits: number): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** bits ? value : undefined;
}

/** The list, cut to a length that memory bears; nothing when it is none. */
export function list(value: unknown, limit: number): readonly unknown[] {
  return Array.isArray(value) ? value.slice(0, limit) : [];
}
