/** Owns a room's chat in a page: loads what was said, follows what is said, knows who types. */
import { useVoiceChannelEvents } from '@guildkit/realtime-client/react';
import { useServerFn } from '@tanstack/react-start';
import { useEffect, useState } from 'react';
import { getMessages } from '../functions/rooms.js';
import { afterEvent, type ShownMessage, withHistory } from './chat-log.js';

/** Discord says again every ten seconds that somebody types. */
const TYPING_MS = 10_000;

export interface ChatView {
  readonly messages: readonly ShownMessage[];
  /** Who types, by user id. */
  readonly typing: readonly string[];
  readonly isLoading: boolean;
  /** Why what was said before is not here. */
  readonly problem: string | undefined;
}

/** @param live Whether the room's events come: what is loaded after that leaves no gap. */
export function useChat(channelId: string, live: boolean): ChatView {
  const load = useServerFn(getMessages);
  const [messages, setMessages] = useState<readonly ShownMessage[]>([]);
  const [typing, setTyping] = useState<Readonly<Record<string, number>>>({});
  const [state, setState] = useState<{ readonly isLoading: boolean; readonly problem?: string }>({ isLoading: true });

  useVoiceChannelEvents(channelId, (event) => {
    setMessages((log) => afterEvent(log, event));
    if (event.event === 'typing.started') {
      const { userId } = event.payload;
      setTyping((old) => ({ ...old, [userId]: Date.now() + TYPING_MS }));
    }
    if (event.event === 'message.created') {
      const { userId } = event.payload;
      setTyping(({ [userId]: _, ...rest }) => rest);
    }
  });

  useEffect(() => {
    if (!live) return;
    let isCurrent = true;
    const tell = (next: typeof state): void => {
      if (isCurrent) setState(next);
    };
    load({ data: { channelId } }).then(
      (result) => {
        if (!result.ok) return tell({ isLoading: false, problem: result.message });
        if (isCurrent) setMessages((log) => withHistory(log, result.messages));
        tell({ isLoading: false });
      },
      () => tell({ isLoading: false, problem: 'The messages of before could not be loaded.' }),
    );
    return () => {
      isCurrent = false;
    };
  }, [live, channelId, load]);

  useEffect(() => {
    const next = Math.min(...Object.values(typing));
    if (next === Number.POSITIVE_INFINITY) return;
    const timer = setTimeout(
      () => setTyping((old) => Object.fromEntries(Object.entries(old).filter(([, until]) => until > Date.now()))),
      Math.max(0, next - Date.now()) + 50,
    );
    return () => clearTimeout(timer);
  }, [typing]);

  return { messages, typing: Object.keys(typing), isLoading: state.isLoading, problem: state.problem };
}
