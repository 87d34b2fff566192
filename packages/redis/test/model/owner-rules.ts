/** What has to hold of every move of the election's model. */
import type { Edge } from '@guildkit/testkit';
import { believes, type Fact, type Move, type Server, type World } from './owner-model.js';

type Rule = (edge: Edge<World, Move, Fact>, server: Server) => boolean;

/** Each is `true` when it holds. */
export const OWNER_RULES = {
  'no write of an earlier owner is taken once a later was elected': ({ to }, server) =>
    to.dead.every((token) => !server.takes(to.standing, token)),
  'two think that they are the owner only when Redis has forgotten something': ({ to }) =>
    to.hasLost || to.processes.filter((_, who) => believes(to, who)).length <= 1,
  'a term is higher than the last, and than those its owner has heard of': ({ from, effects }) =>
    effects.every(
      (fact) =>
        fact.type !== 'granted' ||
        (fact.token.term > fact.before.term &&
          from.questions.some(
            (question) => question.type === 'ask' && question.id === fact.token.ask && question.floor < fact.token.term,
          )),
    ),
  'work begins when there is none, and is told to end once': ({ effects, to }) =>
    effects.every(
      (fact) =>
        fact.type !== 'effect' ||
        ((fact.effect.type !== 'elect' || fact.before.work === undefined) &&
          (fact.effect.type !== 'end' || (fact.before.work !== undefined && !fact.before.isTold))),
    ) &&
    to.processes.every(({ state: { phase }, work, isTold }) =>
      work === undefined
        ? phase !== 'owner' && phase !== 'leaving' && phase !== 'deposed'
        : isTold === (phase !== 'owner') && (phase === 'owner' || phase === 'leaving' || phase === 'deposed'),
    ),
  'only an owner asks for more, one question at a time': ({ effects, from }) =>
    effects.every(
      (fact) =>
        fact.type !== 'effect' ||
        fact.effect.type !== 'renew' ||
        (fact.effect.term === fact.before.work?.term &&
          'until' in fact.before.state &&
          fact.before.state.renewal === undefined &&
          from.processes.includes(fact.before)),
    ),
  'a lease is given back by whom it was granted to': ({ from, to, input }) =>
    to.standing.by >= 0 ||
    from.standing.by < 0 ||
    to.hasLost !== from.hasLost ||
    input.type !== 'execute' ||
    from.questions[input.n]?.by === from.standing.by,
} as const satisfies Readonly<Record<string, Rule>>;

export type OwnerRule = keyof typeof OWNER_RULES;

/** The first that is broken. */
export function brokenRule(edge: Edge<World, Move, Fact>, server: Server): OwnerRule | undefined {
  return (Object.keys(OWNER_RULES) as OwnerRule[]).find((name) => !(OWNER_RULES[name] as Rule)(edge, server));
}
