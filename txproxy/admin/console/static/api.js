// Asks the admin API. The token, if there is one, is kept for as long as this tab is, and goes into no URL.

const KEPT = "txproxy-token";

// What was asked for cannot be done: why, in words; status is 0 where nobody has answered.
export class Fault extends Error {
  constructor(status, text, findings = []) {
    super(text);
    this.status = status;
    this.findings = findings;
  }
}

export class Api {
  get token() {
    return sessionStorage.getItem(KEPT);
  }

  set token(token) {
    if (token === null) sessionStorage.removeItem(KEPT);
    else sessionStorage.setItem(KEPT, token);
  }

  get(path) {
    return this.ask("GET", path);
  }

  // What is answered; a Fault if that is no success.
  async ask(method, path, body = undefined) {
    const response = await this.#send(method, path, body);
    if (!response.ok) throw await refusal(response);
    return response.json();
  }

  // A stream of server-sent events, as an iterator of [kind, what is told], until it ends. EventSource cannot show a token.
  async *events(path, signal) {
    const response = await this.#send("GET", path, undefined, signal);
    if (!response.ok) throw await refusal(response);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const {done, value} = await reader.read();
      if (done) return;
      text += value;
      const parts = text.split("\n\n");
      text = parts.pop();
      for (const part of parts) {
        const found = /^event: (.*)\ndata: (.*)$/.exec(part);
        yield found ? [found[1], JSON.parse(found[2])] : ["", null];
      }
    }
  }

  async #send(method, path, body, signal = undefined) {
    const headers = {};
    if (this.token !== null) headers.Authorization = `Bearer ${this.token}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const data = body === undefined ? undefined : JSON.stringify(body);
    try {
      return await fetch(path, {method, headers, body: data, signal, cache: "no-store", credentials: "omit"});
    } catch (fault) {
      if (fault.name === "AbortError") throw fault;
      throw new Fault(0, "The admin API does not answer.");
    }
  }
}

async function refusal(response) {
  let said = {};
  try {
    said = await response.json();
  } catch {
    // What answers is no admin API: its status has to do.
  }
  return new Fault(response.status, said.error ?? `The answer was ${response.status}.`, said.findings ?? []);
}

// A name in a path.
export function part(name) {
  return encodeURIComponent(name);
}
