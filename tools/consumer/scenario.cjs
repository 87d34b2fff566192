/**
 * What the smoke test does with the packed tarballs, whatever the module format. CommonJS, so that both formats can load
 * it; it gets the packages from its caller. Plain node:test, for Node 20 to 26.
 */
const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const { once } = require('node:events');
const path = require('node:path');
const { test } = require('node:test');
const { promisify } = require('node:util');

/** Entries that have to have exports, by specifier, and some names they must have. */
const NAMES = {
  '@guildkit/core': ['GuildkitError', 'createDriver', 'TypedEmitter', 'Redacted', 'backoffDelay'],
  '@guildkit/core/wire': ['applyVoiceEvent', 'CLOSE_CODES', 'parseRoom'],
  '@guildkit/core/wire/schema': ['clientFrameSchema', 'envelopeSchema'],
  '@guildkit/gateway': ['DiscordGatewayClient', 'GatewayError'],
  '@guildkit/rest': ['DiscordRestClient', 'DiscordApiError'],
  '@guildkit/rtc': ['DiscordRtcClient'],
  '@guildkit/rtc/files': ['opusFromFile', 'recordWav'],
  '@guildkit/rtp': ['buildRtp', 'parseRtp', 'parseRtcp', 'createPacketCipher', 'vp8', 'vp9', 'h264', 'opus'],
  '@guildkit/realtime-client': ['RealtimeClient', 'createCommandQueue', 'sseTransport', 'webSocketTransport'],
  '@guildkit/realtime-client/legacy': ['createLegacySocket', 'useVoiceChannelMembersFromEvents'],
  '@guildkit/realtime-client/media': ['MediaClient', 'playAudio', 'playVideo', 'sendCamera', 'sendMicrophone'],
  '@guildkit/realtime-client/react': [
    'RealtimeProvider',
    'useCommand',
    'useConnection',
    'useRoom',
    'useVoiceChannelMembers',
  ],
  '@guildkit/server-kit/commands': ['CommandBus', 'createTokenBucket', 'defineCommand'],
  '@guildkit/server-kit/media': ['MediaRelay'],
  '@guildkit/server-kit/hmac': ['createWebhookReceiver', 'signWebhook', 'verifyWebhook', 'WebhookForwarder'],
  '@guildkit/server-kit/http': ['createHandler', 'HttpError', 'toErrorResponse'],
  '@guildkit/server-kit/hub': ['RealtimeHub', 'memoryEngine'],
  '@guildkit/server-kit/invites': ['createInvites', 'memoryInviteStore'],
  '@guildkit/server-kit/jwt': ['createJwtGuard', 'createJwtIssuer', 'createJwtVerifier'],
  '@guildkit/server-kit/link': ['LinkClient', 'LinkServer'],
  '@guildkit/server-kit/oauth': ['createDiscordOAuth', 'createSessions'],
  '@guildkit/server-kit/observability': ['createLogger', 'createMetrics', 'runWithTrace'],
  '@guildkit/server-kit/rooms': ['createRoomHandlers', 'RoomService'],
  '@guildkit/sandbox': ['createSandbox'],
};

/** Resolves when `read()` first gives something, asked again after every `subscribe` call; rejects after 20 s. */
function until(subscribe, read, what) {
  return new Promise((resolve, reject) => {
    const stops = [];
    const finish = (settle, value) => {
      clearTimeout(timer);
      for (const stop of stops) stop();
      settle(value);
    };
    const timer = setTimeout(() => finish(reject, new Error(`${what} did not happen within 20 s`)), 20_000);
    const look = () => {
      const value = read();
      if (value !== undefined && value !== false) finish(resolve, value);
    };
    stops.push(subscribe(look));
    look();
  });
}

/**
 * @param {string} format `ESM` or `CJS`, for the test names
 * @param {Record<string, object>} modules the packages by specifier
 * @param {Record<string, object>} other the same packages in the other format
 */
exports.scenario = (format, modules, other) => {
  test(`${format}: every entry has its exports`, () => {
    for (const [specifier, entry] of Object.entries(modules)) {
      const names = Object.keys(entry).filter((name) => name !== 'default' && name !== 'module.exports');
      assert.ok(names.length > 0, `${specifier} exports nothing`);
      for (const name of NAMES[specifier] ?? []) assert.ok(entry[name] !== undefined, `${specifier} lacks ${name}`);
    }
    for (const specifier of Object.keys(NAMES)) assert.ok(modules[specifier], `${specifier} was not loaded`);
  });

  test(`${format}: an error is known across module formats`, () => {
    const { GuildkitError } = modules['@guildkit/core'];
    const { GuildkitError: Foreign } = other['@guildkit/core'];
    assert.notEqual(GuildkitError, Foreign);
    const error = new Foreign('SampleError', 'from the other format', { code: 'ERR_SAMPLE' });
    assert.ok(!(error instanceof GuildkitError));
    assert.ok(GuildkitError.is(error));
    assert.ok(!GuildkitError.is(new Error('plain')));
  });

  test(`${format}: the command is installed and runs`, async () => {
    const manifest = require.resolve('@guildkit/sandbox/package.json');
    const bin = path.join(path.dirname(manifest), require(manifest).bin['guildkit-sandbox']);
    const { stdout } = await promisify(execFile)(process.execPath, [bin, '--help']);
    assert.match(stdout, /^guildkit-sandbox: /);
    assert.match(stdout, /--port/);
    assert.ok(fs.existsSync(path.join(__dirname, 'node_modules', '.bin', 'guildkit-sandbox')), 'no link was made');
  });

  test(`${format}: packets sealed by one format are opened by the other`, async () => {
    const { buildRtp, createPacketCipher, ENCRYPTION_MODES } = modules['@guildkit/rtp'];
    const foreign = other['@guildkit/rtp'];
    const packet = buildRtp({
      payloadType: 120,
      sequenceNumber: 1,
      timestamp: 960,
      ssrc: 7,
      payload: Uint8Array.of(0xf8, 0xff, 0xfe),
    });
    for (const mode of ENCRYPTION_MODES) {
      const ours = await createPacketCipher(mode, new Uint8Array(32));
      const theirs = await foreign.createPacketCipher(mode, new Uint8Array(32));
      // Nothing but the declared dependencies is installed here.
      const backend = mode === 'aead_aes256_gcm_rtpsize' ? 'node:crypto' : 'libsodium-wrappers';
      assert.deepEqual([ours.backend, theirs.backend], [backend, backend]);
      const opened = theirs.open(ours.seal(packet));
      assert.ok(opened.ok, `${mode}: ${opened.reason}`);
      assert.deepEqual(foreign.parseRtp(opened.value).value.payload, Buffer.of(0xf8, 0xff, 0xfe));
    }
    await assert.rejects(createPacketCipher(ENCRYPTION_MODES[0], new Uint8Array(32), { sodium: 'sodium-native' }), {
      code: 'ERR_RTP_CIPHER_UNAVAILABLE',
    });
  });

  test(`${format}: an event by webhook, an invite, an error as answer`, { timeout: 60_000 }, async () => {
    const { createWebhookReceiver, WebhookForwarder } = modules['@guildkit/server-kit/hmac'];
    const { createInvites } = modules['@guildkit/server-kit/invites'];
    const { toErrorResponse } = modules['@guildkit/server-kit/http'];
    const { InviteError: ForeignInviteError } = other['@guildkit/server-kit/invites'];
    const { createLogger } = modules['@guildkit/server-kit/observability'];
    const secrets = 'a secret of sixteen letters';
    const taken = [];
    const receiver = createWebhookReceiver({ secrets, onEvent: ({ id }) => taken.push(id) });
    const fetchImpl = (url, init) => receiver.handler(new Request(url, { ...init, signal: null }));
    const forwarder = new WebhookForwarder({ url: 'http://127.0.0.1/hub', secrets, fetch: fetchImpl });
    const payload = { channelId: '10', guildId: '1', name: 'Table 1' };
    forwarder.forward({ event: 'channel.created', payload, id: 'e1', traceId: 't1', ts: 1 });
    await forwarder.close({ drainMs: 20_000 });
    assert.deepEqual(taken, ['e1']);

    const invites = createInvites({ secrets });
    const { token } = await invites.create({ guildId: '1', channelId: '10', roleId: '20', creatorId: '42' });
    const refused = await invites.verify(token, '11').catch((error) => error);
    assert.ok(ForeignInviteError.is(refused));
    const lines = [];
    const logger = createLogger({ destination: { write: (line) => lines.push(line) } });
    assert.equal(toErrorResponse(refused, { logger, logFields: { token } }).status, 403);
    assert.equal(lines.length, 1);
    assert.ok(!lines[0].includes(token));
  });

  for (const way of ['WebSocket', 'SSE', 'the fallback']) {
    test(`${format}: the client over ${way}: events, commands, cuts, refused tokens, five tries`, {
      timeout: 60_000,
    }, async () => {
      const { RealtimeHub } = modules['@guildkit/server-kit/hub'];
      const { CommandBus, defineCommand } = modules['@guildkit/server-kit/commands'];
      const { CommandError, createCommandQueue, fallbackTransport, RealtimeClient, sseTransport, webSocketTransport } =
        modules['@guildkit/realtime-client'];
      const { CommandError: ForeignCommandError } = other['@guildkit/realtime-client'];
      let current = 'first';
      const bus = new CommandBus({
        commands: {
          double: defineCommand({
            // As a zod schema answers.
            input: {
              safeParse: (value) =>
                typeof value === 'number'
                  ? { success: true, data: value }
                  : { success: false, error: { issues: [{ path: [], message: 'no number' }] } },
            },
            run: (value) => value * 2,
          }),
        },
      });
      const hub = new RealtimeHub({
        origins: [],
        authenticate: ({ token }) =>
          token === current ? { userId: '1', roles: [], expiresAt: Number.POSITIVE_INFINITY } : null,
        authorize: () => true,
        onCommand: bus.handle,
        reconnectBaseMs: 5,
        reconnectCapMs: 20,
      });
      const server = http.createServer((_request, response) => response.writeHead(404).end());
      hub.attach(server, { ws: '/api/ws', sse: '/api/stream' });
      const sockets = new Set();
      server.on('connection', (each) => sockets.add(each));
      const cut = () => {
        for (const each of sockets) each.destroy();
      };
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address();
      const origin = `http://127.0.0.1:${port}`;
      const socket = webSocketTransport({ url: `${origin}/api/ws` });
      // Nobody listens there.
      const nowhere = webSocketTransport({ url: 'ws://127.0.0.1:9' });
      const sse = sseTransport({ url: `${origin}/api/stream` });
      const transport = { WebSocket: socket, SSE: sse, 'the fallback': fallbackTransport([nowhere, sse]) }[way];
      const tokens = [];
      const client = new RealtimeClient({
        transport,
        commands: createCommandQueue(),
        getToken: ({ refused }) => {
          tokens.push(refused ? current : 'first');
          return tokens.at(-1);
        },
      });
      const room = client.room('channel:10');
      const heard = [];
      room.on('voice.joined', ({ userId }) => heard.push(userId));
      const join = (userId) =>
        hub.publish('channel:10', 'voice.joined', {
          guildId: '1',
          channelId: '10',
          userId,
          username: userId,
          avatar: null,
          mute: false,
          deaf: false,
          video: false,
          timestamp: 1,
        });
      const onRoom = (look) => room.subscribe(look);
      const onEvent = (look) => room.on('*', look);
      const onState = (look) => client.subscribeState(look);
      try {
        client.connect();
        await until(onRoom, () => room.status === 'live', 'the first snapshot');
        await join('1');
        await until(onEvent, () => heard.length === 1, 'the first event');
        assert.equal(await client.command('double', 21), 42);
        const refused = await client.command('double', 'x').catch((error) => error);
        assert.ok(CommandError.is(refused) && ForeignCommandError.is(refused));
        assert.equal(refused.detail, 'ERR_COMMAND_INPUT_INVALID');

        // Every connection breaks, and another token is wanted: what came meanwhile is told once.
        current = 'second';
        cut();
        await join('2');
        await until(onEvent, () => heard.length === 2, 'the recovery');
        assert.deepEqual(heard, ['1', '2']);
        assert.ok(tokens.includes('second'));

        server.close();
        cut();
        await until(onState, () => client.state.status === 'manual', 'the end of the tries');
        server.listen(port, '127.0.0.1');
        await once(server, 'listening');
        await join('3');
        client.reconnect();
        await until(onEvent, () => heard.length === 3, 'the return');
        assert.deepEqual(heard, ['1', '2', '3']);
      } finally {
        client.close();
        bus.close();
        await hub.close({ drainMs: 0 });
        cut();
        if (server.listening) server.close();
      }
    });
  }

  test(`${format}: REST, gateway, hub and client against the sandbox`, { timeout: 60_000 }, async () => {
    const { createSandbox } = modules['@guildkit/sandbox'];
    const { DiscordGatewayClient } = modules['@guildkit/gateway'];
    const { DiscordApiError, DiscordRestClient } = modules['@guildkit/rest'];
    const { DiscordApiError: ForeignApiError } = other['@guildkit/rest'];
    const { RealtimeHub } = modules['@guildkit/server-kit/hub'];
    const { createJwtIssuer, createJwtVerifier } = modules['@guildkit/server-kit/jwt'];
    const { RealtimeClient } = modules['@guildkit/realtime-client'];

    const sandbox = await createSandbox({ seed: 1 });
    const rest = new DiscordRestClient({ ...sandbox.connection });
    const gateway = new DiscordGatewayClient({ ...sandbox.connection, intents: ['Guilds', 'GuildVoiceStates'] });
    const server = http.createServer((_request, response) => response.writeHead(404).end());
    const audience = 'smoke';
    const issuer = await createJwtIssuer({ issuer: 'https://issuer.example', audience });
    const verifier = createJwtVerifier({ issuer: 'https://issuer.example', audience, jwks: issuer.jwks() });
    const hub = new RealtimeHub({
      origins: ['https://app.example'],
      authenticate: ({ token }) => (token === undefined ? null : verifier.verify(token)),
      authorize: (principal) => principal.userId === 'ada',
    });
    let client;
    try {
      gateway.onEvent('*', hub.publishDiscordEvent);
      hub.attach(server, { ws: '/api/ws' });
      server.listen(0, '127.0.0.1');
      await Promise.all([once(server, 'listening'), gateway.connect()]);

      const channel = await rest.createVoiceChannel({ name: 'Table 1', userLimit: 4 }, { reason: 'smoke test' });
      assert.equal(channel.name, 'Table 1');
      assert.ok((await rest.getChannels()).some(({ id }) => id === channel.id));

      client = new RealtimeClient({
        url: `ws://127.0.0.1:${server.address().port}/api/ws`,
        getToken: async () => (await issuer.sign({ userId: 'ada' })).token,
      });
      client.connect();
      const room = client.room(`channel:${channel.id}`);
      const subscribe = (look) => room.subscribe(look);
      await until(subscribe, () => room.status === 'live', 'the room’s first snapshot');

      const person = await sandbox.people.create({ name: 'player-1' });
      await person.joinVoice(channel.id);
      const [member] = await until(subscribe, () => room.members.length === 1 && room.members, 'the join');
      assert.equal(member.userId, person.id);
      assert.equal(member.username, 'player-1');
      await person.leaveVoice();
      await until(subscribe, () => room.members.length === 0, 'the leave');

      await rest.deleteChannel(channel.id);
      const refused = await rest.deleteChannel(channel.id).then(
        () => undefined,
        (error) => error,
      );
      assert.ok(DiscordApiError.is(refused), `expected a DiscordApiError, got ${refused}`);
      assert.ok(ForeignApiError.is(refused), 'not known by the other format');
      assert.equal(refused.status, 404);
      const wrong = await rest.getChannel('not an id').catch((error) => error);
      for (const { DiscordApiError, DiscordRestError, InvalidInputError } of [modules, other].map(
        (m) => m['@guildkit/rest'],
      )) {
        assert.ok(InvalidInputError.is(wrong) && DiscordRestError.is(wrong) && DiscordRestError.is(refused));
        assert.ok(!DiscordApiError.is(wrong) && !InvalidInputError.is(refused));
      }
    } finally {
      client?.close();
      await hub.close();
      await gateway.close();
      await rest.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await sandbox.close();
    }
  });
};
