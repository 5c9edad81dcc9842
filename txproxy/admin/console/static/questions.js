// What rules ask a person about, the answers, and those that are remembered.

import {act, ask} from "./dialogs.js";
import {part} from "./api.js";
import {button, el, Table} from "./dom.js";
import {age} from "./format.js";

const ALLOW = "allow", REFUSE = "refuse";

export class Questions {
  constructor(context) {
    this.context = context;
    this.table = new Table([
      {title: "Waits", kind: "time", text: (one) => age(one.age)},
      {title: "Client", kind: "", text: client},
      {title: "Listener", kind: "", text: (one) => one.listener},
      {title: "Request", kind: "wide", text: (one) => `${one.method} ${one.url}`},
      {title: "Rule", kind: "", text: (one) => one.rule + (one.reason ? `: ${one.reason}` : "")},
      {title: "", kind: "acts", make: (item) => el("div", {class: "buttons"},
        button("Allow", () => this.#answer(item(), true), "main"), button("Refuse", () => this.#answer(item(), false), "danger"),
        button("Remember", () => this.#remember(item())))},
    ], "No rule waits for an answer.", (one) => one.id);
    this.answers = new Table([
      {title: "Answer", kind: "time", text: (one) => (one.allow ? "allowed" : "refused")},
      {title: "For", kind: "time", text: (one) => age(one.left)},
      {title: "Client", kind: "", text: client},
      {title: "Listener", kind: "", text: (one) => one.listener},
      {title: "Requests", kind: "wide", text: (one) => `${one.method} ${one.host}:${one.port}`},
      {title: "Rule", kind: "", text: (one) => one.rule},
      {title: "", kind: "acts", make: (item) => el("div", {class: "buttons"}, button("Forget", () => this.#forget(item())))},
    ], "No answer is remembered.");
    this.element = el("section", {}, this.table.element, el("h2", {class: "below"}, "Remembered answers"), this.answers.element);
  }

  update() {
    this.table.update(this.context.history.status.questions);
    this.count = (this.count ?? 0) + 1;
    if (this.count % 3 === 0) this.load();
  }

  shown() {
    this.load();
  }

  async load() {
    try {
      this.answers.update((await this.context.api.get("/api/answers")).answers);
    } catch {
      // What stands there is as it was; that nobody answers is said elsewhere.
    }
  }

  #answer(one, allow) {
    return act(`${one.url} is ${allow ? "allowed" : "refused"}.`, () => this.context.api.ask("POST", `/api/questions/${part(one.id)}`, {allow}));
  }

  async #remember(one) {
    const given = await ask({
      title: "Give the same answer for a while?", confirm: "Remember",
      lines: [`To ${one.method} requests of ${client(one)} for ${one.host}:${one.port}, where ${one.rule} asks: to this one, and to those that come.`],
      fields: [{name: "answer", title: "Answer", options: [ALLOW, REFUSE]}, {name: "time", title: "For how long (10m, 8h, up to 168h)", value: "1h"}],
    });
    if (!given) return;
    const {listener, rule, method, host, port, user} = one;
    const body = {listener, rule, method, host, port, client: one.client, user, allow: given.answer === ALLOW, for: given.time.trim()};
    await act(`${host} is ${given.answer === ALLOW ? "allowed" : "refused"} for ${given.time}.`, () => this.context.api.ask("POST", "/api/answers", body));
    this.load();
  }

  async #forget(one) {
    await act(`${one.host} is asked about again.`, () => this.context.api.ask("DELETE", `/api/answers/${part(one.name)}`));
    this.load();
  }
}

function client(one) {
  return one.client + (one.user ? ` (${one.user})` : "");
}
