/**
 * Media files as sources and sinks.
 *
 * @packageDocumentation
 */
export {};
