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
    const online = (): void => listener('online');
    const offline = (): void => listener('offline');
    const visible = (): void => {
      if (document?.visibilityState === 'visible') listener('visible');
    };
    page.addEventListener?.('online', online);
    page.addEventListener?.('offline', offline);
    document?.addEventListener('visibilitychange', visible);
    if (page.navigator?.onLine === false) offline();
    return () => {
      page.removeEventListener?.('online', online);
      page.removeEventListener?.('offline', offline);
      document?.removeEventListener('visibilitychange', visible);
    };
  },
};
