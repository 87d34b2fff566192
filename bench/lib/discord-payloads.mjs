// A deterministic stream of dispatches with the names, shares and sizes that a bot in some large guilds sees. Bodies
// have the fields of Discord's documentation (Gateway Events: Receive Events), in the order in which Discord sends them:
// `t`, `s`, `op`, `d`.

/** Marks where a measurement begins and ends: a dispatch that occurs nowhere else in the stream. */
export const MARKER = 'USER_UPDATE';
export const GUILDS = 40;

/** Shares of the stream, in parts of 1000. GUILD_CREATE comes once for each guild, at the beginning. */
const SHARES = {
  PRESENCE_UPDATE: 580,
  VOICE_STATE_UPDATE: 120,
  MESSAGE_CREATE: 120,
  TYPING_START: 100,
  GUILD_MEMBER_UPDATE: 40,
  MESSAGE_REACTION_ADD: 30,
  MESSAGE_UPDATE: 10,
};

export const BOT = { id: '700000000000000000', username: 'bench', discriminator: '0000', bot: true };
const MEMBERS = 20_000;
const EPOCH = Date.UTC(2026, 0, 1);
const WORDS =
  'the game starts at nine who is in lobby two can someone invite me gg that was close brb need one more healer mic is broken see you tomorrow nice play ok thanks'.split(
    ' ',
  );
const GAMES = ['Minecraft', 'VALORANT', 'Counter-Strike 2', 'League of Legends', 'Factorio', 'Visual Studio Code'];

/** A small linear congruential generator: the same numbers on every machine. */
export function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Numbers and texts of one stream. */
function dice(seed) {
  const random = randomFrom(seed);
  const below = (n) => Math.floor(random() * n);
  const hex = (n) => {
    let text = '';
    while (text.length < n)
      text += below(2 ** 32)
        .toString(16)
        .padStart(8, '0');
    return text.slice(0, n);
  };
  const words = (n) => Array.from({ length: n }, () => WORDS[below(WORDS.length)]).join(' ');
  return { random, below, hex, words, pick: (list) => list[below(list.length)] };
}

const id = (kind, n) => `${kind}${String(n).padStart(16, '0')}`;
const guildId = (n) => id('90', n);
const channelId = (guild, n) => id('91', guild * 1_000 + n);
const roleId = (guild, n) => id('92', guild * 1_000 + n);
const stamp = (ms) => new Date(EPOCH + ms).toISOString().replace('Z', '000+00:00');

/** The same member has the same body wherever it appears. */
function people() {
  const known = new Map();
  const user = (n) => {
    const { hex } = dice(n + 1);
    return {
      username: `player_${n}`,
      public_flags: n % 7 === 0 ? 64 : 0,
      primary_guild: null,
      id: id('80', n),
      global_name: `Player ${n}`,
      display_name_styles: null,
      display_name: `Player ${n}`,
      discriminator: '0',
      collectibles: null,
      bot: false,
      avatar_decoration_data: null,
      avatar: hex(32),
    };
  };
  return (n) => {
    const found = known.get(n);
    if (found !== undefined) return found;
    const made = user(n);
    known.set(n, made);
    return made;
  };
}

const memberOf = (n, guild, user) => ({
  user,
  roles: [roleId(guild, n % 20), roleId(guild, 20 + (n % 5))],
  premium_since: null,
  pending: false,
  nick: n % 4 === 0 ? `Nick ${n}` : null,
  mute: false,
  joined_at: stamp(n * 60_000),
  flags: 0,
  deaf: false,
  communication_disabled_until: null,
  banner: null,
  avatar: null,
});

function activityOf({ random, below, hex, words, pick }) {
  const kind = random();
  if (kind < 0.45) return [];
  const created_at = EPOCH + below(1e9);
  if (kind < 0.7) {
    return [{ type: 4, state: words(4), name: 'Custom Status', id: 'custom', emoji: { name: '🎮' }, created_at }];
  }
  if (kind < 0.9) {
    return [
      {
        type: 0,
        name: pick(GAMES),
        id: hex(16),
        application_id: id('60', 1),
        timestamps: { start: created_at },
        created_at,
      },
    ];
  }
  return [
    {
      type: 2,
      timestamps: { start: created_at, end: created_at + 200_000 },
      sync_id: hex(22),
      state: words(3),
      session_id: hex(32),
      party: { id: `spotify:${id('80', below(MEMBERS))}` },
      name: 'Spotify',
      id: 'spotify:1',
      flags: 48,
      details: words(5),
      created_at,
      assets: { large_text: words(4), large_image: `spotify:${hex(40)}` },
    },
  ];
}

function bodies(seed) {
  const numbers = dice(seed);
  const { random, below, hex, words, pick } = numbers;
  const userOf = people();
  const someone = () => below(MEMBERS);
  const somewhere = () => {
    const guild = below(GUILDS);
    return { guild, channel_id: channelId(guild, below(60)), guild_id: guildId(guild) };
  };
  const voiceState = (n, guild, channel) => ({
    user_id: id('80', n),
    suppress: false,
    session_id: hex(32),
    self_video: false,
    self_mute: random() < 0.5,
    self_deaf: false,
    request_to_speak_timestamp: null,
    mute: false,
    guild_id: guildId(guild),
    deaf: false,
    channel_id: channel,
  });
  const presence = () => {
    const activities = activityOf(numbers);
    const status = pick(['online', 'idle', 'dnd', 'offline']);
    return {
      status,
      processed_at_timestamp: EPOCH + below(1e9),
      game: activities[0] ?? null,
      client_status: status === 'offline' ? {} : { desktop: status },
      broadcast: null,
      activities,
    };
  };
  const message = () => {
    const { guild, channel_id, guild_id } = somewhere();
    const n = someone();
    const { user: _, ...member } = memberOf(n, guild, undefined);
    const mentions = random() < 0.15 ? [{ ...userOf(someone()), member }] : [];
    const embeds =
      random() < 0.1
        ? [
            {
              type: 'rich',
              url: `https://example.com/${hex(20)}`,
              title: words(6),
              description: words(60),
              color: below(2 ** 24),
              fields: Array.from({ length: 4 }, () => ({ name: words(2), value: words(8), inline: true })),
            },
          ]
        : [];
    return {
      type: 0,
      tts: false,
      timestamp: stamp(below(1e9)),
      pinned: false,
      nonce: hex(18),
      mentions,
      mention_roles: [],
      mention_everyone: false,
      member,
      id: id('70', below(1e9)),
      flags: 0,
      embeds,
      edited_timestamp: null,
      content: words(3 + below(30)),
      components: [],
      channel_type: 0,
      channel_id,
      author: userOf(n),
      attachments: [],
      guild_id,
    };
  };
  return {
    PRESENCE_UPDATE: () => ({ user: { id: id('80', someone()) }, ...presence(), guild_id: guildId(below(GUILDS)) }),
    VOICE_STATE_UPDATE() {
      const guild = below(GUILDS);
      const n = someone();
      return {
        member: memberOf(n, guild, userOf(n)),
        ...voiceState(n, guild, random() < 0.2 ? null : channelId(guild, 60 + below(20))),
      };
    },
    MESSAGE_CREATE: message,
    TYPING_START() {
      const { guild, channel_id, guild_id } = somewhere();
      const n = someone();
      return {
        user_id: id('80', n),
        timestamp: Math.floor(EPOCH / 1000) + below(1e6),
        member: memberOf(n, guild, userOf(n)),
        channel_id,
        guild_id,
      };
    },
    GUILD_MEMBER_UPDATE() {
      const guild = below(GUILDS);
      const n = someone();
      return { ...memberOf(n, guild, userOf(n)), guild_id: guildId(guild) };
    },
    MESSAGE_REACTION_ADD() {
      const { guild, channel_id, guild_id } = somewhere();
      const n = someone();
      return {
        user_id: id('80', n),
        type: 0,
        message_id: id('70', below(1e9)),
        message_author_id: id('80', someone()),
        member: memberOf(n, guild, userOf(n)),
        emoji: { name: '👍', id: null },
        channel_id,
        burst: false,
        guild_id,
      };
    },
    MESSAGE_UPDATE: message,
    /** @param guild From small to large: 20 to 500 members online. */
    GUILD_CREATE(guild) {
      const members = Array.from({ length: 20 + Math.floor((480 * guild ** 3) / (GUILDS - 1) ** 3) }, someone);
      const overwrite = (n) => ({ type: 0, id: roleId(guild, n), deny: '1024', allow: '0' });
      const channel = (n) => ({
        version: EPOCH,
        type: n < 60 ? 0 : 2,
        topic: n < 60 ? words(8) : null,
        rate_limit_per_user: 0,
        position: n,
        permission_overwrites: [overwrite(1), overwrite(2)],
        parent_id: channelId(guild, 90 + (n % 8)),
        nsfw: false,
        name: words(2).replace(' ', '-'),
        last_message_id: id('70', below(1e9)),
        id: channelId(guild, n),
        flags: 0,
        ...(n < 60 ? {} : { user_limit: 0, rtc_region: null, bitrate: 64_000 }),
      });
      const role = (n) => ({
        version: EPOCH,
        unicode_emoji: null,
        tags: {},
        position: n,
        permissions: '1071698660929',
        name: words(2),
        mentionable: false,
        managed: false,
        id: roleId(guild, n),
        icon: null,
        hoist: n < 5,
        flags: 0,
        colors: { tertiary_color: null, secondary_color: null, primary_color: below(2 ** 24) },
        color: below(2 ** 24),
      });
      const emoji = (n) => ({
        version: 0,
        roles: [],
        require_colons: true,
        name: `emoji_${n}`,
        managed: false,
        id: id('93', guild * 1_000 + n),
        available: true,
        animated: n % 3 === 0,
      });
      return {
        voice_states: members
          .slice(0, members.length / 10)
          .map((n) => voiceState(n, guild, channelId(guild, 60 + (n % 20)))),
        name: words(3),
        id: guildId(guild),
        owner_id: id('80', 0),
        unavailable: false,
        large: true,
        member_count: members.length * 12,
        joined_at: stamp(0),
        preferred_locale: 'en-US',
        features: ['COMMUNITY', 'NEWS'],
        roles: Array.from({ length: 25 }, (_, n) => role(n)),
        emojis: Array.from({ length: 50 }, (_, n) => emoji(n)),
        channels: Array.from({ length: 80 }, (_, n) => channel(n)),
        threads: [],
        stage_instances: [],
        stickers: [],
        guild_scheduled_events: [],
        soundboard_sounds: [],
        presences: members.map((n) => ({ user: { id: id('80', n) }, ...presence() })),
        members: members.map((n) => memberOf(n, guild, userOf(n))),
      };
    },
  };
}

export const hello = (intervalMs) => ({
  t: null,
  s: null,
  op: 10,
  d: { heartbeat_interval: intervalMs, _trace: ['["bench",{"micros":0.0}]'] },
});

export const ready = (resumeUrl, { sessionId = 'f'.repeat(32), guilds = GUILDS } = {}) => ({
  t: 'READY',
  s: 1,
  op: 0,
  d: {
    v: 10,
    user_settings: {},
    user: BOT,
    session_type: 'normal',
    session_id: sessionId,
    resume_gateway_url: resumeUrl,
    relationships: [],
    private_channels: [],
    presences: [],
    guilds: Array.from({ length: guilds }, (_, n) => ({ unavailable: true, id: guildId(n) })),
    guild_join_requests: [],
    geo_ordered_rtc_regions: [],
    auth: {},
    application: { id: BOT.id, flags: 0 },
    shard: [0, 1],
    _trace: [],
  },
});

/**
 * The stream behind READY as JSON texts: `warmUp` dispatches, a marker, `count` dispatches, a marker. Guilds come at the
 * beginning, and once again, spread over what is between the markers, as after an outage. Sequence numbers begin at 2.
 *
 * @yields `{ name, text, measured }`
 */
export function* dispatches(count, { warmUp = GUILDS, seed = 42 } = {}) {
  const make = bodies(seed);
  const random = randomFrom(seed + 1);
  const drawn = Object.entries(SHARES).flatMap(([name, share]) => new Array(share).fill(name));
  let s = 1;
  const dispatch = (t, d, measured) => {
    s += 1;
    return { name: t, text: JSON.stringify({ t, s, op: 0, d }), measured };
  };
  const any = (measured) => {
    const name = drawn[Math.floor(random() * drawn.length)];
    return dispatch(name, make[name](), measured);
  };
  for (let n = 0; n < warmUp; n += 1) {
    yield n < GUILDS ? dispatch('GUILD_CREATE', make.GUILD_CREATE(n), false) : any(false);
  }
  yield dispatch(MARKER, BOT, false);
  const every = Math.max(1, Math.floor(count / GUILDS));
  for (let n = 0; n < count; n += 1) {
    const guild = n / every;
    const isGuild = Number.isInteger(guild) && guild < GUILDS;
    yield isGuild ? dispatch('GUILD_CREATE', make.GUILD_CREATE(guild), true) : any(true);
  }
  yield dispatch(MARKER, BOT, false);
}

/** Every dispatch name of the stream. */
export const NAMES = ['GUILD_CREATE', ...Object.keys(SHARES)];
