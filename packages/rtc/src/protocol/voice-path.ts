/** Owns the UDP path: how the server sees us, selecting it, keepalives and what their absence means. */
import type { ExternalAddress } from './udp-datagrams.js';
import { beat, heard, isDoubtful } from './voice-keepalive.js';
import type { VoiceRules } from './voice-rules.js';
import { because, common, control, type Step, stay } from './voice-steps.js';
import type { In, Link, VoiceCause, VoiceEffect, VoiceState } from './voice-types.js';

export function discovered<N>(
  rules: VoiceRules,
  state: VoiceState,
  { address, port }: ExternalAddress,
  now: number,
): Step<N> {
  const external = { address, port };
  if (state.phase === 'discovering') return select(rules, state, external, now, because('discovered'));
  if (state.phase !== 'ready' || state.probe === undefined) return stay(state);
  const { link } = state;
  if (link.external.address === address && link.external.port === port) {
    return stay({ ...state, link: { ...link, keepalive: heard(link.keepalive) }, probe: undefined });
  }
  // The NAT has given us another way out: the server has to be told.
  const { offer, mode } = link;
  return select(rules, { ...state, offer, mode }, external, now, because('addressChanged'));
}

export function select<N>(
  rules: VoiceRules,
  state: In<'discovering'> | (In<'ready'> & Pick<Link, 'offer' | 'mode'>),
  external: ExternalAddress,
  now: number,
  cause: VoiceCause,
): Step<N> {
  const { target, heart, offer, mode } = state;
  return {
    state: {
      ...common(state),
      phase: 'selecting',
      target,
      heart,
      offer,
      mode,
      external,
      described: false,
      until: now + rules.answerTimeoutMs,
      excused: false,
      cause,
    },
    effects: [control(state, { kind: 'selectProtocol', ...external, mode })],
  };
}

/** Sends a keepalive, probes the path when it is in doubt. */
export function keepalive<N>(rules: VoiceRules, state: In<'ready'>, now: number): Step<N> {
  const { udpGen, link } = state;
  const next = beat(rules, link.keepalive, now);
  const effects: VoiceEffect<N>[] = [{ type: 'sendKeepalive', udpGen, seq: next.seq }];
  let { probe } = state;
  if (probe === undefined && isDoubtful(rules, next)) {
    probe = { until: now + rules.probeTimeoutMs, retryAt: now + rules.discoveryRetryMs };
    effects.push({ type: 'sendDiscovery', udpGen, ssrc: link.offer.ssrc });
  }
  return { state: { ...state, link: { ...link, keepalive: next }, probe }, effects };
}
