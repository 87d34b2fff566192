import { useEffect, useState, useSyncExternalStore } from 'react';
import { TableSeat } from './table-seat.js';
import type { TableView } from './table-view.js';

/** A page's place at a table, and how it is. */
export interface TablePlace {
  readonly session: TableSeat;
  readonly view: TableView;
  /** Whether this browser can show and send. */
  readonly isSupported: boolean;
}

/** The page's place at a room's table. It is given back when the page goes elsewhere. */
export function useTable(channelId: string, ownId: string): TablePlace {
  const [session] = useState(
    () => new TableSeat(async () => new (await import('./table-session.js')).TableSession(channelId, ownId)),
  );
  // The server knows nothing of the browser: it draws the usual one.
  const [isSupported, setSupported] = useState(true);
  useEffect(() => setSupported(typeof VideoDecoder !== 'undefined' && typeof AudioEncoder !== 'undefined'), []);
  useEffect(() => () => session.leave(), [session]);
  return { session, view: useSyncExternalStore(session.subscribe, session.view, session.view), isSupported };
}
