/**
 * Owns the table before anybody has sat down: what sends, shows and plays is loaded by the first thing that a player does
 * there. From then on it hands everything on.
 */
import type { Unsubscribe } from '@guildkit/core';
import type { TableSession } from './table-session.js';
import { TABLE_OFF, type TableView } from './table-view.js';

const LOADING: TableView = { ...TABLE_OFF, status: 'connecting' };
const NOT_LOADED: TableView = { ...TABLE_OFF, problem: 'The server did not answer. Try again.' };

/** How a session is made: a module that is loaded when it is asked for. */
export type LoadSession = () => Promise<TableSession>;

export class TableSeat {
  private readonly loadSession: LoadSession;
  private readonly listeners = new Set<() => void>();
  private session: TableSession | undefined;
  private before: TableView = TABLE_OFF;
  /** What waits for the session: given up when the table is left. */
  private waiting: ((session: TableSession) => void)[] = [];

  constructor(loadSession: LoadSession) {
    this.loadSession = loadSession;
  }

  readonly view = (): TableView => this.session?.view() ?? this.before;

  readonly subscribe = (listener: () => void): Unsubscribe => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Takes a seat. Called by something the player did: sound may play from then on. */
  listen(): void {
    this.act((session) => session.listen());
  }

  toggleMicrophone(): void {
    this.act((session) => void session.toggleMicrophone());
  }

  toggleCamera(): void {
    this.act((session) => void session.toggleCamera());
  }

  /** Draws a stream; see {@link TableSession.play}. @returns ends it. */
  play(stream: number, canvas: HTMLCanvasElement, onFrame?: (frame: VideoFrame) => void): () => void {
    return this.session?.play(stream, canvas, onFrame) ?? (() => {});
  }

  /** Tries at once where a wait is under way, and again where it was given up. */
  retry(): void {
    this.session?.retry();
  }

  /** Gives the seat back; camera and microphone are off. */
  leave(): void {
    this.waiting = [];
    if (this.session === undefined) this.show(TABLE_OFF);
    else this.session.leave();
  }

  private act(what: (session: TableSession) => void): void {
    if (this.session !== undefined) {
      what(this.session);
      return;
    }
    this.waiting.push(what);
    if (this.before === LOADING) return;
    this.show(LOADING);
    this.loadSession().then(
      (session) => this.start(session),
      () => {
        this.waiting = [];
        this.show(NOT_LOADED);
      },
    );
  }

  private start(session: TableSession): void {
    // Left and come again while it was loaded: there is one already.
    if (this.session === undefined) {
      this.session = session;
      session.subscribe(() => this.tell());
    }
    const waiting = this.waiting.splice(0);
    for (const what of waiting) what(this.session);
    if (waiting.length === 0) this.tell();
  }

  private show(view: TableView): void {
    this.before = view;
    this.tell();
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}
