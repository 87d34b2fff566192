/** Owns letting go of a file whose items are no longer wanted, also when none was taken: a generator's `finally` is not run then. */

/** The same items; `close` is called once, at the end, at a failure, or when no more is wanted. */
export function closing<T>(items: AsyncIterable<T>, close: () => void): AsyncIterable<T> {
  let isClosed = false;
  const closeOnce = (): void => {
    if (isClosed) return;
    isClosed = true;
    close();
  };
  return {
    [Symbol.asyncIterator]() {
      const iterator = items[Symbol.asyncIterator]();
      return {
        async next() {
          try {
            const result = await iterator.next();
            if (result.done === true) closeOnce();
            return result;
          } catch (error) {
            closeOnce();
            throw error;
          }
        },
        async return() {
          await iterator.return?.();
          closeOnce();
          return { done: true, value: undefined };
        },
      };
    },
  };
}
