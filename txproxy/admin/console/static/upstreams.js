// Pools and their upstreams: how each is and why, and what may be done with it.

import {act, ask} from "./dialogs.js";
import {part} from "./api.js";
import {button, el, setClass, setText, Table} from "./dom.js";
import {age, count, many, rate} from "./format.js";

export class Upstreams {
  constructor(context) {
    this.context = context;
    this.history = context.history;
    this.pools = new Map();
    this.empty = el("p", {class: "empty"}, "No pools: nothing is sent to upstreams of this proxy's own.");
    this.element = el("section", {}, this.empty);
  }

  update() {
    const status = this.history.status;
    if (status === null) return;
    this.latest = this.history.samples.at(-1)?.upstreams ?? {};
    const gone = new Set(this.pools.keys());
    for (const pool of status.pools) {
      gone.delete(pool.name);
      this.#pool(pool, status.upstreams[pool.name] ?? []);
    }
    for (const name of gone) {
      this.pools.get(name).element.remove();
      this.pools.delete(name);
    }
    this.empty.hidden = status.pools.length !== 0;
  }

  #pool(pool, upstreams) {
    const shown = this.pools.get(pool.name) ?? this.#made(pool.name);
    const waiting = pool.waiting ? `, ${many(pool.waiting, "request waits", "requests wait")} for room` : "";
    const removed = pool.removed.length ? `, removed: ${pool.removed.join(", ")}` : "";
    const checked = pool.checked ? "" : ", without checks";
    setText(shown.about, `${pool.healthy} of ${pool.upstreams} healthy, ${pool.strategy}${checked}${waiting}${removed}`);
    setClass(shown.about, pool.available ? "about" : "about bad");
    shown.table.update(upstreams);
  }

  #made(name) {
    const about = el("span", {class: "about"});
    const table = new Table(this.#columns(name), "No upstreams.");
    const add = button("Add an upstream", () => this.#add(name));
    const element = el("article", {}, el("div", {class: "head"}, el("h2", {}, name), about, add), table.element);
    this.element.append(element);
    const made = {element, about, table};
    this.pools.set(name, made);
    return made;
  }

  #columns(pool) {
    return [
      {title: "Upstream", kind: "name", text: (one) => one.name + (one.backup ? " (backup)" : "")},
      {title: "State", kind: "why", make: () => el("div", {}, el("span", {class: "state"}), el("span", {class: "cause"})), show: state},
      {title: "Weight", kind: "number", text: (one) => (one.effective_weight !== one.weight && one.state === "healthy" ? `${one.effective_weight} of ${one.weight}` : one.weight)},
      {title: "At work", kind: "number", text: (one) => (one.max ? `${one.active} of ${one.max}` : one.active)},
      {title: "Requests/s", kind: "number", text: (one) => rate(this.latest[`${pool} ${one.name}`]?.requests)},
      {title: "Requests", kind: "number", text: (one) => count(one.requests)},
      {title: "Failures", kind: "number", text: (one) => count(one.failures)},
      {title: "Ejections", kind: "number", text: (one) => count(one.ejections)},
      {title: "Last check", kind: "", text: checked},
      {title: "", kind: "acts", make: (item) => this.#acts(pool, item), show: (acts, one) => acts.show(one)},
    ];
  }

  #acts(pool, item) {
    const path = () => `/api/pools/${part(pool)}/upstreams/${part(item().name)}`;
    const change = (body) => act((one) => `${one.name} is ${one.state}.`, () => this.context.api.ask("PATCH", path(), body));
    const drain = button("Drain", async () => {
      const given = await ask({
        title: `Drain ${item().name}?`, confirm: "Drain",
        lines: ["It gets no new clients; those that are pinned to it go on."],
        fields: [{name: "for", title: "Disable it after (10s, 5m; empty: never)", hint: "5m"}],
      });
      if (given) change({order: "draining", ...(given.for.trim() ? {for: given.for.trim()} : {})});
    });
    const disable = button("Disable", async () => {
      const lines = ["It gets nothing more, not even from clients that are pinned to it. What it has ends as it has begun."];
      if (await ask({title: `Disable ${item().name}?`, lines, confirm: "Disable", danger: true})) change({order: "disabled"});
    });
    const enable = button("Enable", () => change({order: "enabled"}));
    const weigh = button("Weight", async () => {
      const fields = [{name: "weight", title: "Weight (0: only clients that are pinned to it)", value: String(item().weight), inputmode: "numeric"}];
      const given = await ask({title: `Weight of ${item().name}`, fields, confirm: "Set"});
      if (given) change({weight: Number(given.weight)});
    });
    const remove = button("Remove", async () => {
      const lines = ["It gets nothing more. A reload brings it back only if the file says something else of it than it does now."];
      if (await ask({title: `Remove ${item().name}?`, lines, confirm: "Remove", danger: true})) {
        act((one) => `${one.removed} is removed.`, () => this.context.api.ask("DELETE", path()));
      }
    });
    const acts = el("div", {class: "buttons"}, drain, enable, disable, weigh, remove);
    acts.show = (one) => {
      drain.hidden = one.order !== "enabled";
      enable.hidden = one.order === "enabled";
      disable.hidden = one.order === "disabled";
    };
    return acts;
  }

  async #add(pool) {
    const fields = [{name: "url", title: "URL, with ;weight=2 and the like", hint: "http://10.0.0.4:8000", type: "text"}];
    const given = await ask({title: `One more upstream of ${pool}`, fields, confirm: "Add"});
    if (given) act((one) => `${one.name} is added.`, () => this.context.api.ask("POST", `/api/pools/${part(pool)}/upstreams`, {url: given.url.trim()}));
  }
}

function state(cell, one) {
  const [word, cause] = cell.children;
  setClass(word, `state ${one.state}`);
  const breaker = one.breaker === "closed" || one.state === "ejected" ? "" : `, circuit ${one.breaker}`;
  setText(word, `${one.state}${breaker}`);
  const ends = one.ends_in === null ? "" : `, disabled in ${age(one.ends_in)}`;
  const changed = one.changed.length ? ` (not as in the file: ${one.changed.join(", ")})` : "";
  setText(cause, `${one.cause ? `${one.cause}, ` : ""}for ${age(one.age)}${ends}${changed}`);
}

function checked(one) {
  if (one.last_check === null) return "never";
  return `${one.last_check.error || "well"}, ${age(one.last_check.age)} ago`;
}
