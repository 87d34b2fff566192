import { useEffect, useState, useSyncExternalStore } from 'react';
import { TableSession, type TableView } from './table-session.js';

/** The page's place at a room's table. It is given back when the page goes elsewhere. */
export function useTable(channelId: string): {
  readonly session: TableSession;
  readonly view: TableView;
  readonly isSupported: boolean;
} {
  const [session] = useState(() => new TableSession(channelId));
  // The server knows nothing of the browser: it draws the usual one.
  const [isSupported, setSupported] = useState(true);
  useEffect(() => setSupported(TableSession.isSupported()), []);
  useEffect(() => () => session.leave(), [session]);
  return { session, view: useSyncExternalStore(session.subscribe, session.view, session.view), isSupported };
}
