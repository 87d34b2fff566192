import { createFileRoute, Link } from '@tanstack/react-router';
import { useServerFn } from '@tanstack/react-start';
import { type ReactNode, useEffect, useId, useState } from 'react';
import { ArrowLeftIcon } from '../components/icons.js';
import { getOps, type OpsPage } from '../functions/ops.js';
import { discordWords, linePoints, milliseconds, perMinute, span } from '../room/ops-words.js';

/** How the app is, for operators. */
export const Route = createFileRoute('/ops')({
  loader: () => getOps(),
  head: () => ({ meta: [{ title: 'Operations · Game rooms' }] }),
  component: OpsRoute,
});

/** Asked again and again, not heard over the hub: the page has to work while the hub does not. */
const REFRESH_MS = 3_000;
const TOPOLOGIES: Readonly<Record<string, string>> = {
  inline: 'in this process',
  webhook: 'in a worker, by webhooks',
  link: 'in a worker, by a link',
};

function OpsRoute() {
  const first = Route.useLoaderData();
  return first === undefined ? null : <Operations first={first} />;
}

function Operations({ first }: { readonly first: OpsPage }) {
  const { page, isLost } = useFresh(first);
  const { discord, numbers, rates, latencies, rooms, roomCount, refusals, records } = page;
  const words = discordWords(discord.state, discord.role);
  return (
    <div className="page ops">
      <section className="hero hero-room" aria-labelledby="ops-title">
        <Link to="/" className="back">
          <ArrowLeftIcon />
          All rooms
        </Link>
        <h1 id="ops-title">Operations</h1>
        <p className="hero-text">
          Process {page.instance}, up for {span(page.uptimeSeconds)}. Updated{' '}
          <time dateTime={new Date(page.at).toISOString()}>{clockOf(page.at)}</time>.
        </p>
      </section>
      <p className={isLost ? 'callout' : 'visually-hidden'} role="status" data-testid="ops-lost">
        {isLost && `The server does not answer. These figures are from ${clockOf(page.at)}.`}
      </p>
      <div className="ops-column">
        <Panel title="Discord">
          <p className="ops-state" data-tone={words.tone} data-testid="ops-discord">
            <span className="mark-dot" aria-hidden="true" />
            {words.label}
          </p>
          <p className="quiet">
            {discord.simulated ? 'Simulated on this machine. ' : ''}The connection is{' '}
            {TOPOLOGIES[discord.topology] ?? discord.topology}
            {discord.role !== undefined &&
              `; this process is ${discord.role === 'owner' ? 'its owner' : 'standing by'}`}
            .
          </p>
        </Panel>
        <Panel title="Rates">
          <Table head={['', 'per minute', 'last 5 minutes']} label="Rates">
            {rates.map(({ name, perMinute: rate, history }) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>{perMinute(rate)}</td>
                <td className="ops-line">
                  <Line values={history} />
                </td>
              </tr>
            ))}
          </Table>
        </Panel>
        <Panel title="Refused since the start">
          {refusals.length === 0 ? (
            <p className="quiet">Nothing was refused.</p>
          ) : (
            <Table head={['', 'times']} label="Refused">
              {refusals.map(({ code, count }) => (
                <tr key={code}>
                  <th scope="row">
                    <code>{code}</code>
                  </th>
                  <td>{count}</td>
                </tr>
              ))}
            </Table>
          )}
        </Panel>
      </div>
      <div className="ops-column">
        <Panel title="Now">
          <dl className="ops-numbers">
            {numbers.map(({ name, value }) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        </Panel>
        <Panel title="Latencies since the start">
          <Table head={['', 'median', 'p95', 'measured']} label="Latencies">
            {latencies.map(({ name, p50Ms, p95Ms, count }) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>{milliseconds(p50Ms)}</td>
                <td>{milliseconds(p95Ms)}</td>
                <td>{count}</td>
              </tr>
            ))}
          </Table>
        </Panel>
        <Panel title={`Rooms and channels (${roomCount})`}>
          {rooms.length === 0 ? (
            <p className="quiet">None is known yet.</p>
          ) : (
            <Table head={['', 'in voice', 'on its page']} label="Rooms and channels">
              {rooms.map(({ channelId, name, inVoice, viewers }) => (
                <tr key={channelId}>
                  <th scope="row">{name}</th>
                  <td>{inVoice}</td>
                  <td>{viewers}</td>
                </tr>
              ))}
            </Table>
          )}
          {roomCount > rooms.length && <p className="quiet">Only the busiest {rooms.length} are listed.</p>}
        </Panel>
      </div>
      <Panel title="Last warnings and errors" isWide>
        {records.length === 0 ? (
          <p className="quiet">None since the start.</p>
        ) : (
          <ol className="ops-records" data-testid="ops-records">
            {records.map((record) => (
              <Record key={record.id} record={record} />
            ))}
          </ol>
        )}
      </Panel>
    </div>
  );
}

/** The page as it is now, and whether it could not be asked for. */
function useFresh(first: OpsPage): { readonly page: OpsPage; readonly isLost: boolean } {
  const load = useServerFn(getOps);
  const [state, setState] = useState({ page: first, isLost: false });
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isCurrent = true;
    const again = (): void => {
      timer = setTimeout(() => void look(), REFRESH_MS);
    };
    const look = async (): Promise<void> => {
      if (document.hidden) return again();
      const page = await load().catch(() => undefined);
      if (!isCurrent) return;
      setState((before) => ({ page: page ?? before.page, isLost: page === undefined }));
      again();
    };
    again();
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [load]);
  return state;
}

function Panel({
  title,
  isWide = false,
  children,
}: {
  readonly title: string;
  readonly isWide?: boolean;
  readonly children: ReactNode;
}) {
  const id = useId();
  return (
    <section className="panel" data-wide={isWide} aria-labelledby={id}>
      <h2 id={id} className="section-title">
        {title}
      </h2>
      {children}
    </section>
  );
}

function Table({
  head,
  label,
  children,
}: {
  readonly head: readonly string[];
  readonly label: string;
  readonly children: ReactNode;
}) {
  return (
    <table className="ops-table" aria-label={label}>
      <thead>
        <tr>
          {head.map((name, at) =>
            name === '' ? (
              <td key={`${at}${name}`} />
            ) : (
              <th key={name} scope="col">
                {name}
              </th>
            ),
          )}
        </tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  );
}

/** What happened in each span of the last minutes. Its figure stands beside it. */
function Line({ values }: { readonly values: readonly number[] }) {
  return (
    <svg viewBox="0 0 120 24" preserveAspectRatio="none" aria-hidden="true">
      <polyline points={linePoints(values, 120, 22)} transform="translate(0 1)" />
    </svg>
  );
}

function Record({ record: { at, level, message, traceId, fields } }: { readonly record: OpsPage['records'][number] }) {
  return (
    <li className="ops-record">
      <p className="ops-record-head">
        <span className="tag" data-level={level}>
          {level === 'error' ? 'Error' : 'Warning'}
        </span>
        <time dateTime={new Date(at).toISOString()}>{clockOf(at)}</time>
        <strong>{message}</strong>
      </p>
      {(fields.length > 0 || traceId !== undefined) && (
        <dl className="ops-fields">
          {fields.map(({ name, value }) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
          {traceId !== undefined && (
            <div>
              <dt>trace</dt>
              <dd>{traceId}</dd>
            </div>
          )}
        </dl>
      )}
    </li>
  );
}

/** The same on the server and in every browser. */
function clockOf(at: number): string {
  return `${new Date(at).toISOString().slice(11, 19)} UTC`;
}
