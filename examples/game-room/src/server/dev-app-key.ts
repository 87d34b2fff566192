/** Where `vite dev` keeps the app between reloads of this code. */
export const DEV_APP = Symbol.for('guildkit.app');
