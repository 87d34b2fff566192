/**
 * Logs without secrets, metrics for Prometheus, trace ids, a seam for spans.
 *
 * @packageDocumentation
 */
export { type AppLogger, createLogger, type LogDestination, type LoggerOptions, type LogLevel } from './logger.js';
export { type LabelsOf, METRICS, type MetricName, type MetricOf, type MetricRow } from './metric-table.js';
export { createMetrics, type Metrics, type MetricsOptions } from './metrics.js';
export { type ObserveOptions, observeHandler } from './observe.js';
export { type EndSpan, type StartSpan, withSpan } from './spans.js';
export { currentTraceId, newTraceId, runWithTrace, traceIdOf } from './trace.js';
