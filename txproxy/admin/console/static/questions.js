// What rules ask a person about, and the answers.

import {act} from "./dialogs.js";
import {part} from "./api.js";
import {button, el, Table} from "./dom.js";
import {age} from "./format.js";

export class Questions {
  constructor(context) {
    this.context = context;
    this.table = new Table([
      {title: "Waits", kind: "time", text: (one) => age(one.age)},
      {title: "Client", kind: "", text: (one) => one.client + (one.user ? ` (${one.user})` : "")},
      {title: "Listener", kind: "", text: (one) => one.listener},
      {title: "Request", kind: "wide", text: (one) => `${one.method} ${one.url}`},
      {title: "Rule", kind: "", text: (one) => one.rule + (one.reason ? `: ${one.reason}` : "")},
      {title: "", kind: "acts", make: (item) => el("div", {class: "buttons"},
        button("Allow", () => this.#answer(item(), true), "main"), button("Refuse", () => this.#answer(item(), false), "danger"))},
    ], "No rule waits for an answer.", (one) => one.id);
    this.element = el("section", {}, this.table.element);
  }

  update() {
    this.table.update(this.context.history.status.questions);
  }

  #answer(one, allow) {
    return act(`${one.url} is ${allow ? "allowed" : "refused"}.`, () => this.context.api.ask("POST", `/api/questions/${part(one.id)}`, {allow}));
  }
}
