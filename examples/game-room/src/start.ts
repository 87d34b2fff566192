import { createCsrfMiddleware, createStart } from '@tanstack/react-start';

/** A start file of one's own drops TanStack Start's default check, so it stands here: server functions answer only our pages. */
export const startInstance = createStart(() => ({
  requestMiddleware: [createCsrfMiddleware({ filter: (request) => request.handlerType === 'serverFn' })],
}));
