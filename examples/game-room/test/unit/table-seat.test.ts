import { expect, test } from 'vitest';
import { TableSeat } from '../../src/room/table-seat.js';
import type { TableSession } from '../../src/room/table-session.js';
import { TABLE_OFF, type TableView } from '../../src/room/table-view.js';

/** A session that writes down what it is asked for. */
function fakeSession() {
  const asked: string[] = [];
  let shown: TableView = TABLE_OFF;
  const listeners = new Set<() => void>();
  const take = (what: string, status: TableView['status']) => () => {
    asked.push(what);
    shown = { ...shown, status };
    for (const listener of listeners) listener();
  };
  const session = {
    view: () => shown,
    subscribe(listener: () => void) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    listen: take('listen', 'open'),
    toggleMicrophone: take('microphone', 'open'),
    toggleCamera: take('camera', 'open'),
    leave: take('leave', 'off'),
  };
  return { session: session as unknown as TableSession, asked };
}

function deferred() {
  let resolve = (_session: TableSession): void => {};
  const promise = new Promise<TableSession>((settle) => {
    resolve = settle;
  });
  return { promise, resolve: (session: TableSession) => resolve(session) };
}

test('what a player does first loads the session, and is done when it is there', async () => {
  const { session, asked } = fakeSession();
  const loaded = deferred();
  let loads = 0;
  const seat = new TableSeat(() => {
    loads += 1;
    return loaded.promise;
  });
  const seen: string[] = [];
  seat.subscribe(() => seen.push(seat.view().status));
  expect([seat.view(), loads]).toEqual([TABLE_OFF, 0]);
  seat.toggleCamera();
  seat.toggleMicrophone();
  expect([seen, asked, loads]).toEqual([['connecting'], [], 1]);
  loaded.resolve(session);
  await loaded.promise;
  expect(asked).toEqual(['camera', 'microphone']);
  seat.leave();
  expect([asked.at(-1), seat.view().status, loads]).toEqual(['leave', 'off', 1]);
});

test('whoever leaves while it loads is not brought back', async () => {
  const { session, asked } = fakeSession();
  const loaded = deferred();
  const seat = new TableSeat(() => loaded.promise);
  seat.listen();
  seat.leave();
  expect(seat.view()).toBe(TABLE_OFF);
  loaded.resolve(session);
  await loaded.promise;
  expect(asked).toEqual([]);
  seat.listen();
  expect([asked, seat.view().status]).toEqual([['listen'], 'open']);
});

test('a session that cannot be loaded is said, and tried again at the next click', async () => {
  const { session, asked } = fakeSession();
  const answers = [Promise.reject(new Error('offline')), Promise.resolve(session)];
  const seat = new TableSeat(() => answers.shift() as Promise<TableSession>);
  seat.listen();
  await expect.poll(() => seat.view().problem).toBe('The server did not answer. Try again.');
  expect(seat.view().status).toBe('off');
  seat.listen();
  await expect.poll(() => asked).toEqual(['listen']);
  expect(seat.view().problem).toBeUndefined();
});
