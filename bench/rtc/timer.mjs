// A bare timer, every 20 ms, in a process that does nothing else: what the machine itself is late by.
const seconds = Number(process.argv[2]);
const FRAME_MS = 20;
const times = [];
const start = performance.now();
function tick() {
  times.push(performance.now());
  if (times.length < seconds * 50) setTimeout(tick, Math.max(0, start + times.length * FRAME_MS - performance.now()));
  else finish();
}
function finish() {
  const late = times.map((at, n) => at - n * FRAME_MS);
  const line = Float64Array.from(late).sort()[late.length >> 1];
  const sorted = Float64Array.from(late.map((value) => Math.abs(value - line))).sort();
  const at = (p) => sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)];
  process.send({ p50: at(50), p99: at(99), p999: at(99.9) });
}
tick();
