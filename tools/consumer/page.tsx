/** A page as a user writes it. Only type-checked, against the packed tarballs. */
import { RealtimeClient } from '@guildkit/realtime-client';
import { RealtimeProvider, useConnection, useVoiceChannelMembers } from '@guildkit/realtime-client/react';

const client = new RealtimeClient({ url: '/api/ws', getToken: async () => 'token', maxAttempts: undefined });

function Players({ channelId }: { readonly channelId: string }) {
  const { members, isStale, status } = useVoiceChannelMembers(channelId);
  const { reconnect, ...connection } = useConnection();
  return (
    <section aria-busy={isStale || status === 'loading'}>
      <button type="button" onClick={() => reconnect()}>
        {JSON.stringify(connection)}
      </button>
      <ul>
        {members.map((member) => (
          <li key={member.userId}>{member.username}</li>
        ))}
      </ul>
    </section>
  );
}

export function Page() {
  return (
    <RealtimeProvider client={client}>
      <Players channelId="1" />
    </RealtimeProvider>
  );
}
