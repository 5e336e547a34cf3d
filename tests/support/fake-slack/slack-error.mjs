// An error of the Web API: HTTP 200 with `ok: false` and a word.

export class SlackError extends Error {
  constructor(code, details = {}) {
    super(code);
    this.code = code;
    this.details = details;
  }
}
