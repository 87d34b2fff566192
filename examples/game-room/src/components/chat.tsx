/** Owns a room's chat as people see it: what was said, what can be done with it, who types. */
import { CommandError } from '@guildkit/realtime-client';
import { useCommand, useRealtimeClient } from '@guildkit/realtime-client/react';
import { type FormEvent, type KeyboardEvent, useEffect, useId, useRef, useState } from 'react';
import type { Viewer } from '../functions/session.js';
import type { ShownMessage } from '../room/chat-log.js';
import { commandProblem } from '../room/command-words.js';
import { type ChatView, useChat } from '../room/use-chat.js';
import { timeOfDay } from '../room/words.js';
import { Avatar } from './avatar.js';

const REACTIONS = ['👍', '🎉', '😂'] as const;
/** Discord is told again that somebody types, this often. */
const TYPING_AGAIN_MS = 8_000;
const MAX_LENGTH = 1_900;

interface ChatProps {
  readonly channelId: string;
  readonly viewer: Viewer;
  readonly live: boolean;
  /** What people are called here. */
  readonly nameOf: (userId: string) => string | undefined;
}

export function Chat({ channelId, viewer, live, nameOf }: ChatProps) {
  const chat = useChat(channelId, live);
  return (
    <section className="chat" aria-labelledby="chat-title">
      <h2 id="chat-title" className="section-title">
        Chat
      </h2>
      <Messages {...chat} viewer={viewer} channelId={channelId} />
      <p className="typing quiet" aria-live="polite" data-testid="typing">
        {typingWords(
          chat.typing.filter((userId) => userId !== viewer.userId).map((userId) => nameOf(userId) ?? 'Somebody'),
        )}
      </p>
      <Composer channelId={channelId} live={live} />
    </section>
  );
}

function typingWords(names: readonly string[]): string {
  if (names.length === 0) return '';
  if (names.length > 2) return 'Several people are typing…';
  return `${names.join(' and ')} ${names.length === 1 ? 'is' : 'are'} typing…`;
}

interface MessagesProps extends ChatView {
  readonly viewer: Viewer;
  readonly channelId: string;
}

function Messages({ messages, isLoading, problem, viewer, channelId }: MessagesProps) {
  const list = useRef<HTMLOListElement>(null);
  const wasAtEnd = useRef(true);
  const last = messages.at(-1)?.messageId;
  useEffect(() => {
    // Who reads what was said before is not torn away from it.
    if (last !== undefined && wasAtEnd.current) list.current?.scrollTo({ top: list.current.scrollHeight });
  }, [last]);
  if (messages.length === 0) {
    return (
      <p className="chat-empty quiet">{problem ?? (isLoading ? 'Loading…' : 'Nothing was said yet. Say hello.')}</p>
    );
  }
  return (
    <ol
      ref={list}
      className="messages"
      data-testid="messages"
      aria-label="Messages"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a list that scrolls has to be reachable by keyboard
      tabIndex={0}
      onScroll={({ currentTarget: { scrollTop, clientHeight, scrollHeight } }) => {
        wasAtEnd.current = scrollTop + clientHeight > scrollHeight - 40;
      }}
    >
      {messages.map((message) => (
        <Message
          key={message.messageId}
          message={message}
          channelId={channelId}
          isOwn={message.userId === viewer.userId}
        />
      ))}
    </ol>
  );
}

interface MessageProps {
  readonly message: ShownMessage;
  readonly channelId: string;
  readonly isOwn: boolean;
}

function Message({ message, channelId, isOwn }: MessageProps) {
  const { messageId, userId, username, content, timestamp, isEdited = false, reactions } = message;
  const [isEditing, setEditing] = useState(false);
  const remove = useCommand('deleteMessage');
  const react = useCommand('addReaction');
  const at = new Date(timestamp);
  const problem = remove.error ?? react.error;
  return (
    <li className="message" data-own={isOwn} data-message={messageId}>
      <Avatar id={userId} name={username} size="small" />
      <div className="message-body">
        <p className="message-head">
          <strong>{username}</strong>{' '}
          <time className="quiet" dateTime={at.toISOString()}>
            {timeOfDay(at)}
          </time>
          {isEdited && <span className="quiet"> edited</span>}
        </p>
        {isEditing ? (
          <Editor message={message} channelId={channelId} onDone={() => setEditing(false)} />
        ) : (
          <p className="message-text">{content}</p>
        )}
        {reactions.length > 0 && (
          <ul className="reactions" aria-label="Reactions">
            {reactions.map(({ emoji, count }) => (
              <li key={emoji}>
                {emoji} <span className="quiet">{count}</span>
              </li>
            ))}
          </ul>
        )}
        {problem && (
          <p className="problem" role="alert">
            {commandProblem(problem)}
          </p>
        )}
      </div>
      {!isEditing && (
        <div className="message-acts">
          {REACTIONS.map((emoji) => (
            <button
              key={emoji}
              type="button"
              className="act"
              aria-label={`React with ${emoji} to ${username}: ${content.slice(0, 40)}`}
              onClick={() => void react.run({ channelId, messageId, emoji })}
            >
              {emoji}
            </button>
          ))}
          {isOwn && (
            <>
              <button type="button" className="act" onClick={() => setEditing(true)}>
                Edit
              </button>
              <button
                type="button"
                className="act"
                disabled={remove.isPending}
                onClick={() => void remove.run({ channelId, messageId })}
              >
                Delete
              </button>
            </>
          )}
        </div>
      )}
    </li>
  );
}

function Editor({ message, channelId, onDone }: Omit<MessageProps, 'isOwn'> & { readonly onDone: () => void }) {
  const { run, isPending, error } = useCommand('editMessage');
  const id = useId();
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const content = String(new FormData(event.currentTarget).get('content') ?? '').trim();
    if (content === '' || content === message.content) return onDone();
    if (await run({ channelId, messageId: message.messageId, content })) onDone();
  };
  return (
    <form className="field-row" onSubmit={submit} onKeyDown={({ key }) => key === 'Escape' && onDone()}>
      <label className="visually-hidden" htmlFor={id}>
        Change the message
      </label>
      <input
        id={id}
        name="content"
        defaultValue={message.content}
        maxLength={MAX_LENGTH}
        autoComplete="off"
        ref={(field) => field?.focus()}
      />
      <button type="submit" className="button button-small" disabled={isPending}>
        Save
      </button>
      {error && <span className="problem">{commandProblem(error)}</span>}
    </form>
  );
}

/** What somebody has written, and the way it goes. It stays in the field until it was sent. */
function Composer({ channelId, live }: { readonly channelId: string; readonly live: boolean }) {
  const client = useRealtimeClient();
  const { run, isPending, error } = useCommand('sendMessage');
  const [text, setText] = useState('');
  const id = useId();
  const typedAt = useRef(Number.NEGATIVE_INFINITY);

  const write = (next: string): void => {
    setText(next);
    const now = performance.now();
    if (next === '' || !live || now - typedAt.current < TYPING_AGAIN_MS) return;
    typedAt.current = now;
    // Whether this arrives matters to nobody.
    client.command('typingStart', { channelId }).catch((problem: unknown) => {
      if (!CommandError.is(problem)) throw problem;
    });
  };
  const submit = async (event?: FormEvent) => {
    event?.preventDefault();
    const content = text.trim();
    if (content === '' || isPending) return;
    if (await run({ channelId, content })) {
      setText('');
      typedAt.current = Number.NEGATIVE_INFINITY;
    }
  };
  const onKeyDown = (event: KeyboardEvent) => {
    // Return ends a choice of an input method too.
    if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      void submit();
    }
  };
  return (
    <form className="composer" onSubmit={submit}>
      <label className="visually-hidden" htmlFor={id}>
        Message
      </label>
      <textarea
        id={id}
        rows={1}
        value={text}
        maxLength={MAX_LENGTH}
        placeholder={live ? 'Write a message' : 'Connecting…'}
        onChange={({ target }) => write(target.value)}
        onKeyDown={onKeyDown}
      />
      <button type="submit" className="button button-primary" disabled={isPending || text.trim() === ''}>
        {isPending ? 'Sending…' : 'Send'}
      </button>
      <p className="problem" role="alert">
        {error && commandProblem(error)}
      </p>
    </form>
  );
}
