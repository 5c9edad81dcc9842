// The last requests that have failed, each with its whole way.

import {part} from "./api.js";
import {button, el, setText, Table} from "./dom.js";
import {clock, many} from "./format.js";
import {outcome, showWay} from "./way.js";

export class Failures {
  constructor(context) {
    this.context = context;
    this.about = el("span", {class: "about"});
    this.pool = el("select", {"aria-label": "Of this pool"}, el("option", {value: ""}, "all pools"));
    this.pool.addEventListener("change", () => this.load());
    this.table = new Table([
      {title: "Began", kind: "time", text: (one) => clock(Date.parse(one.time))},
      {title: "Client", kind: "", text: (one) => one.client + (one.user ? ` (${one.user})` : "")},
      {title: "Listener", kind: "", text: (one) => one.listener},
      {title: "Request", kind: "wide", text: (one) => [one.method, one.url].filter(Boolean).join(" ") || "a stream"},
      {title: "Status", kind: "number", text: (one) => one.status ?? "–"},
      {title: "Tried", kind: "number", text: (one) => one.attempts.length},
      {title: "Why", kind: "wide", text: outcome},
      {title: "", kind: "acts", make: (item) => el("div", {class: "buttons"}, button("Way", () => showWay(item())))},
    ], "Nothing has failed since the proxy runs.", (one) => one.id);
    this.element = el("section", {}, el("div", {class: "controls"}, this.pool, this.about), this.table.element);
    this.loading = false;
  }

  update() {
    const names = this.context.history.status.pools.map((one) => one.name);
    if (this.pool.options.length !== names.length + 1) {
      this.pool.replaceChildren(el("option", {value: ""}, "all pools"), ...names.map((name) => el("option", {value: name}, name)));
    }
    this.count = (this.count ?? 0) + 1;
    if (this.count % 3 === 1) this.load();
  }

  shown() {
    this.load();
  }

  async load() {
    if (this.loading) return;
    this.loading = true;
    try {
      const found = await this.context.api.get(`/api/exchanges/failed?limit=200${this.pool.value ? `&pool=${part(this.pool.value)}` : ""}`);
      this.table.update(found.exchanges);
      const skipped = found.skipped ? `; ${many(found.skipped, "more was", "more were")} too many at once to be kept` : "";
      setText(this.about, `${many(found.exchanges.length, "request", "requests")}, the newest first${skipped}`);
    } catch (fault) {
      setText(this.about, fault.message);
    } finally {
      this.loading = false;
    }
  }
}
