/** Owns the gateway's REST side: where to connect and how often. */
import { type APIGatewayBotInfo, Routes } from 'discord-api-types/v10';
import type { CallOptions } from '../options.js';
import type { MethodContext } from './context.js';

export function getGatewayBot(context: MethodContext, options: CallOptions): Promise<APIGatewayBotInfo> {
  return context.send('GET', Routes.gatewayBot(), options);
}
