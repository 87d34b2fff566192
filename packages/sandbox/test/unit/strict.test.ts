import { describe, expect, test } from 'vitest';
import { DISPATCHES } from '../../src/protocol/world/events.js';
import { checkAnswer, checkDispatch, routesWithoutSchema } from '../support/strict.js';

test('every route has a schema or answers with nothing', () => {
  expect(routesWithoutSchema()).toEqual([]);
});

describe('the check is one', () => {
  test.each<[string, string, number, unknown]>([
    ['GET', '/gateway', 200, {}],
    ['GET', '/users/1', 200, { id: '1', username: 'a', discriminator: '0', global_name: null }],
    ['GET', '/users/1', 404, { message: 'Unknown User' }],
    ['POST', '/channels/1/typing', 204, {}],
    ['GET', '/guilds/1/roles', 200, [{ id: '1' }]],
  ])('%s %s %d', (method, path, status, body) => {
    expect(() => checkAnswer(method, path, status, body)).toThrow();
  });

  test('of dispatches, too', () => {
    expect(() => checkDispatch('TYPING_START', { channel_id: '1', user_id: '2' })).toThrow();
    expect(() => checkDispatch('TYPING_START', { channel_id: '1', user_id: '2', timestamp: 1 })).not.toThrow();
    expect(() => checkDispatch('MOON_RISE', {})).toThrow(/not among/);
  });

  test.each(DISPATCHES)('nothing is no %s', (name) => {
    expect(() => checkDispatch(name, {})).toThrow();
  });
});
