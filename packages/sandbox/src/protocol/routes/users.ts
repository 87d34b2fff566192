/** Owns the routes about users and applications. */
import { ownUserPayload, userPayload } from '../payloads/guild.js';
import { applicationPayload } from '../payloads/ready.js';
import { ok, unknown } from '../rest/reply.js';
import type { RestContext, Route } from '../rest/router.js';
import { userOf } from '../world/world.js';

const READ = { limit: 30, windowMs: 10_000 } as const;

const ownApplication = ({ world, bot }: RestContext) => ok(applicationPayload(world, bot));

export const userRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/users/@me',
    summary: 'The bot’s own user',
    auth: 'bot',
    limit: READ,
    handle: ({ world, bot }) => ok(ownUserPayload(userOf(world, bot.id))),
  },
  {
    method: 'GET',
    path: '/users/@me/guilds',
    summary: 'The guilds the bot is in',
    auth: 'bot',
    limit: READ,
    handle: ({ world, bot }) =>
      ok(
        [...bot.guildIds].flatMap((id) => {
          const guild = world.guilds.get(id);
          if (guild === undefined) return [];
          const { name, ownerId } = guild;
          // Every bot of the sandbox is an administrator of its guild: all permission bits.
          return [
            {
              id,
              name,
              icon: null,
              banner: null,
              owner: ownerId === bot.id,
              permissions: ALL_PERMISSIONS,
              features: [],
            },
          ];
        }),
      ),
  },
  {
    method: 'GET',
    path: '/users/:userId',
    summary: 'A user',
    auth: 'bot',
    limit: READ,
    handle: ({ world, params }) => {
      const user = world.users.get(params.userId ?? '');
      return user === undefined ? unknown('User') : ok(userPayload(user));
    },
  },
  {
    method: 'GET',
    path: '/applications/@me',
    summary: 'The bot’s application',
    auth: 'bot',
    limit: READ,
    handle: ownApplication,
  },
  {
    method: 'GET',
    path: '/oauth2/applications/@me',
    summary: 'The bot’s application, under its older address',
    auth: 'bot',
    limit: READ,
    handle: ownApplication,
  },
];

const ALL_PERMISSIONS = ((1n << 53n) - 1n).toString();
