/**
 * The console page: shows the guild and the traffic, makes people act and faults happen, all through the control API.
 * Plain DOM, no dependency. Text is only ever set as text, never as markup.
 */

const POLL_MS = 700;
const LOG_ROWS = 300;

const $ = (id) => document.getElementById(id);
const state = {
  people: [],
  channels: [],
  traffic: { counters: {}, recent: [] },
  chat: undefined,
  messages: [],
  paused: false,
  lasting: undefined,
  voice: { sessions: [] },
};

/** Makes an element. */
function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== 'list') element[name] = value;
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

/** Calls the control API. Rejects with what it says. */
async function api(method, path, body) {
  const response = await fetch(`/control/v1${path}`, {
    method,
    headers: body === undefined ? {} : { 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error?.message ?? `The sandbox answered ${response.status}.`);
  return answer;
}

/** Does something, says so when it fails, and shows what came of it. */
async function act(work) {
  try {
    await work();
    problem('');
  } catch (error) {
    problem(error instanceof TypeError ? 'The sandbox does not answer. Is it still running?' : error.message);
  }
  await refresh();
}

function problem(text) {
  $('problem').textContent = text;
  $('problem').hidden = text === '';
}

function link(name, text) {
  if ($('link').dataset.state === name) return;
  $('link').dataset.state = name;
  $('link').textContent = text;
}

/** Draws again only what has changed, and never what someone is using. */
const drawn = new Map();
function draw(id, value, render) {
  const target = $(id);
  const key = JSON.stringify(value);
  if (drawn.get(id) === key || target.contains(document.activeElement?.closest('select, input'))) return;
  drawn.set(id, key);
  const focused = document.activeElement?.closest('[data-key]')?.dataset.key;
  target.replaceChildren(...render());
  if (focused !== undefined) target.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

const voiceChannels = () => state.channels.filter(({ kind }) => kind === 'voice' || kind === 'stage');
const button = (label, key, onclick, props = {}) =>
  h('button', { type: 'button', 'data-key': key, onclick, ...props }, label);

function drawPeople() {
  $('people-count').textContent =
    `${state.people.filter(({ channelId }) => channelId !== null).length} of ${state.people.length} in voice`;
  draw('people', [state.people, voiceChannels()], () =>
    state.people.length === 0
      ? [h('li', { className: 'empty' }, 'Nobody yet. Add a person, then let them join a voice channel.')]
      : state.people.map(personRow),
  );
}

function personRow(person) {
  const { id, name, channelId, isMember, voice, speaking, showing, status } = person;
  const where = h(
    'select',
    {
      'aria-label': `Voice channel of ${name}`,
      'data-key': `${id}-where`,
      disabled: !isMember,
      onchange: ({ target }) => {
        const to = target.value;
        target.blur();
        act(() =>
          api(
            'POST',
            `/people/${id}/${to === '' ? 'leave' : channelId === null ? 'join' : 'move'}`,
            to === '' ? {} : { channelId: to },
          ),
        );
      },
    },
    h('option', { value: '' }, 'not in voice'),
    ...voiceChannels().map((channel) => h('option', { value: channel.id }, `in ${channel.name}`)),
  );
  where.value = channelId ?? '';
  const appears = h(
    'select',
    {
      'aria-label': `Status of ${name}`,
      'data-key': `${id}-status`,
      className: 'status',
      onchange: ({ target }) => {
        target.blur();
        act(() => api('POST', `/people/${id}/presence`, { status: target.value }));
      },
    },
    ...['online', 'idle', 'dnd', 'offline'].map((value) => h('option', { value }, value)),
  );
  appears.value = status;
  const flag = (label, field) =>
    button(label, `${id}-${field}`, () => act(() => api('POST', `/people/${id}/voice`, { [field]: !voice[field] })), {
      'aria-pressed': String(voice?.[field] ?? false),
    });
  const media = (label, route, on) =>
    button(label, `${id}-${route}`, () => act(() => api('POST', `/people/${id}/${route}`, { on: !on })), {
      'aria-pressed': String(on),
    });
  const remove = (what) => ({ personId: id, act: what });
  return h(
    'li',
    {},
    h('div', { className: 'line' }, h('strong', {}, name), h('small', {}, isMember ? id : 'not in the guild')),
    h('div', { className: 'line' }, where, appears),
    h(
      'div',
      { className: 'line' },
      ...(channelId === null
        ? []
        : [
            flag('Mute', 'mute'),
            flag('Deafen', 'deaf'),
            flag('Camera', 'video'),
            media('Speak', 'speak', speaking),
            media('Show video', 'show', showing),
            button(
              'Disconnect',
              `${id}-disconnect`,
              () => act(() => api('POST', '/people/owner/moderate', remove('disconnect'))),
              {
                title: `The owner removes ${name} from voice`,
              },
            ),
          ]),
      isMember
        ? button('Leave guild', `${id}-guild`, () => act(() => api('POST', `/people/${id}/guild/leave`, {})))
        : button('Join guild', `${id}-guild`, () => act(() => api('POST', `/people/${id}/guild/join`, {}))),
    ),
  );
}

function drawChannels() {
  $('channels-count').textContent = String(state.channels.length);
  draw('channels', [state.channels, state.people, state.chat], () => state.channels.map(channelRow));
}

function channelRow({ id, name, kind, userLimit }) {
  const inside = state.people.filter(({ channelId }) => channelId === id);
  const isText = kind === 'text' || kind === 'announcement';
  return h(
    'li',
    { 'aria-current': state.chat === id ? 'true' : undefined },
    h(
      'div',
      { className: 'line' },
      h('strong', {}, isText ? `# ${name}` : name),
      h('small', {}, userLimit > 0 ? `${kind}, ${inside.length} of ${userLimit}` : kind),
      kind === 'category'
        ? undefined
        : button(state.chat === id ? 'Close chat' : 'Chat', `${id}-chat`, () =>
            openChat(state.chat === id ? undefined : id),
          ),
      button('Delete', `${id}-delete`, () => act(() => api('DELETE', `/channels/${id}`)), {
        'aria-label': `Delete ${name}`,
      }),
    ),
    inside.length === 0
      ? ''
      : h('div', { className: 'line' }, ...inside.map((person) => h('span', { className: 'chip' }, person.name))),
  );
}

function openChat(channelId) {
  state.chat = channelId;
  state.messages = [];
  refresh();
}

function drawChat() {
  const channel = state.channels.find(({ id }) => id === state.chat);
  $('chat').hidden = channel === undefined;
  if (channel === undefined) {
    state.chat = undefined;
    return;
  }
  $('chat-title').textContent = `Chat in ${channel.name}`;
  const select = $('send').elements.person;
  const chosen = select.value;
  const members = state.people.filter(({ isMember }) => isMember);
  if (drawn.get('authors') !== JSON.stringify(members.map(({ id }) => id))) {
    drawn.set('authors', JSON.stringify(members.map(({ id }) => id)));
    select.replaceChildren(
      h('option', { value: 'owner' }, 'owner'),
      ...members.map(({ id, name }) => h('option', { value: id }, name)),
    );
    select.value = [...select.options].some(({ value }) => value === chosen) ? chosen : (members[0]?.id ?? 'owner');
  }
  const list = $('messages');
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 24;
  draw('messages', [state.chat, state.messages], () =>
    state.messages.length === 0 ? [h('li', {}, h('small', {}, 'No messages yet.'))] : state.messages.map(messageRow),
  );
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function messageRow({ id, channelId, authorName, content, timestamp, editedTimestamp, reactions, attachments }) {
  const me = () => $('send').elements.person.value || 'owner';
  return h(
    'li',
    {},
    h(
      'div',
      { className: 'line' },
      h('strong', {}, authorName),
      h('small', {}, `${new Date(timestamp).toLocaleTimeString()}${editedTimestamp === null ? '' : ', edited'}`),
      button(
        'React',
        `${id}-react`,
        () => act(() => api('POST', `/people/${me()}/react`, { channelId, messageId: id, emoji: '👍' })),
        {
          'aria-label': `React to the message of ${authorName}`,
        },
      ),
      button('Delete', `${id}-delete`, () =>
        act(() => api('POST', '/people/owner/delete', { channelId, messageId: id })),
      ),
    ),
    h('p', {}, content),
    ...attachments.map(({ filename, size }) => h('small', {}, `${filename} (${size} bytes) `)),
    ...reactions.map(({ emoji, userIds }) => h('span', { className: 'chip' }, `${emoji} ${userIds.length}`)),
  );
}

/** What the gateway refuses with while it is down. */
const DOWN = 503;
const lastingButtons = [];

/**
 * Every fault: its button, what it does, its route, the body that goes with it. `field`: a number that the body takes.
 * `lasts`: it goes on until it is pressed again, and this tells whether it does.
 */
const FAULTS = {
  'Gateway, once': [
    { label: 'Cut', says: 'Breaks connections without a goodbye.', path: 'cut' },
    {
      label: 'Close with',
      says: 'Closes with this code.',
      path: 'close',
      body: (value) => ({ code: value }),
      field: { label: 'Close code', value: 4000, min: 1000, max: 4999 },
    },
    { label: 'Reconnect', says: 'Opcode 7: clients are to come back.', path: 'reconnect' },
    {
      label: 'Invalidate',
      says: 'Opcode 9: the session is over.',
      path: 'invalidate',
      body: () => ({ resumable: false }),
    },
    {
      label: 'Ask to resume',
      says: 'Opcode 9 with true: RESUME again.',
      path: 'invalidate',
      body: () => ({ resumable: true }),
    },
    { label: 'Heartbeat', says: 'Opcode 1: asks for one at once.', path: 'heartbeat' },
    { label: 'Lose sessions', says: 'Cuts; nothing can be resumed.', path: 'lose' },
    { label: 'Forget sessions', says: 'Those cut before cannot be resumed.', path: 'forget' },
    {
      label: 'Drop',
      says: 'Loses this many dispatches.',
      path: 'drop',
      body: (value) => ({ count: value }),
      field: { label: 'Dispatches to lose', value: 1, min: 1, max: 1000 },
    },
    {
      label: 'Duplicate',
      says: 'Sends this many dispatches twice.',
      path: 'duplicate',
      body: (value) => ({ count: value }),
      field: { label: 'Dispatches to double', value: 1, min: 1, max: 1000 },
    },
    {
      label: 'Reorder',
      says: 'Sends this many, last one first.',
      path: 'reorder',
      body: (value) => ({ count: value }),
      field: { label: 'Dispatches to reorder', value: 2, min: 2, max: 1000 },
    },
    {
      label: 'Down for',
      says: 'Cuts, and refuses for so many seconds.',
      path: 'down',
      body: (value) => ({ ms: value * 1000, cut: true }),
      field: { label: 'Seconds without a gateway', value: 10, min: 1, max: 3600 },
    },
    { label: 'Half a frame', says: 'Half of the next message, then a cut.', path: 'half' },
    { label: 'Garbage', says: 'Sends a frame that is no JSON.', path: 'raw', body: () => ({ text: '{"op":0,' }) },
    { label: 'Corrupt', says: 'Spoils the next compressed message.', path: 'corrupt' },
  ],
  'Gateway, until ended': [
    {
      label: 'Stop ACKs',
      says: 'Heartbeats go unanswered: a zombie.',
      path: 'acks',
      body: (_, on) => ({ answered: !on }),
      lasts: ({ heartbeatAcks }) => !heartbeatAcks,
    },
    {
      label: 'Delay',
      says: 'Delays dispatches by this many ms.',
      path: 'delay',
      body: (value, on) => ({ ms: on ? value : 0 }),
      field: { label: 'Delay in ms', value: 500, min: 1, max: 60000 },
      lasts: ({ delayMs }) => delayMs > 0,
    },
    withholding('HELLO', 'Connections open, and nothing comes.'),
    withholding('READY', 'IDENTIFY is never answered.'),
    withholding('RESUMED', 'RESUME is never answered.'),
    {
      label: 'Refuse with',
      says: 'Refuses connections with this status.',
      path: (on) => (on ? 'refuse' : 'up'),
      body: (value, on) => (on ? { answer: value } : {}),
      field: { label: 'HTTP status of the refusal', value: 429, min: 400, max: 599 },
      lasts: ({ refusing }) => refusing !== undefined && refusing !== DOWN,
    },
    {
      label: 'Down',
      says: 'Cuts, and refuses with 503.',
      path: (on) => (on ? 'down' : 'up'),
      body: (_, on) => (on ? { cut: true } : {}),
      lasts: ({ refusing }) => refusing === DOWN,
    },
  ],
  'Voice gateway': [
    { label: 'Cut voice', says: 'Breaks voice connections without a goodbye.', path: 'voice/cut' },
    {
      label: 'Close voice with',
      says: 'Closes with this code.',
      path: 'voice/close',
      body: (value) => ({ code: value }),
      field: { label: 'Code of voice', value: 4015, min: 1000, max: 4999 },
    },
    { label: 'Move server', says: 'Another voice server, and 4014.', path: 'voice/move' },
    { label: 'Forget voice', says: 'Those cut before cannot be resumed.', path: 'voice/forget' },
    {
      label: 'Stop voice ACKs',
      says: 'Heartbeats of voice go unanswered.',
      path: 'voice/acks',
      body: (_, on) => ({ answered: !on }),
      lasts: ({ voice }) => !voice.heartbeatAcks,
    },
    {
      label: 'Withhold description',
      says: 'Select Protocol is never answered.',
      path: (on) => (on ? 'voice/withhold' : 'voice/release'),
      body: () => ({ what: 'SESSION_DESCRIPTION' }),
      lasts: ({ voice }) => voice.withheld.includes('SESSION_DESCRIPTION'),
    },
  ],
  'Media, one at a time': [
    media('Lose', 'Loses this many percent of packets.', 'loss', { label: 'Loss in percent', value: 5, max: 100 }, 100),
    media('Jitter', 'Packets come up to this many ms late.', 'jitterMs', {
      label: 'Jitter in ms',
      value: 60,
      max: 5000,
    }),
    media(
      'Reorder packets',
      'This many percent come late.',
      'reorder',
      { label: 'Late, in percent', value: 10, max: 100 },
      100,
    ),
    media(
      'Narrow',
      'So many kbit/s pass in each direction.',
      'bandwidthBps',
      { label: 'Bandwidth in kbit/s', value: 64, max: 100000 },
      0.001,
    ),
    {
      label: 'Blackout',
      says: 'No packet passes.',
      path: 'media',
      body: (_, on) => (on ? { blackout: true } : {}),
      lasts: ({ media: rules }) => rules.some(({ blackout }) => blackout === true),
    },
  ],
  REST: [
    {
      label: 'Fail with',
      says: 'Fails the next 5 requests.',
      path: 'rest',
      body: (value) => ({ answer: value, count: 5 }),
      field: { label: 'Status', value: 500, min: 400, max: 599 },
    },
    {
      label: 'Rate limit',
      says: 'The next request: 429, one second.',
      path: 'rest',
      body: () => ({ answer: 429, retryAfterSeconds: 1, count: 1 }),
    },
    {
      label: 'Reset',
      says: 'Resets the next request’s connection.',
      path: 'rest',
      body: () => ({ answer: 'reset', count: 1 }),
    },
    {
      label: 'Stall bodies',
      says: 'Halts the next 5 bodies half-way, by ms.',
      path: 'rest',
      body: (value) => ({ bodyMs: value, count: 5 }),
      field: { label: 'Halt in ms', value: 3000, min: 1, max: 60000 },
    },
    {
      label: 'Slow',
      says: 'Delays the next 5 answers by ms.',
      path: 'rest',
      body: (value) => ({ delayMs: value, count: 5 }),
      field: { label: 'Delay in ms', value: 1000, min: 1, max: 60000 },
    },
  ],
};

/** A condition of media in the unit of its field: `unit` of it is one of the sandbox's. */
function media(label, says, condition, field, unit = 1) {
  return {
    label,
    says,
    path: 'media',
    body: (value, on) => (on ? { [condition]: value / unit } : {}),
    field: { min: 1, ...field },
    lasts: ({ media: rules }) => rules.some((rule) => (rule[condition] ?? 0) > 0),
  };
}

function withholding(what, says) {
  return {
    label: `Withhold ${what}`,
    says,
    path: (on) => (on ? 'withhold' : 'release'),
    body: () => ({ what }),
    lasts: ({ withheld }) => withheld.includes(what),
  };
}

function drawFaults() {
  for (const [group, faults] of Object.entries(FAULTS)) {
    $('faults').append(h('details', { open: true }, h('summary', {}, h('h3', {}, group)), ...faults.map(faultRow)));
  }
}

const isOn = ({ lasts }) => lasts !== undefined && state.lasting !== undefined && lasts(state.lasting);

function faultRow(fault) {
  const { label, says, path, body = () => ({}), field, lasts } = fault;
  const input =
    field === undefined
      ? undefined
      : h('input', {
          type: 'number',
          'aria-label': field.label,
          value: field.value,
          min: field.min,
          max: field.max,
          required: true,
        });
  const press = h('button', { 'aria-pressed': lasts === undefined ? undefined : 'false' }, label);
  if (lasts !== undefined) lastingButtons.push({ press, fault });
  return h(
    'form',
    {
      className: 'fault',
      onsubmit: (event) => {
        event.preventDefault();
        const on = !isOn(fault);
        act(() =>
          api('POST', `/faults/${typeof path === 'function' ? path(on) : path}`, body(Number(input?.value), on)),
        );
      },
    },
    press,
    h('p', {}, says),
    input,
  );
}

/** What lasts is the sandbox's to know: another page, a test or a time that is over may have ended it. */
function drawLasting() {
  for (const { press, fault } of lastingButtons) press.setAttribute('aria-pressed', String(isOn(fault)));
  const waiting = state.lasting?.rest ?? 0;
  $('waiting').textContent = waiting === 0 ? '' : `${waiting} waiting for REST requests`;
}

/** Who is connected to voice, and how their packets fare. */
function drawVoice() {
  const { sessions } = state.voice;
  $('voice').hidden = sessions.length === 0;
  draw('sessions', sessions, () => sessions.map(sessionRow));
}

function sessionRow({ userId, channelId, connected, stage, mode, daveVersion, speaking, video, media: packets }) {
  const channel = state.channels.find(({ id }) => id === channelId);
  const dropped = Object.entries(packets.dropped).map(([reason, count]) => `${count} ${reason}`);
  const facts = [
    connected ? stage : 'waits for Resume',
    mode?.replace(/_poly1305|_rtpsize/g, ''),
    daveVersion > 0 ? 'DAVE' : 'no DAVE',
    speaking ? 'speaking' : undefined,
    video.length > 0 ? 'video' : undefined,
  ];
  return h(
    'li',
    {},
    h('div', { className: 'line' }, h('strong', {}, `in ${channel?.name ?? channelId}`), h('small', {}, userId)),
    h('div', { className: 'line' }, ...facts.filter(Boolean).map((fact) => h('span', { className: 'chip' }, fact))),
    h(
      'small',
      {},
      `${packets.packetsIn} packets in, ${packets.packetsOut} out; dropped: ${dropped.join(', ') || 'none'}`,
    ),
  );
}

const COUNTERS = [
  ['open', 'gatewayOpen'],
  ['identifies', 'identifies'],
  ['resumes', 'resumes'],
  ['dispatches', 'dispatches'],
  ['heartbeats', 'heartbeats'],
  ['bad frames', 'badFrames'],
  ['requests', 'restRequests'],
  ['errors', 'restErrors'],
  ['429', 'restRateLimited'],
];

function drawTraffic() {
  const { counters, recent } = state.traffic;
  draw('counters', counters, () =>
    COUNTERS.map(([label, key]) => h('div', {}, h('dt', {}, label), h('dd', {}, String(counters[key] ?? 0)))),
  );
  if (state.paused) return;
  const shown = new Set([...document.querySelectorAll('.tools input[type=checkbox]:checked')].map(({ name }) => name));
  const filter = $('filter').value.trim().toLowerCase();
  const rows = recent
    .filter(({ kind, what }) => shown.has(kind) && (shown.has('heartbeats') || !/^HEARTBEAT/.test(what)))
    .filter(
      ({ what, detail }) => filter === '' || `${what} ${JSON.stringify(detail ?? {})}`.toLowerCase().includes(filter),
    )
    .slice(-LOG_ROWS)
    .reverse();
  draw('log', rows, () =>
    rows.length === 0
      ? [
          h(
            'tr',
            {},
            h(
              'td',
              { colSpan: 4 },
              recent.length === 0
                ? 'Nothing yet. Connect a bot to the API base above.'
                : 'Nothing that the filter lets through.',
            ),
          ),
        ]
      : rows.map(logRow),
  );
}

function logRow({ at, kind, direction, what, detail }) {
  const time = new Date(at);
  const bad = kind !== 'fault' && /\b[45]\d\d$|^close (?!1000|1001)|bad frame/i.test(what);
  return h(
    'tr',
    { 'data-kind': kind, 'data-bad': bad },
    h('td', {}, `${time.toLocaleTimeString('en-GB')}.${String(time.getMilliseconds()).padStart(3, '0')}`),
    h('td', {}, kind === 'fault' ? 'fault' : `${kind} ${direction === 'in' ? '→' : '←'}`),
    h('td', {}, what),
    h(
      'td',
      {},
      Object.entries(detail ?? {})
        .map(([key, value]) => `${key} ${value}`)
        .join(', '),
    ),
  );
}

let refreshing;
/** Reads everything and draws it. Calls while one is under way share it. */
function refresh() {
  refreshing ??= load().finally(() => {
    refreshing = undefined;
  });
  return refreshing;
}

async function load() {
  try {
    const chat = state.chat;
    const [people, channels, traffic, lasting, voice, messages] = await Promise.all([
      api('GET', '/people'),
      api('GET', '/channels'),
      api('GET', '/traffic'),
      api('GET', '/faults'),
      api('GET', '/voice'),
      chat === undefined ? [] : api('GET', `/channels/${chat}/messages`).catch(() => []),
    ]);
    Object.assign(state, { people, channels, traffic, lasting, voice });
    if (chat === state.chat) state.messages = messages;
    link('live', 'Live');
  } catch {
    link('lost', 'No answer from the sandbox');
  }
  drawPeople();
  drawChannels();
  drawChat();
  drawVoice();
  drawLasting();
  drawTraffic();
}

function onSubmit(id, work) {
  $(id).addEventListener('submit', (event) => {
    event.preventDefault();
    const form = event.target;
    act(() => work(form.elements, form));
  });
}

onSubmit('add-person', async ({ name }) => {
  await api('POST', '/people', { name: name.value.trim() });
  name.value = '';
});
onSubmit('add-channel', async ({ name, kind }) => {
  await api('POST', '/channels', { name: name.value.trim(), kind: kind.value });
  name.value = '';
});
onSubmit('send', async ({ person, content }) => {
  await api('POST', `/people/${person.value}/send`, { channelId: state.chat, content: content.value });
  content.value = '';
});
$('type').addEventListener('click', () =>
  act(() => api('POST', `/people/${$('send').elements.person.value}/type`, { channelId: state.chat })),
);
$('clear-faults').addEventListener('click', () => act(() => api('POST', '/faults/clear', {})));
$('pause').addEventListener('click', ({ target }) => {
  state.paused = !state.paused;
  target.setAttribute('aria-pressed', String(state.paused));
  target.textContent = state.paused ? 'Go on' : 'Pause';
  drawTraffic();
});
$('filter').addEventListener('input', drawTraffic);
for (const box of document.querySelectorAll('.tools input[type=checkbox]')) box.addEventListener('change', drawTraffic);

async function begin() {
  drawFaults();
  await refresh();
  const about = await api('GET', '/sandbox').catch(() => undefined);
  const rows =
    about === undefined
      ? []
      : [
          ['API base', about.apiBase],
          ['gateway', about.gatewayUrl],
          ['voice', about.voiceEndpoint],
          ['guild', about.guildId],
        ];
  $('addresses').replaceChildren(...rows.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))));
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    if (!document.hidden) await refresh();
  }
}
begin();
