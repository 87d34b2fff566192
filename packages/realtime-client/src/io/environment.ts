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

interface Page extends Partial<Pick<Window, 'addEventListener' | 'removeEventListener'>> {
  readonly navigator?: { readonly onLine?: boolean };
  readonly document?: Document;
}

/** The page the client runs in. */
export const pageEnvironment: Environment = {
  watch(listener) {
    const page = globalThis as unknown as Page;
    const { document } = page;
    const tell = ({ type }: { readonly type: string }): void => {
      if (type !== 'visibilitychange') listener(type as EnvironmentSignal);
      else if (document?.visibilityState === 'visible') listener('visible');
    };
    const each = (action: 'addEventListener' | 'removeEventListener'): void => {
      page[action]?.('online', tell);
      page[action]?.('offline', tell);
      document?.[action]('visibilitychange', tell);
    };
    each('addEventListener');
    if (page.navigator?.onLine === false) listener('offline');
    return () => each('removeEventListener');
  },
};
