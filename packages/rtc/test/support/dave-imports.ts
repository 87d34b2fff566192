/** What tests of DAVE take from the package's inside. */
export {
  createDaveClient,
  type DaveClient,
  daveInputOf,
  loadDaveLibrary,
} from '../../src/dave/dave.js';
export { RtcError } from '../../src/errors.js';
