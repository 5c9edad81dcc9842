// Limits of requests: what came of them, who owes what, and a new beginning.

import {act, ask} from "./dialogs.js";
import {part} from "./api.js";
import {button, el, Table} from "./dom.js";
import {count, age, many} from "./format.js";

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
    this.element = el("section", {}, this.table.element);
  }

  update() {
    // Several may have one name.
    this.table.update(this.context.history.status.limits.map((one, place) => ({...one, key: `${place} ${one.name}`})));
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
