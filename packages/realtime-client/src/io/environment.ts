/** Owns what the page knows about itself: online or not, shown or not. Outside a page it knows nothing. */

/** What the surroundings tell. */
export type EnvironmentSignal = 'online' | 'offline' | 'visible';

/** The surroundings of a client. */
export interface Environment {
  /**
   * Calls back on every change, and at once with `offline` when it starts offline.
   *
   * @returns a function that ends it.
   */
  watch(listener: (signal: EnvironmentSignal) => void): () => void;
}

const SIGNALS = ['online', 'offline', 'visibilitychange'];

/** The page the client runs in. `visibilitychange` bubbles up to the window. */
export const pageEnvironment: Environment = {
  watch(listener) {
    const tell = ({ type }: { readonly type: string }): void => {
      if (type !== 'visibilitychange') listener(type as EnvironmentSignal);
      else if (!globalThis.document?.hidden) listener('visible');
    };
    // Nothing of this exists in Node.
    const each = (action: 'addEventListener' | 'removeEventListener'): void => {
      for (const type of SIGNALS) globalThis[action]?.(type, tell);
    };
    each('addEventListener');
    if (globalThis.navigator?.onLine === false) listener('offline');
    return () => each('removeEventListener');
  },
};
