/** Owns a promise that is settled from outside, and may be ignored. */

/** A promise and its ends. */
export interface Settled {
  readonly promise: Promise<void>;
  resolve(): void;
  reject(error: unknown): void;
}

/** Makes one. A rejection that nobody looks at is no unhandled one. */
export function createSettled(): Settled {
  let resolve: () => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  promise.catch(() => {});
  return { promise, resolve, reject };
}
