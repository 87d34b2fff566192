/** What the tests of the hooks share. */
import type { RealtimeClient } from '@guildkit/realtime-client';
import { RealtimeProvider } from '@guildkit/realtime-client/react';
import { act } from '@testing-library/react';
import type { ReactNode } from 'react';
import type { Setup } from '../support/setup.js';

export const under = (client: RealtimeClient, children: ReactNode) => (
  <RealtimeProvider client={client}>{children}</RealtimeProvider>
);

/** Lets promises, the clock and React come to rest. */
export async function rest({ clock }: Setup, ms = 0): Promise<void> {
  await act(async () => {
    await clock.advance(ms);
    await clock.advance(0);
  });
}
