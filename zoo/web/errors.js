// One kind of error for everything that a visitor can put right; its message is shown as it is.

/** Bad input: a file, an address or a picture that cannot be used. */
export class InputError extends Error {}

/**
 * @param {string} what what would have been right
 * @param {unknown} received what came instead
 * @returns {InputError}
 */
export function expected(what, received) {
  return new InputError(`Expected ${what}. Received: ${String(received).slice(0, 300)}`);
}
