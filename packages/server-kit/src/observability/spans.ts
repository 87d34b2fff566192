/** Owns the seam to tracing systems, without depending on one. */

/** Ends a span; with an error when it failed. */
export type EndSpan = (error?: unknown) => void;

/** Starts a span. A few lines connect it to OpenTelemetry's tracer. */
export type StartSpan = (name: string, attributes: Readonly<Record<string, string | number | boolean>>) => EndSpan;

/** Runs a function inside a span. What it returns or throws is passed on; a tracer that throws disturbs nothing. */
export async function withSpan<T>(
  start: StartSpan | undefined,
  name: string,
  attributes: Readonly<Record<string, string | number | boolean>>,
  run: () => T | Promise<T>,
): Promise<T> {
  const end = quietly(() => start?.(name, attributes));
  try {
    const value = await run();
    quietly(() => end?.());
    return value;
  } catch (error) {
    quietly(() => end?.(error));
    throw error;
  }
}

function quietly<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}
