/** Calls between a bench and its processes, over IPC: `await discord.play({ … })`. */

/** In the child: answers each call by the function of that name. */
export function answerCalls(functions) {
  process.on('message', async ({ id, name, input }) => {
    try {
      process.send({ id, result: await functions[name](input) });
    } catch (error) {
      process.send({ id, failure: String(error?.stack ?? error) });
    }
  });
}

/**
 * In the parent: an object that has whatever is called on it.
 *
 * @throws Error (rejects) with the child's own words, or when it ends before it answers.
 */
export function callsTo(child) {
  const waiting = new Map();
  let last = 0;
  child.on('message', ({ id, result, failure }) => {
    const wait = waiting.get(id);
    if (wait === undefined) return;
    waiting.delete(id);
    if (failure === undefined) wait.resolve(result);
    else wait.reject(new Error(failure));
  });
  child.once('exit', (code, signal) => {
    for (const { reject } of waiting.values()) reject(new Error(`the process ended with ${signal ?? code}`));
    waiting.clear();
  });
  return new Proxy(
    {},
    {
      get: (_, name) =>
        // Not a promise: whoever returns this from an async function would otherwise call `then`.
        name === 'then'
          ? undefined
          : (input) =>
              new Promise((resolve, reject) => {
                last += 1;
                waiting.set(last, { resolve, reject });
                child.send({ id: last, name, input });
              }),
    },
  );
}
