/** Owns the whole route table: what the sandbox answers is exactly this. */
import type { Route } from '../rest/router.js';
import { channelRoutes } from './channels.js';
import { gatewayRoutes } from './gateway.js';
import { guildRoutes } from './guilds.js';
import { userRoutes } from './users.js';

/** Every REST route. */
export const ROUTES: readonly Route[] = [...gatewayRoutes, ...userRoutes, ...guildRoutes, ...channelRoutes];
