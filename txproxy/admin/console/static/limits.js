// Limits of requests: what came of them, who owes what, and a new beginning; and quotas, of which the same is asked.

import {act, ask} from "./dialogs.js";
import {part} from "./api.js";
import {button, el, Table} from "./dom.js";
import {age, bytes, count, many} from "./format.js";

export class Limits {
  constructor(context) {
    this.context = context;
    const number = (title, name) => ({title, kind: "number", text: (one) => count(one[name])});
    this.table = new Table([
      {title: "Limit", kind: "name", text: (one) => one.name + (one.enforced ? "" : " (counts only)")},
      number("Allowed", "allowed"), number("Delayed", "delayed"), number("Refused", "refused"), number("Keys", "keys"),
      number("At work", "running"), number("Waiting", "waiting"),
      {title: "", kind: "acts", make: (item) => el("div", {class: "buttons"}, button("Keys", () => this.#keys(item().name)), button("Reset", () => this.#reset(item().name)))},
    ], "No limits of requests are configured.", (one) => one.key);
    const used = (title, period) => ({title, kind: "number", text: (one) => amount(one[period])});
    this.quotas = new Table([
      {title: "Who", kind: "name", text: (one) => `${one.per} ${one.key}`},
      {title: "Listeners", kind: "", text: (one) => one.listeners.join(", ")},
      used("Today", "day"), used("This month", "month"),
      {title: "", kind: "acts", make: (item) => el("div", {class: "buttons"}, button("Forget", () => this.#forget(item())))},
    ], "Nobody has used anything of a quota.");
    this.below = el("div", {hidden: true}, el("h2", {class: "below"}, "Quotas"), this.quotas.element);
    this.element = el("section", {}, this.table.element, this.below);
  }

  shown() {
    this.load();
  }

  async load() {
    try {
      const found = await this.context.api.get("/api/quotas");
      this.below.hidden = found.quotas.length === 0 && found.used.length === 0;
      this.quotas.update(found.used);
    } catch {
      // What stands there is as it was; that nobody answers is said elsewhere.
    }
  }

  update() {
    // Several may have one name.
    this.table.update(this.context.history.status.limits.map((one, place) => ({...one, key: `${place} ${one.name}`})));
    this.count = (this.count ?? 0) + 1;
    if (this.count % 5 === 0) this.load();
  }

  async #forget(one) {
    const lines = ["What was used today and this month does not count any more."];
    if (await ask({title: `Begin anew for ${one.per} ${one.key}?`, lines, confirm: "Forget"})) {
      await act("It is forgotten.", () => this.context.api.ask("POST", "/api/quotas/reset", {listener: one.listeners[0], per: one.per, key: one.key}));
      this.load();
    }
  }

  async #keys(name) {
    const found = await act((answer) => many(answer.keys.length, "key owes something.", "keys owe something."), () => this.context.api.get(`/api/limits/${part(name)}/keys?limit=500`));
    if (found === null) return;
    const table = new Table([
      {title: "Key", kind: "name", text: (one) => one.name},
      {title: "May come at once", kind: "number", text: (one) => count(one.left)},
      {title: "Owes", kind: "number", text: (one) => age(one.seconds)},
      {title: "", kind: "acts", make: (item) => el("div", {class: "buttons"}, button("Reset", () => this.#reset(name, item().name)))},
    ], "Nobody owes anything.");
    table.update(found.keys);
    await ask({title: `Who has used up something of ${name}`, lines: [table.element, ...(found.complete ? [] : ["There are more."])], confirm: "Close", wide: true});
  }

  async #reset(name, key = undefined) {
    const who = key === undefined ? "all keys" : key;
    const lines = [`What ${key === undefined ? "they owe" : "it owes"} is forgotten: as much may come at once as if nothing had.`];
    if (await ask({title: `Begin ${name} anew for ${who}?`, lines, confirm: "Reset"})) {
      await act((answer) => `${many(answer.keys, "key has", "keys have")} begun anew.`,
        () => this.context.api.ask("POST", `/api/limits/${part(name)}/reset`, key === undefined ? {} : {key}));
    }
  }
}

function amount(period) {
  return period.most === null ? bytes(period.used) : `${bytes(period.used)} of ${bytes(period.most)}`;
}
