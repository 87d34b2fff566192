/** Owns reading single fields out of a body that others wrote. `undefined` stands for absent and for a wrong type. */

/** A JSON object whose fields are not known yet. */
export type Fields = Readonly<Record<string, unknown>>;

/** The value if it is an object. */
export function fields(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

/** The field if it is a string. */
export function text(of: Fields | undefined, key: string): string | undefined {
  const value = of?.[key];
  return typeof value === 'string' ? value : undefined;
}

/** The field if it is a finite number. */
export function number(of: Fields | undefined, key: string): number | undefined {
  const value = of?.[key];
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** The field's objects if it is a list, else nothing. */
export function objects(of: Fields | undefined, key: string): Fields[] {
  const value = of?.[key];
  return Array.isArray(value) ? value.map(fields).filter((item) => item !== undefined) : [];
}
