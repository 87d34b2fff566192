/**
 * Owns how the tabs of a browser come to one connection: which of them holds it (a Web Lock), how the others reach it (a
 * BroadcastChannel), and what happens when it goes. Refuses frames: the relay knows them.
 */
import { createDriver, type Driver } from '@guildkit/core';
import type { ClientFrame } from '@guildkit/core/wire';
import { parseFrame } from '../protocol/frame.js';
import { NO_TABS, type RelayEffect, type RelayInput, type RelayState, relayStep } from '../protocol/tab-relay.js';
import type { ConnectHint, Transport, TransportConnection, TransportHandlers } from './transport.js';

/** What is used of a `BroadcastChannel`. */
export interface TabChannel {
  /** Called with what other tabs post. */
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  /** Posts to all other tabs. */
  postMessage(message: unknown): void;
  /** Ends it. */
  close(): void;
}

/** What is used of `navigator.locks`. */
export interface TabLocks {
  /** Calls back once the lock is held, and holds it until the promise settles. */
  request(
    name: string,
    options: { readonly signal?: AbortSignal },
    callback: () => Promise<void> | void,
  ): Promise<unknown>;
}

/** What tabs find each other with. */
export interface TabPlatform {
  readonly locks: TabLocks;
  /** Opens the channel of that name. */
  openChannel(name: string): TabChannel;
}

/** Settings of {@link sharedTransport}. */
export interface SharedTransportOptions {
  /** Tabs that give the same name share a connection. Let it hold the user's id: `guildkit:42`. */
  readonly name: string;
  /** @defaultValue the browser's; where it has none, every tab has its own connection */
  readonly platform?: TabPlatform | undefined;
}

/** From a tab to the one that relays, from that one to a tab, or from it to all. */
type TabMessage =
  | { readonly kind: 'attach'; readonly tab: string }
  | { readonly kind: 'leave'; readonly tab: string; readonly broken: boolean }
  | { readonly kind: 'said'; readonly tab: string; readonly text: string }
  | { readonly kind: 'told'; readonly to: string; readonly text: string }
  | { readonly kind: 'end'; readonly to: string; readonly code: number; readonly reason: string }
  | { readonly kind: 'lead' };

/** A connection of this tab. */
interface Member {
  readonly id: string;
  readonly handlers: TransportHandlers;
  /** A relay has answered. */
  isServed: boolean;
}

/** As for a hub that goes away: come back, and it is no failed try. */
const MOVED = { code: 4503, reason: 'another tab holds the connection now' } as const;

/**
 * Lets the tabs of a browser use one connection: the first holds it, the others speak to the hub through it. When the
 * first closes, the next takes over, and the rooms' states are fetched anew.
 */
export function sharedTransport(transport: Transport, { name, platform }: SharedTransportOptions): Transport {
  let session: Session | undefined;
  let made = 0;
  return {
    connect(handlers, hint) {
      const found = platform ?? pagePlatform();
      if (!found) return transport.connect(handlers, hint);
      session ??= new Session(transport, name, found);
      const mine = session;
      made += 1;
      const member: Member = { id: `${mine.page}.${made}`, handlers, isServed: false };
      mine.hint = hint;
      mine.join(member);
      return {
        send: (text) => mine.say(member, text),
        close(code) {
          mine.leave(member, code !== 1000);
          // The client has ended, and with it this tab's part.
          if (code === 1000) {
            mine.stop();
            if (session === mine) session = undefined;
          }
        },
      };
    },
  };
}

/** This tab's part, from the first connection to the client's end. */
class Session {
  readonly page = Math.random().toString(36).slice(2);
  /** What this tab's client says of itself: the others are of the same app. */
  hint: ConnectHint | undefined;
  private readonly transport: Transport;
  private readonly name: string;
  private readonly locks: TabLocks;
  private readonly channel: TabChannel;
  private readonly ended = new AbortController();
  private member: Member | undefined;
  private relay: Driver<RelayState, RelayInput> | undefined;
  private link: TransportConnection | undefined;
  private failure: unknown;
  /** This page's own lock is held. */
  private isPresent = false;
  /** Pages whose end is waited for. */
  private readonly watched = new Set<string>();

  constructor(transport: Transport, name: string, { locks, openChannel }: TabPlatform) {
    this.transport = transport;
    this.name = name;
    this.locks = locks;
    this.channel = openChannel(name);
    this.channel.onmessage = ({ data }) => this.take(data as TabMessage);
    // Held as long as this page lives: who relays sees by it when it does not any more.
    this.hold(`${name} ${this.page}`, () => {
      this.isPresent = true;
      this.attach();
    });
    this.hold(name, () => this.lead());
  }

  /** @throws What the transport throws when this tab makes the connection. */
  join(member: Member): void {
    this.member = member;
    if (!this.relay) {
      this.attach();
      return;
    }
    this.relay.dispatch({ type: 'attach', tab: member.id });
    const { failure } = this;
    this.failure = undefined;
    if (failure !== undefined) throw failure;
  }

  say(member: Member, text: string): void {
    if (member !== this.member) return;
    if (this.relay) this.relay.dispatch({ type: 'said', tab: member.id, frame: JSON.parse(text) as ClientFrame });
    else this.channel.postMessage({ kind: 'said', tab: member.id, text } satisfies TabMessage);
  }

  leave(member: Member, broken: boolean): void {
    if (member !== this.member) return;
    this.member = undefined;
    if (this.relay) this.relay.dispatch({ type: 'leave', tab: member.id, broken });
    else this.channel.postMessage({ kind: 'leave', tab: member.id, broken } satisfies TabMessage);
  }

  stop(): void {
    this.link?.close(1000);
    this.relay?.dispatch({ type: 'lost', ...MOVED });
    this.ended.abort();
    this.channel.close();
  }

  /** Asks the tab that relays to take this one in: not before it can see when this page goes. */
  private attach(): void {
    const { member, relay, isPresent } = this;
    if (!isPresent || !member || relay) return;
    this.channel.postMessage({ kind: 'attach', tab: member.id } satisfies TabMessage);
  }

  /** Waits for a lock and holds it until the session ends. */
  private hold(lock: string, onHeld: () => void): void {
    const { signal } = this.ended;
    this.locks
      .request(lock, { signal }, () => {
        onHeld();
        return new Promise((release) => signal.addEventListener('abort', () => release(), { once: true }));
      })
      // Given up before it was held.
      .catch(() => {});
  }

  /** From here on this tab holds the connection. */
  private lead(): void {
    this.relay = createDriver<RelayState, RelayInput, RelayEffect>({
      reducer: {
        step: (state, input) => (input.type === 'timer' ? { state, effects: [] } : relayStep(state, input)),
        deadline: () => undefined,
      },
      initial: NO_TABS,
      run: (effect) => this.run(effect),
      onEffectError: (error) => {
        this.failure = error;
        this.relay?.dispatch({ type: 'lost', code: 1006, reason: '' });
      },
    });
    this.channel.postMessage({ kind: 'lead' } satisfies TabMessage);
    const { member } = this;
    if (member?.isServed) this.end(member, MOVED);
    else if (member) this.relay.dispatch({ type: 'attach', tab: member.id });
  }

  private run(effect: RelayEffect): void {
    const { member, channel } = this;
    switch (effect.type) {
      case 'dial': {
        const link: TransportConnection = this.transport.connect(
          {
            onMessage: (data) => {
              const frame = parseFrame(data);
              if (frame && this.link === link) this.relay?.dispatch({ type: 'heard', frame });
            },
            onClose: ({ code, reason }) => {
              if (this.link === link) this.relay?.dispatch({ type: 'lost', code, reason });
            },
          },
          this.hint,
        );
        this.link = link;
        return;
      }
      case 'hangUp':
        this.link?.close(effect.code);
        this.link = undefined;
        return;
      case 'send':
        this.link?.send(JSON.stringify(effect.frame));
        return;
      case 'tell': {
        const text = JSON.stringify(effect.frame);
        if (effect.tab === member?.id) this.tell(member, text);
        else if (!this.isOwn(effect.tab))
          channel.postMessage({ kind: 'told', to: effect.tab, text } satisfies TabMessage);
        return;
      }
      case 'end': {
        const { tab: to, code, reason } = effect;
        if (to === member?.id) this.end(member, { code, reason });
        else if (!this.isOwn(to)) channel.postMessage({ kind: 'end', to, code, reason } satisfies TabMessage);
      }
    }
  }

  private take(message: TabMessage): void {
    const { member, relay } = this;
    switch (message.kind) {
      case 'attach':
        relay?.dispatch({ type: 'attach', tab: message.tab });
        if (relay) this.watch(message.tab.split('.')[0] as string);
        return;
      case 'leave':
        relay?.dispatch({ type: 'leave', tab: message.tab, broken: message.broken });
        return;
      case 'said':
        relay?.dispatch({ type: 'said', tab: message.tab, frame: JSON.parse(message.text) as ClientFrame });
        return;
      case 'told':
        if (member?.id === message.to) this.tell(member, message.text);
        return;
      case 'end':
        if (member?.id === message.to) this.end(member, message);
        return;
      case 'lead':
        if (!member) return;
        if (member.isServed) this.end(member, MOVED);
        else this.attach();
    }
  }

  /** Sees when a page has gone without a word. */
  private watch(page: string): void {
    if (this.watched.has(page)) return;
    this.watched.add(page);
    this.locks
      .request(`${this.name} ${page}`, { signal: this.ended.signal }, () => {
        this.watched.delete(page);
        for (const tab of this.relay?.state.tabs ?? []) {
          if (tab.startsWith(`${page}.`)) this.relay?.dispatch({ type: 'leave', tab, broken: false });
        }
      })
      .catch(() => {});
  }

  private isOwn(tab: string): boolean {
    return tab.startsWith(`${this.page}.`);
  }

  private tell(member: Member, text: string): void {
    member.isServed = true;
    member.handlers.onMessage(text);
  }

  private end(member: Member, { code, reason }: { readonly code: number; readonly reason: string }): void {
    this.member = undefined;
    member.handlers.onClose({ code, reason });
  }
}

/** What a browser has for tabs; `undefined` outside of pages, and where it has not both. */
function pagePlatform(): TabPlatform | undefined {
  const { navigator, BroadcastChannel } = globalThis as Partial<
    Pick<typeof globalThis, 'navigator' | 'BroadcastChannel'>
  >;
  const locks = navigator?.locks as TabLocks | undefined;
  if (!locks || !BroadcastChannel) return undefined;
  return { locks, openChannel: (name) => new BroadcastChannel(name) as TabChannel };
}
