/**
 * Discord's two gateways and a voice server as a model in virtual time: answers what the connection does, late, in any order or
 * not at all while there is weather, and correctly when it is calm. Everything happens by the clock of the test.
 */
import { createDriver, type Driver, Redacted } from '@guildkit/core';
import type { VirtualClock } from '@guildkit/testkit';
import type { VoiceFrame } from '../../src/protocol/voice-frames.js';
import type { VoiceRules } from '../../src/protocol/voice-rules.js';
import { createVoiceSession, initialVoice, type VoiceReducer } from '../../src/protocol/voice-session.js';
import type { VoiceInput, VoiceState } from '../../src/protocol/voice-types.js';
import {
  brokenInvariant,
  type Effect,
  EMPTY_WORLD,
  type Input,
  type News,
  nextWorld,
  type World,
} from './voice-invariants.js';

/** What may go wrong, each as a share of the occasions. */
export interface Weather {
  /** Answers that do not come. */
  readonly lost: number;
  /** Sockets that end when something is sent. */
  readonly cut: number;
  /** Answers come up to so late, ms. */
  readonly delayMs: number;
}

export const CALM: Weather = { lost: 0, cut: 0, delayMs: 20 };

const CODES = [1006, 1001, 4006, 4009, 4015, 4011, 4020];

/** The connection, what surrounds it, and what was seen to go wrong. */
export interface ModelDiscord {
  readonly driver: Driver<VoiceState, VoiceInput<News>>;
  weather: Weather;
  /** The first broken rule, if any. */
  readonly broken: string | undefined;
  readonly ended: readonly string[];
  /** A move came without its server update: then it may be taken for a kick. */
  readonly orphaned: boolean;
  /** Why it changed phases. */
  readonly reasons: ReadonlySet<string>;
  /** Someone puts the bot elsewhere. */
  move(channelId: string): void;
  /** The region changes: another token, and 4014. */
  moveServer(): void;
  /** The network path is gone, or back. */
  setDark(dark: boolean): void;
}

export function createModelDiscord(
  clock: VirtualClock,
  rules: VoiceRules,
  random: () => number,
  reducer: VoiceReducer = createVoiceSession(rules),
): ModelDiscord {
  /** Of the main gateway: in order, so a later answer never overtakes. */
  let lineFreeAt = 0;
  let channel: string | null = null;
  let tokens = 0;
  let token = new Redacted('none');
  /** Of the voice server: sessions it knows, by token. */
  const sessions = new Set<string>();
  let open: { readonly gen: number; token: string } | undefined;
  let udp: number | undefined;
  let dark = false;
  let world: World = EMPTY_WORLD;
  let broken: string | undefined;
  const ended: string[] = [];
  let orphaned = false;
  const reasons = new Set<string>();

  const driver: Driver<VoiceState, VoiceInput<News>> = createDriver<VoiceState, VoiceInput<News>, Effect>({
    reducer: {
      deadline: reducer.deadline,
      step(state, input) {
        const next = reducer.step<News>(state, input);
        const transition = { from: state, input: input as Input, to: next.state, effects: next.effects };
        broken ??= brokenInvariant(transition, rules, reducer, world);
        world = nextWorld(world, transition);
        reasons.add(next.state.cause.reason);
        return next;
      },
    },
    initial: initialVoice(),
    run,
    onEffectError: (error) => {
      throw error;
    },
    clock,
    random,
  });

  const later = (work: () => void, ms = random() * model.weather.delayMs): void => {
    clock.setTimer(work, Math.ceil(ms));
  };
  const answer = (work: () => void): void => {
    if (random() >= model.weather.lost) later(work);
  };
  const frame = (gen: number, content: VoiceFrame<News>): void =>
    answer(() => {
      if (open?.gen === gen) driver.dispatch({ type: 'frame', gen, frame: content });
    });
  /** The main gateway's dispatches come in order. */
  const dispatch = (input: VoiceInput<News>): void => {
    lineFreeAt = Math.max(lineFreeAt, clock.now() + random() * model.weather.delayMs);
    clock.setTimer(() => driver.dispatch(input), Math.ceil(lineFreeAt - clock.now()));
  };

  function newServer(): void {
    tokens += 1;
    token = new Redacted(`token-${tokens}`);
    dispatch({ type: 'voiceServer', token, endpoint: 'voice' });
  }

  function close(code: number): void {
    if (open === undefined) return;
    const { gen, token: used } = open;
    open = undefined;
    if (code >= 4000 && code !== 4015) sessions.delete(used);
    later(() => driver.dispatch({ type: 'socketClosed', gen, code }));
  }

  function run(effect: Effect): void {
    const { weather } = model;
    switch (effect.type) {
      case 'sendVoiceState': {
        const to = effect.target?.channelId ?? null;
        // A join that is lost was never made; a leave always arrives in the end.
        if (to !== null && random() < weather.lost) return;
        const changed = channel !== to;
        channel = to;
        // Discord may say nothing of a state that did not change.
        if (changed || random() < 0.5) dispatch({ type: 'voiceState', channelId: to, sessionId: 'main' });
        if (to !== null) newServer();
        return;
      }
      case 'openSocket': {
        const { gen } = effect;
        if (random() < weather.cut) {
          later(() => driver.dispatch({ type: 'socketClosed', gen, code: 1006 }));
          return;
        }
        open = { gen, token: token.reveal() };
        frame(gen, { kind: 'hello', heartbeatIntervalMs: 1_000 });
        return;
      }
      case 'closeSocket':
        if (open?.gen === effect.gen) open = undefined;
        return;
      case 'send': {
        const { gen, control } = effect;
        if (open?.gen !== gen) return;
        if (random() < weather.cut) {
          close(CODES[Math.floor(random() * CODES.length)] ?? 1006);
          return;
        }
        switch (control.kind) {
          case 'identify':
            open.token = control.token.reveal();
            if (channel === null || control.token.reveal() !== token.reveal()) {
              close(4006);
              return;
            }
            sessions.add(open.token);
            frame(gen, {
              kind: 'ready',
              offer: { ssrc: 1, ip: '127.0.0.1', port: 1, modes: ['aead_aes256_gcm_rtpsize'], streams: [] },
            });
            return;
          case 'resume':
            open.token = control.token.reveal();
            if (sessions.has(open.token)) frame(gen, { kind: 'resumed' });
            else close(4006);
            return;
          case 'heartbeat':
            frame(gen, { kind: 'heartbeatAck' });
            return;
          case 'selectProtocol':
            frame(gen, {
              kind: 'sessionDescription',
              description: {
                mode: 'aead_aes256_gcm_rtpsize',
                secretKey: new Redacted(new Uint8Array(32)),
                daveVersion: 1,
                videoCodec: 'VP8',
              },
            });
            return;
        }
        return;
      }
      case 'prepareSession': {
        const { gen } = effect;
        later(() => driver.dispatch({ type: 'sessionPrepared', gen }));
        return;
      }
      case 'openUdp':
        udp = effect.udpGen;
        return;
      case 'closeUdp':
        udp = undefined;
        return;
      case 'sendDiscovery': {
        const { udpGen } = effect;
        if (!dark)
          answer(() => {
            if (udp === udpGen) driver.dispatch({ type: 'discovered', udpGen, address: '1.2.3.4', port: 5 });
          });
        return;
      }
      case 'sendKeepalive': {
        const { udpGen, seq } = effect;
        if (!dark)
          answer(() => {
            if (udp === udpGen) driver.dispatch({ type: 'keepaliveAnswered', udpGen, seq });
          });
        return;
      }
      case 'ended':
        ended.push(effect.how);
        return;
      default:
    }
  }

  const model = {
    driver,
    weather: CALM,
    get broken() {
      return broken;
    },
    ended,
    reasons,
    get orphaned() {
      return orphaned;
    },
    move(channelId: string) {
      if (channel === null || channel === channelId) return;
      channel = channelId;
      dispatch({ type: 'voiceState', channelId, sessionId: 'main' });
      if (random() < 0.7) close(4014);
      // It is promised, and does not always come.
      if (random() < 0.8) newServer();
      else orphaned = true;
    },
    moveServer() {
      if (channel === null) return;
      close(4014);
      if (random() < 0.5) dispatch({ type: 'voiceServer', token, endpoint: null });
      newServer();
    },
    setDark(value: boolean) {
      dark = value;
    },
  };
  return model;
}
