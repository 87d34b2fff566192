/**
 * HTTP around the other parts: errors as answers, JSON with bounds, origins, security headers, health.
 *
 * @packageDocumentation
 */
export type { ErrorEntry } from '../errors.js';
export { type ErrorBody, type FieldProblem, type Refusal, requestIdOf } from '../shared/safe-response.js';
export { type ErrorResponseOptions, toErrorResponse, toRefusal } from './error-response.js';
export { HTTP_ERRORS, HttpError, type HttpErrorCode } from './errors.js';
export { createHandler, type HandlerOptions, type RequestContext, type WebHandler } from './handler.js';
export { createHealthHandler, type HealthOptions, type HealthVerdict } from './health.js';
export { type JsonSchema, jsonResponse, type ReadJsonOptions, readJson, toSafeJson } from './json.js';
export { SECURITY_HEADERS } from './security-headers.js';
